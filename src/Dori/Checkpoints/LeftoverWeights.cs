using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>
/// Tensors that weight files hold beside a network's own and that no picture depends on. They are passed over by name;
/// whatever else is unexpected stays an error, for it may be a part of another network.
/// </summary>
internal static class LeftoverWeights
{
    /// <summary>Counters that moving averages keep beside the weights.</summary>
    private static readonly HashSet<string> Counters = new(StringComparer.Ordinal)
    {
        "decay", "ema.decay", "ema.num_updates", "model_ema.decay", "model_ema.num_updates", "n_averaged", "num_updates",
        "optimization_step",
    };

    private const string Projection = "text_projection.weight";

    private static readonly HashSet<string> ClipOthers =
        new(StringComparer.Ordinal) { "logit_scale", Projection, "visual_projection.weight" };

    /// <param name="what">The component: <c>text_encoder</c>, <c>vae</c> or <c>unet</c>.</param>
    /// <param name="projects">Whether the text encoder has a use for the projection.</param>
    /// <returns>Names to leave out, as the files spell them.</returns>
    public static IReadOnlySet<string> PassOver(WeightSet weights, string what, ModelNotes notes, bool projects = false)
    {
        string[] counters = [.. weights.Names.Where(name => Counters.Contains(name) && Elements(weights.Info(name)) <= 1)];
        if (counters.Length > 0) notes.Detail($"{what}: {ModelNotes.First(counters)} passed over: the bookkeeping of a moving average.");
        if (what != "text_encoder") return counters.ToHashSet(StringComparer.Ordinal);

        // What transformers' CLIPTextModel leaves out of a whole CLIP.
        string[] clip = [.. weights.Names.Where(name => (ClipOthers.Contains(name) && !(projects && name == Projection))
            || name.StartsWith("vision_model.", StringComparison.Ordinal))];
        if (clip.Length > 0) notes.Detail($"{what}: {ModelNotes.First(clip)} passed over: of CLIP's other half, which no picture "
            + "depends on.");
        string[] places = [.. weights.Names.Where(CheckpointKeys.TextEncoderIgnorable.Contains)];
        if (places.Length > 0) notes.Detail($"{what}: {ModelNotes.First(places)} passed over: 0, 1, 2, ... in older files.");
        foreach (string name in places)
            if (!Counts(weights, name))
                notes.Say($"{what}: {name} does not hold 0, 1, 2, ... (merging models damages it so); places are numbered as they are, "
                    + "while web interfaces draw other pictures from this file.");
        return counters.Concat(clip).Concat(places).ToHashSet(StringComparer.Ordinal);
    }

    private static bool Counts(WeightSet weights, string name)
    {
        const int most = 4096;
        long elements = Elements(weights.Info(name));
        if (elements > most) return false;
        using var scope = NewDisposeScope();
        double[] values = weights.Read(name).to(ScalarType.Float64).reshape(-1).data<double>().ToArray();
        return values.Select((value, index) => value == index).All(same => same);
    }

    private static long Elements(TensorInfo info) => info.Shape.Aggregate(1L, (a, b) => a * b);
}
