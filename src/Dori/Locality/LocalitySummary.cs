using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary><c>summary.json</c> of a locality run.</summary>
internal sealed record LocalitySummary
{
    public string Schema { get; init; } = "dori.locality/2";
    public required SummaryModel Model { get; init; }
    public required string CopyDetector { get; init; }
    public required double Threshold { get; init; }
    /// <summary>Whether mirror images count.</summary>
    public bool Mirror { get; init; } = true;
    /// <summary>N: searches a picture, all from N(0, I).</summary>
    public required int Searches { get; init; }
    public required int Steps { get; init; }
    public required int Generations { get; init; }
    public required long Seed { get; init; }
    public required IReadOnlyList<LocalityPicture> Pictures { get; init; }
    public required InputSpace Input { get; init; }
    public required ActivationSpace Activation { get; init; }
    /// <summary>Null where it was left out.</summary>
    public WeightSpace? Weight { get; init; }
    /// <summary>What a reader must know before believing the figures, one sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}
