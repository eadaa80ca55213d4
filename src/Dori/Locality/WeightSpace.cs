using Dori.Measures;

namespace Dori.Locality;

/// <summary>Third chapter: do the triggers of one picture use the same weights, and does pruning for one silence the others?</summary>
internal sealed record WeightSpace
{
    public required LocalityVerdict Verdict { get; init; }
    public required IReadOnlyList<WeightMethod> Methods { get; init; }
}
