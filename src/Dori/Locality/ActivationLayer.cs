using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary>Discrepancies at a layer: mean pairwise L2 distances of its activations.</summary>
internal sealed record ActivationLayer
{
    /// <summary>NeMo (value projections' outputs) or Wanda (inputs of the feed-forward's second layer).</summary>
    public required string Method { get; init; }
    public required string Layer { get; init; }
    /// <summary>Of one picture's triggers, averaged over pictures.</summary>
    public required double Triggers { get; init; }
    /// <summary>Of the starts of those triggers.</summary>
    public required double Starts { get; init; }
    /// <summary>Of different pictures' captions.</summary>
    public required double DifferentCaptions { get; init; }
    public required Comparison AgainstCaptions { get; init; }
    /// <summary>Within over between the triggers of different pictures; null with one picture.</summary>
    public Comparison? AgainstOthers { get; init; }
    /// <summary>By item, against the captions.</summary>
    public required IReadOnlyDictionary<string, Comparison> Pictures { get; init; }
}
