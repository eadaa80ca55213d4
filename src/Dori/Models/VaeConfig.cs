namespace Dori.Models;

/// <summary>What <c>vae/config.json</c> says.</summary>
public sealed record VaeConfig
{
    public required int InChannels { get; init; }
    public required int OutChannels { get; init; }
    public required int LatentChannels { get; init; }
    public required IReadOnlyList<int> BlockOutChannels { get; init; }
    public required int LayersPerBlock { get; init; }
    public required int NormNumGroups { get; init; }
    /// <summary>Side of the pictures that the model was trained on, in pixels.</summary>
    public required int SampleSize { get; init; }
    /// <summary>s in z0 = s E(x).</summary>
    public required double ScalingFactor { get; init; }
    public required bool MidBlockAddAttention { get; init; }
    public required bool UseQuantConv { get; init; }
    public required bool UsePostQuantConv { get; init; }
}
