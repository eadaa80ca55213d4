using System.Text.Json.Serialization;
using Dori.Checkpoints;

namespace Dori.Audit;

/// <summary><c>summary.json</c>: the only file that other programs need.</summary>
public sealed record Summary
{
    public string Schema { get; init; } = "dori.summary/2";
    public required SummaryModel Model { get; init; }
    /// <summary>Name of the copy detector's preset: every similarity carries it.</summary>
    public required string CopyDetector { get; init; }
    public required double Threshold { get; init; }
    /// <summary>Search steps that the verdict rests on.</summary>
    public required int Steps { get; init; }
    public required int Generations { get; init; }
    public required IReadOnlyList<AuditStart> Starts { get; init; }
    /// <summary>Whether anything but captions was tried.</summary>
    [JsonIgnore] internal bool Searched => Starts.Any(start => start != AuditStart.Prompt);
    /// <summary>Whether mirror images count.</summary>
    public bool Mirror { get; init; } = true;
    /// <summary>Whether every unit carries the key of what it was computed from; false for runs of older versions.</summary>
    public bool Bound { get; init; } = true;
    public required int Units { get; init; }
    /// <summary>Units that the plan holds and the run folder lacks: more than 0 says that the run is not finished.</summary>
    public required int MissingUnits { get; init; }
    /// <summary>Whether audited pictures were searched no further once their verdict was certain.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool StopAtVerdict { get; init; }
    /// <summary>Units that no verdict needed and that were not computed.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int SparedUnits { get; init; }
    public required ControlSummary Controls { get; init; }
    /// <summary>
    /// Whether the model can draw and the instrument sees; null where none was taken: then nothing is judged, but in runs of older
    /// versions.
    /// </summary>
    public PositiveControl? Control { get; init; }
    /// <summary>What the original gives back under the same settings: the audit's power. Absent where none was named.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OriginalSummary? Original { get; init; }
    /// <summary>What a model that is expected not to hold the pictures gives back of them. Absent where none was named.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonInclude]
    internal ReferenceSummary? Reference { get; init; }
    /// <summary>Ids of pictures that the copy detector takes for one and that count once; absent where there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<IReadOnlyList<string>>? NearDuplicates { get; init; }
    internal string DistinctOf(PictureSummary picture) => NearDuplicates.DistinctOf(picture.Item);
    /// <summary>Rates at the last step, per group and start.</summary>
    public required IReadOnlyList<GroupSummary> Groups { get; init; }
    /// <summary>The same at every snapshot: the dose-response curve.</summary>
    public required IReadOnlyList<GroupSummary> Curve { get; init; }
    public required IReadOnlyList<PictureSummary> Pictures { get; init; }
    /// <summary>What a reader must know before believing the figures, one sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}
