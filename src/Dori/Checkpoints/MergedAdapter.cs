namespace Dori.Checkpoints;

/// <summary>An adapter that a new model has taken in: for records of what was done.</summary>
/// <param name="Sha256">Over its files, its place and its scale, as in the model's hash.</param>
internal sealed record MergedAdapter(string Name, double Scale, string Sha256)
{
    /// <returns>Null where the model has no adapters.</returns>
    public static IReadOnlyList<MergedAdapter>? Of(Checkpoint model) => model.Adapters.Count == 0 ? null
        : [.. model.Adapters.Select((adapter, i) => new MergedAdapter(adapter.Name, adapter.Scale, model.AdapterSha256(i)))];
}
