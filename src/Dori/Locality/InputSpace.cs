using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary>First chapter: do the triggers of one picture lie together as embeddings? Comparisons are over all pictures with enough
/// triggers; null where there are none.</summary>
internal sealed record InputSpace
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
