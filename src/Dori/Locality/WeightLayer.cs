using Dori.Measures;

namespace Dori.Locality;

/// <summary>Agreement at a layer: mean intersection over union of what is marked, pairs of two empty sets apart.</summary>
internal sealed record WeightLayer
{
    public required string Layer { get; init; }
    /// <summary>Weights of the layer.</summary>
    public required long Weights { get; init; }
    /// <summary>Mean number marked for a trigger.</summary>
    public required double Marked { get; init; }
    /// <summary>Between triggers of one picture; null where all pairs are empty.</summary>
    public required double? Triggers { get; init; }
    /// <summary>Share of those pairs in which neither marks anything: agreement by definition only.</summary>
    public required double TriggersEmpty { get; init; }
    /// <summary>Between captions of different pictures: the null.</summary>
    public required double? Captions { get; init; }
    public required double CaptionsEmpty { get; init; }
    /// <summary>Between triggers of different pictures; null with one picture, or where all pairs are empty.</summary>
    public required double? OtherTriggers { get; init; }
    /// <summary>Triggers minus Captions with its 95 % bootstrap interval; null where one is missing.</summary>
    public required Interval? Difference { get; init; }
    /// <summary>Permutation test of no difference, two-sided.</summary>
    public required double? PValue { get; init; }
    /// <summary>Whether one picture's triggers agree more than captions: the interval lies above 0; null where there is nothing to
    /// compare.</summary>
    public bool? Closer => Difference is null ? null : Difference.Low > 0;
}
