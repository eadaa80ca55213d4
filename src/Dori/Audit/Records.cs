using Dori.Pictures;
using System.Text.Json.Serialization;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Audit;

/// <summary>One unit's outcome, <c>units/&lt;id&gt;.json</c>: nothing in it depends on the clock, the machine's load or other
/// units.</summary>
internal sealed record UnitRecord
{
    /// <summary>What this program writes.</summary>
    public const string Current = "dori.unit/2";
    /// <summary>Written by older versions: without a key, so that nothing says what it was computed from.</summary>
    public const string Unbound = "dori.unit/1";

    public string Schema { get; init; } = Current;
    /// <summary>SHA-256 over all that decides the unit: see <see cref="UnitKey"/>. Empty in records of older versions.</summary>
    public string Key { get; init => field = value ?? ""; } = ""; // what a record leaves out the deserializer sets to null
    /// <summary>Of everything else in it (<see cref="RecordDigest"/>); null in records of older versions, and until it is
    /// written.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Digest { get; init; }
    /// <summary>File-name safe: item, start and seed, e.g. <c>v00-caption-0</c>.</summary>
    public required string Id { get; init; }
    /// <summary>Pictures of one item are references of the same memory.</summary>
    public required string Item { get; init; }
    /// <summary>The item's pictures, relative to the picture set's folder.</summary>
    public required IReadOnlyList<string> Files { get; init; }
    public required string Caption { get; init; }
    /// <summary>verbatim, template, or empty where not said.</summary>
    public required PictureKind Kind { get; init; }
    /// <summary>audit or control.</summary>
    public required PictureRole Role { get; init; }
    /// <summary>prompt (no search), caption, other or random.</summary>
    public required AuditStart Start { get; init; }
    public required long Seed { get; init; }
    /// <summary>Loss of every search step, before its update; empty for start <c>prompt</c>.</summary>
    public required IReadOnlyList<float> Losses { get; init; }
    /// <summary>Ascending by step. The last is what the verdict rests on. Start <c>prompt</c> has one, at step 0.</summary>
    public required IReadOnlyList<Snapshot> Snapshots { get; init; }
}

/// <summary>What the embedding after <see cref="Step"/> search steps generates.</summary>
internal sealed record Snapshot
{
    public required int Step { get; init; }
    /// <summary>Per generation: similarity to the item, the maximum over its references and, where they count, their mirror
    /// images.</summary>
    public required IReadOnlyList<float> Similarities { get; init; }
    /// <summary>Numbers of the generations, ascending, that are more similar to a mirror image than to the picture itself.</summary>
    public IReadOnlyList<int> Mirrored { get; init => field = value ?? []; } = [];
    /// <summary>Median pairwise similarity among the generations (lower is more diverse).</summary>
    public required float Diversity { get; init; }
    /// <summary>Generated pictures relative to the run folder, in the order of <see cref="Similarities"/>; empty where not kept.</summary>
    public IReadOnlyList<string> Pictures { get; init => field = value ?? []; } = [];

    [JsonIgnore] public float Best => Similarities.Max();
    /// <summary>Whether the best generation is the picture's mirror image.</summary>
    [JsonIgnore] public bool BestIsMirrored => Mirrored.Any(n => Similarities[n] >= Best);
}

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
    /// <summary>Whether mirror images count.</summary>
    public bool Mirror { get; init; } = true;
    /// <summary>Whether every unit carries the key of what it was computed from; false for runs of older versions.</summary>
    public bool Bound { get; init; } = true;
    public required int Units { get; init; }
    /// <summary>Units that the plan holds and the run folder lacks: more than 0 says that the run is not finished.</summary>
    public required int MissingUnits { get; init; }
    public required ControlSummary Controls { get; init; }
    /// <summary>
    /// Whether the model can draw and the instrument sees; null where none was taken: then nothing is judged, but in runs of older
    /// versions.
    /// </summary>
    public PositiveControl? Control { get; init; }
    /// <summary>What the original gives back under the same settings: the audit's power. Absent where none was named.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OriginalSummary? Original { get; init; }
    /// <summary>Rates at the last step, per group and start.</summary>
    public required IReadOnlyList<GroupSummary> Groups { get; init; }
    /// <summary>The same at every snapshot: the dose-response curve.</summary>
    public required IReadOnlyList<GroupSummary> Curve { get; init; }
    public required IReadOnlyList<PictureSummary> Pictures { get; init; }
    /// <summary>What a reader must know before believing the figures, one sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <summary>How the controls came out, and whether a verdict can rest on them.</summary>
public sealed record ControlSummary
{
    public required int Items { get; init; }
    /// <summary>Controls whose best similarity, over all starts and snapshots, passes the threshold.</summary>
    public required int AboveThreshold { get; init; }
    /// <summary>Fewest controls with which p can reach 0.05: 19.</summary>
    public required int Needed { get; init; }
    public required bool Enough { get; init; }
    /// <summary>Smallest p-value that this many controls can give: 1 / (1 + controls).</summary>
    public required double SmallestPValue { get; init; }
    /// <summary>False discovery rate of the Benjamini-Hochberg list.</summary>
    public required double FalseDiscoveryRate { get; init; }
}

/// <summary>One cell of the table: a group of items from one start after a number of steps.</summary>
public sealed record GroupSummary
{
    /// <summary>verbatim, template, audit (items without a kind), control or all (all but controls).</summary>
    public required string Group { get; init; }
    public required AuditStart Start { get; init; }
    public required int Images { get; init; }
    public required int Generations { get; init; }
    public required int Steps { get; init; }
    /// <summary>Over items, of each item's best generation.</summary>
    public required Spread Similarity { get; init; }
    /// <summary>Over items, of each item's median generation.</summary>
    public required Spread MedianSimilarity { get; init; }
    public required Rate MemorizationRate { get; init; }
    /// <summary>Median over items of the generations' median pairwise similarity.</summary>
    public required double Diversity { get; init; }
}

/// <summary>What the audit says of one item.</summary>
public sealed record PictureSummary
{
    /// <summary>The item's first picture.</summary>
    public required string File { get; init; }
    public required string Item { get; init; }
    public required string Caption { get; init; }
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
