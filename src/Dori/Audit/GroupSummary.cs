using System.Text.Json.Serialization;
using Dori.Measures;

namespace Dori.Audit;

/// <summary>One cell of the table: a group of items from one start after a number of steps.</summary>
public sealed record GroupSummary
{
    /// <summary>verbatim, template, audit (items without a kind), control or all (all but controls).</summary>
    public required string Group { get; init; }
    public required AuditStart Start { get; init; }
    public required int Images { get; init; }
    /// <summary>Near-duplicates counted once, as the rate counts them; absent where there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Distinct { get; init; }
    /// <summary>
    /// Whether some of the items were not searched to the end from this start, their verdicts being certain: similarities are lower bounds
    /// then, and so is the rate, in which an item counts from the starts alone that were tried.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool LowerBound { get; init; }
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
