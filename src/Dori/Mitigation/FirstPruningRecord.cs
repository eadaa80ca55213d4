using Dori.Checkpoints;

namespace Dori.Mitigation;

/// <summary>
/// <c>mitigation.json</c> as prunings wrote it first. Still read, so that models pruned then keep their section in reports.
/// </summary>
internal sealed record FirstPruningRecord
{
    public const string Name = "dori.pruning/1";
    private const double LargestSimilarity = 1;

    public required string Schema { get; init; }
    /// <summary>wanda or nemo</summary>
    public required string Method { get; init; }
    public required string Version { get; init; }
    public required string Command { get; init; }
    public required string Model { get; init; }
    public required string ModelSha256 { get; init; }
    public IReadOnlyList<MergedAdapter>? Adapters { get; init; }
    public required string PicturesSha256 { get; init; }
    public FirstWandaSettings? Wanda { get; init; }
    public FirstNemoSettings? Nemo { get; init; }
    public required IReadOnlyList<PrunedItem> Items { get; init; }
    public required IReadOnlyList<LayerMarks> Layers { get; init; }

    /// <summary>In the shape that they have now, where each item says which threshold was asked for.</summary>
    public PruningRecord AsNow() => new()
    {
        Method = Method == "nemo" ? "NeMo" : "Wanda",
        Items = [.. Items.Select(item => item.Neurons is { } neurons
            ? item with { Neurons = neurons with { Asked = Nemo?.Threshold ?? LargestSimilarity } } : item)],
        Layers = Layers,
    };
}

internal sealed record FirstWandaSettings(double Sparsity, int Steps, int Latents, int Pool, long Seed, double Guidance, string Sampler,
    int SamplerSteps);

internal sealed record FirstNemoSettings(int Latents, double Threshold, bool ThresholdMeasured, int HeldOutCaptions, long Seed);
