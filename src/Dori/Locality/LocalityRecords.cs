using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary><c>summary.json</c> of a locality run.</summary>
public sealed record LocalitySummary
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

/// <summary>How a picture's searches ended.</summary>
/// <param name="Triggers">Searches whose embedding generates the picture: a similarity above the threshold.</param>
/// <param name="Similarity">Over searches, of the best generation from the end.</param>
/// <param name="StartSimilarity">The same from the start, before any search: the null.</param>
/// <param name="Other">Searched once, only to see triggers of different pictures.</param>
public sealed record LocalityPicture(string Item, string File, string Caption, string Kind, int Searches, int Triggers, Spread Similarity,
    Spread StartSimilarity, bool Other);

/// <summary>What a chapter concludes about the claim that memorization is local.</summary>
/// <param name="Outcome">refuted, supported, undecided, or not judged where the positive control failed</param>
/// <param name="Sentence">The answer in one sentence.</param>
/// <param name="Figures">The figures that decide, one sentence each.</param>
public sealed record LocalityVerdict(string Outcome, string Sentence, IReadOnlyList<string> Figures)
{
    public const string Refuted = "refuted", Supported = "supported", Undecided = "undecided", NotJudged = "not judged";
}

/// <summary>First chapter: do the triggers of one picture lie together as embeddings? Comparisons are over all pictures with enough
/// triggers; null where there are none.</summary>
public sealed record InputSpace
{
    public required LocalityVerdict Verdict { get; init; }
    public required IReadOnlyList<InputPicture> Pictures { get; init; }
    /// <summary>Captions that the triggers are compared with: of pictures that the model was not trained on.</summary>
    public required int Captions { get; init; }
    /// <summary>Spread of the triggers over that of the places where their searches began.</summary>
    public Comparison? AgainstStarts { get; init; }
    /// <summary>Spread of one picture's triggers over that of captions.</summary>
    public Comparison? AgainstCaptions { get; init; }
    /// <summary>Distance within one picture's triggers over the distance between those of different pictures.</summary>
    public Comparison? AgainstOthers { get; init; }
    /// <summary>Mean silhouette of the triggers with pictures as clusters; null with one picture.</summary>
    public double? SilhouetteByPicture { get; init; }
    /// <summary>Are a trigger's nearest neighbours of its own picture? Null with one picture.</summary>
    public NeighbourTest? NeighboursByPicture { get; init; }
}

/// <summary>One picture's triggers as embeddings. Spacings are mean pairwise L2 distances.</summary>
public sealed record InputPicture
{
    public required string Item { get; init; }
    public required int Triggers { get; init; }
    /// <summary>Of the starts that became triggers.</summary>
    public required double StartSpacing { get; init; }
    public required double EndSpacing { get; init; }
    public required double CaptionSpacing { get; init; }
    public required Comparison AgainstStarts { get; init; }
    public required Comparison AgainstCaptions { get; init; }
    /// <summary>Distance of each trigger from its own start, over the starts' spacing.</summary>
    public required Spread Displacement { get; init; }
    /// <summary>Mean silhouette of the triggers, captions being the other cluster.</summary>
    public required double Silhouette { get; init; }
    /// <summary>The same of the starts, which no search has touched: the null.</summary>
    public required double StartSilhouette { get; init; }
    /// <summary>Are a trigger's nearest neighbours triggers rather than captions?</summary>
    public required NeighbourTest Neighbours { get; init; }
    public required NeighbourTest StartNeighbours { get; init; }
}

/// <summary>Second chapter: do the triggers of one picture excite the network alike?</summary>
public sealed record ActivationSpace
{
    public required LocalityVerdict Verdict { get; init; }
    /// <summary>Of the one noise that all embeddings are seen with.</summary>
    public required float Timestep { get; init; }
    /// <summary>Captions of different audited pictures that the triggers are compared with.</summary>
    public required int Captions { get; init; }
    /// <summary>NeMo's layers, then Wanda's, in the network's order; empty where there are too few triggers.</summary>
    public required IReadOnlyList<ActivationLayer> Layers { get; init; }
}

/// <summary>Discrepancies at a layer: mean pairwise L2 distances of its activations.</summary>
public sealed record ActivationLayer
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

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, NewLine = "\n",
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(LocalitySummary))]
[JsonSerializable(typeof(WeightPicture))]
public sealed partial class LocalityJson : JsonSerializerContext;
