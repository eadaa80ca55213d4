using Dori.Pictures;
namespace Dori.Audit;

/// <summary>What <c>--gate</c> makes of a run.</summary>
public enum GateOutcome
{
    /// <summary>Every picture that was asked is not found, and nothing is missing.</summary>
    Open,
    /// <summary>A picture is retained or undecided.</summary>
    Shut,
    /// <summary>No picture is retained or undecided, but it is not known of all that they are not found.</summary>
    Unknown,
}

/// <summary>The gate: open only where every picture that was asked was judged <i>not found</i>. A pure function of the summary.</summary>
/// <param name="Reason">For a person, without a full stop; empty where open.</param>
public sealed record Gate(GateOutcome Outcome, string Reason)
{
    public static Gate Of(Summary summary) => Of(summary, new HashSet<string>(), null);

    /// <param name="known">Items whose finding is known and lets the gate be.</param>
    /// <param name="rule">When the other findings shut it; null: always.</param>
    internal static Gate Of(Summary summary, IReadOnlySet<string> known, GateRule? rule)
    {
        PictureSummary[] asked = [.. summary.Pictures.Where(picture => picture.Role == PictureRole.Audit)];
        PictureSummary[] findings = [.. asked.Where(picture => picture.Verdict is Verdict.Retained or Verdict.Undecided)];
        int found = findings.Count(picture => !known.Contains(picture.Item));
        if (found > 0 && rule is null) return new Gate(GateOutcome.Shut, $"{found} of {asked.Length} pictures are retained or undecided"
            + (found < findings.Length ? ", besides the known ones" : ""));
        if (asked.Length > 0 && rule?.Fails(found, asked.Length) == true)
            return new Gate(GateOutcome.Shut, $"{rule.Text}, since {found} of {asked.Length} pictures are retained or undecided");
        // Where too few controls judge, that both models give a picture back is known all the same.
        int both = asked.Count(picture => !known.Contains(picture.Item)
            && summary.Reference?.Of(picture) is { Answer: ReferenceAnswer.Both });
        if (both > 0)
            return new Gate(GateOutcome.Shut, $"{both} of {asked.Length} pictures come back from this model and from the reference");
        // What is not one of the known words is no clean verdict: the count of "not found" decides, not the absence of others.
        int open = asked.Count(picture => picture.Verdict != Verdict.NotFound) - findings.Length;
        string? why = asked.Length == 0 ? "no picture was asked"
            : summary.MissingUnits != 0 ? $"{summary.MissingUnits} of {summary.Units} units are missing or not this run's"
            : open > 0 ? $"{open} of {asked.Length} pictures are not judged"
            : !summary.Bound ? "the run's units were written by an older version and do not say what they were computed from; audit again"
            : null;
        return why is null ? new Gate(GateOutcome.Open, "") : new Gate(GateOutcome.Unknown, why);
    }
}
