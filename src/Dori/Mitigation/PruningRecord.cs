using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Dori.Checkpoints;

namespace Dori.Mitigation;

/// <summary>What a pruning did, as <c>details.pruning</c> of its <see cref="MitigationRecord"/> holds it.</summary>
internal sealed record PruningRecord
{
    internal const string Member = "pruning";
    private const string Wanted = "a record of a pruning; take it away, and the report says nothing of the pruning";

    /// <summary>See <see cref="IMarking.Name"/>.</summary>
    public required string Method { get; init; }
    public required IReadOnlyList<PrunedItem> Items { get; init; }
    /// <summary>Weights set to 0 by layer, over all items.</summary>
    public required IReadOnlyList<LayerMarks> Layers { get; init; }

    /// <summary>
    /// Items for which no selection brought the similarity down to the threshold, so that the best reached had to stand in for it.
    /// </summary>
    [JsonIgnore] public int NotReached => Items.Count(item => item.Neurons is { } neurons && neurons.Threshold > neurons.Asked);
    [JsonIgnore] public long Marked => Layers.Sum(layer => layer.Marked);
    [JsonIgnore] public long Weights => Layers.Sum(layer => (long)layer.Rows * layer.Columns);

    /// <summary>The record that a pruning left in a model's folder; null where there is none, or another method's.</summary>
    /// <exception cref="DoriException">A pruning's record that cannot be read.</exception>
    public static PruningRecord? Read(string folder)
    {
        string path = Path.Combine(folder, DiffusersFolder.Mitigation);
        if (!File.Exists(path)) return null;
        byte[] json = InputFile.ReadBytes(path, InputKind.Record);
        PruningRecord? record = Schema(path, json) switch
        {
            MitigationRecord.CurrentSchema => Current(path, json),
            FirstPruningRecord.Name => StrictJson.Read(path, json, MitigationJson.Default.FirstPruningRecord, Wanted).AsNow(),
            _ => null,
        };
        return record is null or { IsWhole: true } ? record
            : throw new DoriException($"{path}: not {Wanted}: a field is missing, or a number out of range");
    }

    private static string? Schema(string path, byte[] json)
    {
        try
        {
            return StrictJson.Member(json, "schema");
        }
        catch (JsonException e)
        {
            throw new DoriException($"{path}: not {Wanted}: {e.Message}", e);
        }
    }

    private static PruningRecord? Current(string path, byte[] json)
    {
        JsonObject root = StrictJson.Object(path, json, Wanted);
        return root["details"] is JsonObject details && details[Member] is JsonObject own
            ? StrictJson.Read(path, JsonSerializer.SerializeToUtf8Bytes(own, MitigationJson.Default.JsonObject),
                MitigationJson.Default.PruningRecord, Wanted)
            : null;
    }

    /// <summary>
    /// What is null is left out when a record is written; so only here is seen what must not be. A report divides by sizes.
    /// </summary>
    private bool IsWhole => Layers.Count > 0 && Layers.All(layer => layer.Layer is not null && layer is { Rows: >= 1, Columns: >= 1 }
            && layer.Marked >= 0 && layer.Marked <= (long)layer.Rows * layer.Columns)
        && Items.All(item => item is { Id: not null, Caption: not null, Sha256: not null } && item.Neurons is null or { Layers: not null });
}

/// <summary>One picture's part.</summary>
/// <param name="Marked">Weights that its prompt, or the chunk of prompts it was pooled in, marks.</param>
/// <param name="Skipped">Not memorized by the method's own test, so nothing was marked for it.</param>
internal sealed record PrunedItem(string Id, string Caption, IReadOnlyList<string> Sha256, long Marked, bool Skipped = false,
    PrunedNeurons? Neurons = null);

/// <summary>NeMo's figures for a prompt.</summary>
/// <param name="Similarity">Largest similarity of two seeds' noise differences, before.</param>
/// <param name="SimilarityAfter">The same with the neurons blocked; null where skipped.</param>
/// <param name="BlockedSimilarity">Largest similarity of a seed's difference, blocked to unblocked; null where skipped.</param>
/// <param name="Theta">Outliers beyond which the initial selection marked; null where skipped.</param>
/// <param name="TopK">Most active neurons a layer that it marked besides; null where skipped.</param>
/// <param name="Threshold">What the refinement held similarities against; null where skipped.</param>
/// <param name="Initial">Neurons of the initial selection.</param>
/// <param name="Layers">Neurons that remain, by layer.</param>
/// <param name="Asked">The threshold that similarities were to come down to.</param>
public sealed record PrunedNeurons(double Similarity, double? SimilarityAfter, double? BlockedSimilarity, double? Theta, int? TopK,
    double? Threshold, int Initial, IReadOnlyList<IReadOnlyList<int>> Layers, double Asked)
{
    internal static PrunedNeurons Of(NemoFinding finding, double asked) => finding.Selected is { } s
        ? new PrunedNeurons(finding.Pairwise.Max(), finding.PairwiseAfter.Max(), s.RefinedSimilarity, s.Theta, s.TopK, s.Threshold,
            s.Initial.Count, s.Refined.Layers, asked)
        : new PrunedNeurons(finding.Pairwise.Max(), null, null, null, null, null, 0, [], asked);
}
