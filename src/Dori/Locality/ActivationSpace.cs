using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary>Second chapter: do the triggers of one picture excite the network alike?</summary>
internal sealed record ActivationSpace
{
    public required LocalityVerdict Verdict { get; init; }
    /// <summary>Of the one noise that all embeddings are seen with.</summary>
    public required float Timestep { get; init; }
    /// <summary>Captions of different audited pictures that the triggers are compared with.</summary>
    public required int Captions { get; init; }
    /// <summary>NeMo's layers, then Wanda's, in the network's order; empty where there are too few triggers.</summary>
    public required IReadOnlyList<ActivationLayer> Layers { get; init; }
}
