using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Checkpoints;

namespace Dori.Mitigation;

/// <summary>What a pruning did, as <c>mitigation.json</c> beside the new model holds it.</summary>
public sealed record PruningRecord
{
    private const string PruningSchema = "dori.pruning/1";

    public string Schema { get; init; } = PruningSchema;
    /// <summary>wanda or nemo</summary>
    public required string Method { get; init; }
    public required string Version { get; init; }
    public required string Command { get; init; }
    /// <summary>Name of the original's folder.</summary>
    public required string Model { get; init; }
    /// <summary>Of the original; see <see cref="Checkpoints.Checkpoint.Sha256()"/>.</summary>
    public required string ModelSha256 { get; init; }
    /// <summary>Adapters that the new model has taken in: it is whole without them. Absent where there were none.</summary>
    public IReadOnlyList<MergedAdapter>? Adapters { get; init; }
    /// <summary>Of the pictures that were asked for.</summary>
    public required string PicturesSha256 { get; init; }
    public WandaSettings? Wanda { get; init; }
    public NemoSettings? Nemo { get; init; }
    public required IReadOnlyList<PrunedItem> Items { get; init; }
    /// <summary>Weights set to 0 by layer, over all items.</summary>
    public required IReadOnlyList<LayerMarks> Layers { get; init; }
    /// <summary>NeMo: items for which no selection brought the similarity down to the threshold, so that the best reached had to stand in for it.</summary>
    [JsonIgnore] public int NotReached => Nemo is null ? 0 : Items.Count(item => item.Neurons?.Threshold > Nemo.Threshold);
    /// <summary>The record that a pruning left in a model's folder; null where there is none, or another method's.</summary>
    /// <exception cref="DoriException">A pruning's record that cannot be read.</exception>
    public static PruningRecord? Read(string folder)
    {
        string path = Path.Combine(folder, DiffusersFolder.Mitigation);
        if (!File.Exists(path)) return null;
        try
        {
            byte[] json = InputFile.ReadBytes(path, InputKind.Record);
            const string what = "a record of a pruning; take it away, and the report says nothing of the pruning";
            if (StrictJson.Member(json, "schema") != PruningSchema) return null;
            PruningRecord record = StrictJson.Read(path, json, PruningJson.Default.PruningRecord, what);
            return record.IsWhole ? record : throw new JsonException("a field is missing, or a number out of range");
        }
        catch (JsonException e)
        {
            throw new DoriException($"{path}: not a record of a pruning ({e.Message}); take it away, and the report says nothing of the pruning", e);
        }
    }

    /// <summary>What is null is left out when a record is written; so only here is seen what must not be. A report divides by sizes.</summary>
    private bool IsWhole => (Wanda is null || Wanda.Sampler is not null) && Layers.Count > 0
        && Layers.All(layer => layer is { Layer: not null, Rows: >= 1, Columns: >= 1, Marked: >= 0 } && layer.Marked <= (long)layer.Rows * layer.Columns)
        && Items.All(item => item is { Id: not null, Caption: not null, Sha256: not null } && item.Neurons is null or { Layers: not null });

    [JsonIgnore] public long Marked => Layers.Sum(layer => layer.Marked);
    [JsonIgnore] public long Weights => Layers.Sum(layer => (long)layer.Rows * layer.Columns);
}

/// <param name="Steps">Calls of the UNet whose marks were united.</param>
/// <param name="Latents">Sampled from each prompt.</param>
/// <param name="Pool">Prompts whose norms were accumulated before marking.</param>
/// <param name="Sampler">The scheduler's class.</param>
public sealed record WandaSettings(double Sparsity, int Steps, int Latents, int Pool, long Seed, double Guidance, string Sampler, int SamplerSteps)
{
    public static WandaSettings Of(WandaOptions options) => new(options.Sparsity, options.Steps, options.Latents, options.Pool, options.Seed,
        options.Generation.Guidance, options.Generation.Scheduler.ClassName, options.Generation.Steps);
}

/// <param name="ThresholdMeasured">From the held-out captions; otherwise published or given.</param>
/// <param name="HeldOutCaptions">How many the neurons' statistics rest on.</param>
public sealed record NemoSettings(int Latents, double Threshold, bool ThresholdMeasured, int HeldOutCaptions, long Seed);

/// <summary>One picture's part.</summary>
/// <param name="Marked">Weights that its prompt, or the chunk of prompts it was pooled in, marks.</param>
/// <param name="Skipped">NeMo: not memorized by its test, so nothing was marked for it.</param>
public sealed record PrunedItem(string Id, string Caption, IReadOnlyList<string> Sha256, long Marked, bool Skipped = false, PrunedNeurons? Neurons = null);

/// <summary>NeMo's figures for a prompt.</summary>
/// <param name="Similarity">Largest similarity of two seeds' noise differences, before.</param>
/// <param name="SimilarityAfter">The same with the neurons blocked; null where skipped.</param>
/// <param name="BlockedSimilarity">Largest similarity of a seed's difference, blocked to unblocked; null where skipped.</param>
/// <param name="Theta">Outliers beyond which the initial selection marked; null where skipped.</param>
/// <param name="TopK">Most active neurons a layer that it marked besides; null where skipped.</param>
/// <param name="Threshold">What the refinement held similarities against; null where skipped.</param>
/// <param name="Initial">Neurons of the initial selection.</param>
/// <param name="Layers">Neurons that remain, by layer.</param>
public sealed record PrunedNeurons(double Similarity, double? SimilarityAfter, double? BlockedSimilarity, double? Theta, int? TopK, double? Threshold,
    int Initial, IReadOnlyList<IReadOnlyList<int>> Layers)
{
    public static PrunedNeurons Of(NemoFinding finding) => finding.Selected is { } s
        ? new PrunedNeurons(finding.Pairwise.Max(), finding.PairwiseAfter.Max(), s.RefinedSimilarity, s.Theta, s.TopK, s.Threshold, s.Initial.Count, s.Refined.Layers)
        : new PrunedNeurons(finding.Pairwise.Max(), null, null, null, null, null, 0, []);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n",
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(PruningRecord))]
public sealed partial class PruningJson : JsonSerializerContext;
