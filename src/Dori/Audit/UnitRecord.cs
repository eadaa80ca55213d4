using System.Text.Json.Serialization;
using Dori.Pictures;

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
    /// <summary>Loss of every search step that was made, before its update; empty for start <c>prompt</c>.</summary>
    public required IReadOnlyList<float> Losses { get; init; }
    /// <summary>Ascending by step. The last is what the verdict rests on. Start <c>prompt</c> has one, at step 0.</summary>
    public required IReadOnlyList<Snapshot> Snapshots { get; init; }

    /// <summary>Search steps after which it stopped, its picture's verdict being certain; null where it ran to its end.</summary>
    internal int? StoppedAfter(AuditOptions options) => (options.StopAtCopy || (options.StopAtVerdict && Role == PictureRole.Audit))
        && Start != AuditStart.Prompt && Losses.Count < options.Steps ? Losses.Count : null;
}
