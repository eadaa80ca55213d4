using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary>One picture's triggers as embeddings. Spacings are mean pairwise L2 distances.</summary>
internal sealed record InputPicture
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
