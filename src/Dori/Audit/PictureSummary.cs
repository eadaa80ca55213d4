using System.Text.Json.Serialization;
using Dori.Pictures;

namespace Dori.Audit;

/// <summary>What the audit says of one item.</summary>
public sealed record PictureSummary
{
    /// <summary>The item's first picture.</summary>
    public required string File { get; init; }
    public required string Item { get; init; }
    public required string Caption { get; init; }
    /// <summary>How often an epoch of the training showed it; absent where its folder does not say.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Repeats { get; init; }
    /// <summary>Captions that copies of the same file have beside it, which were not tried; absent where there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? OtherCaptions { get; init; }
    public required PictureKind Kind { get; init; }
    public required PictureRole Role { get; init; }
    /// <summary>retained, undecided (passes the threshold, but so do controls), not found, or not judged (too few controls, or units are
    /// missing).</summary>
    public required Verdict Verdict { get; init; }
    /// <summary>Best over all generations of all starts and snapshots, prompt included; -1 where none of the units is there.</summary>
    public required double Similarity { get; init; }
    /// <summary>Whether the best is the picture's mirror image.</summary>
    public bool Mirrored { get; init; }
    /// <summary>The start that gave it; empty where none of the units is there.</summary>
    public required AuditStart? Start { get; init; }
    /// <summary>Search steps after which it came; 0 for the prompt.</summary>
    public required int Step { get; init; }
    /// <summary>Conformal, against the controls' best over the same starts; 1 where not judged.</summary>
    public required double PValue { get; init; }
    /// <summary>On the Benjamini-Hochberg list.</summary>
    public required bool Discovery { get; init; }
    public required double PromptSimilarity { get; init; }
    public required double SearchSimilarity { get; init; }
    /// <summary>Fewest search steps (among the snapshots) after which a generation passes the threshold; 0 where the prompt alone does;
    /// null where none.</summary>
    public required int? StepsToFirstCopy { get; init; }
}
