using Dori.Pictures;
using Dori.Audit;
using Dori.Measures;

namespace Dori.Reporting;

/// <summary>The audit's answer in plain sentences: never a rate without its interval and the controls.</summary>
/// <param name="Sentence">The answer.</param>
/// <param name="Detail">Count, interval and controls behind it.</param>
internal sealed record Headline(string Sentence, string Detail)
{
    /// <summary>What stands in the way of any verdict, said before all else; null where nothing does.</summary>
    public static string? Obstacle(AuditView view)
    {
        Summary s = view.Summary;
        var obstacles = new List<string>();
        if (view.Unfinished)
            obstacles.Add(
            $"This run is not finished: {(s.MissingUnits == 1 ? "1 unit is" : Show.Count(s.MissingUnits) + " units are")} missing, and "
            + $"what {(s.MissingUnits == 1 ? "it" : "they")} would show is not known.");
        if (s.Control is { Holds: false })
            obstacles.Add("The positive control failed: this model cannot be judged, and that nothing was found says nothing.");
        if (s.Reference?.Obstacle is { } unlike)
            obstacles.Add($"{Capital(unlike)}. No picture is said to be this model\u2019s alone.");
        if (s.Original?.Obstacle is { } blind)
            obstacles.Add($"{Capital(blind)}. Pictures that were not found are not judged.");
        if (!s.Controls.Enough)
        {
            string controls =
                s.Controls.Items switch { 0 => "There are no controls", 1 => "One control is too few",
                _ => $"{Show.Count(s.Controls.Items)} controls are too few" };
            obstacles.Add($"{controls}: a verdict needs at least {Show.Count(s.Controls.Needed)}. The pictures are not judged.");
        }
        return obstacles.Count == 0 ? null : string.Join(" ", obstacles);
    }

    /// <summary>One for each kind of picture, verbatim first.</summary>
    public static IReadOnlyList<Headline> Of(AuditView view) =>
        view.Targets.Count == 0 ? [new Headline("No picture has been audited.", ControlSentence(view))]
            : [.. view.Groups.Select((group, i) => OfGroup(view, group, first: i == 0))];

    private static Headline OfGroup(AuditView view, string group, bool first)
    {
        PictureSummary[] pictures = [.. view.In(group)];
        int all = pictures.Length;
        string noun = (group == ItemGroup.Audit ? "" : group + " ") + (all == 1 ? "picture" : "pictures"), soFar = view.Unfinished
            ? "So far, " : "";
        string controls = first ? ControlSentence(view) : ControlsInShort(view);
        if (!view.Summary.Controls.Enough || pictures.All(p => p.Verdict == Verdict.NotJudged))
        {
            int passing = pictures.Count(view.Passes);
            return new Headline(
                Capital($"{soFar}{Number(passing)} of {Show.Count(all)} {noun} {(passing == 1 ? "comes" : "come")} back above the "
                    + $"threshold{Reference(view, pictures)}, without a verdict."),
                $"{IntervalOf(view, pictures, view.Passes)} {controls}");
        }
        int retained = pictures.Count(p => p.Verdict == Verdict.Retained), undecided = pictures.Count(p => p.Verdict == Verdict.Undecided),
            notJudged = pictures.Count(p => p.Verdict == Verdict.NotJudged);
        string sentence =
            Capital($"{soFar}{Number(retained)} of {Show.Count(all)} {noun} {(retained == 1 ? "is" : "are")} "
            + $"{(retained == 0 ? "found to be " : "")}retained{Reference(view, pictures)}.");
        if (undecided > 0)
            sentence += $" {Show.Count(undecided)} {(retained == 0 ? "" : "more ")}{(undecided == 1 ? "is" : "are")} undecided.";
        if (notJudged > 0) sentence += $" {Show.Count(notJudged)} {(notJudged == 1 ? "is" : "are")} not judged.";
        string power = first && pictures.Any(p => p.Verdict == Verdict.NotFound) ? $" {Wording.Power(view.Summary)}." : "";
        string nothing = retained == 0 ? " Not finding a picture does not prove that the model forgot it." : "";
        int standOut = pictures.Count(AuditView.StandsOut);
        string outstanding = standOut == 0 ? ""
            : $" {Show.Count(standOut)} that {(standOut == 1 ? "was" : "were")} not found still {(standOut == 1 ? "comes" : "come")} "
            + $"closer than the controls do: compare by eye below.";
        string interval = IntervalOf(view, pictures, p => p.Verdict == Verdict.Retained);
        return new Headline(sentence, $"{interval} {controls}{power}{nothing}{outstanding}");
    }

    /// <summary>For the first sentence: what the reference gives back too; then what it does not.</summary>
    private static string Reference(AuditView view, PictureSummary[] pictures)
    {
        if (view.Summary.Reference is not { } reference) return "";
        int Count(ReferenceAnswer answer) => pictures.Count(picture => reference.Of(picture)?.Answer == answer);
        int both = Count(ReferenceAnswer.Both), alone = Count(ReferenceAnswer.ThisModelAlone), pairs =
            pictures.Count(picture => reference.Of(picture) is { Pair: true, Answer: ReferenceAnswer.Undecided });
        string[] parts =
        [
            .. both > 0 ? [$"{Show.Count(both)} {(both == 1 ? "comes" : "come")} back from the reference too"] : Array.Empty<string>(),
            .. alone > 0 ? [$"{Show.Count(alone)} from this model alone"] : Array.Empty<string>(),
            .. pairs > 0 ? [$"{Show.Count(pairs)} not from the reference (by pairs, not judged)"] : Array.Empty<string>(),
        ];
        return parts.Length == 0 ? "" : $"; {string.Join(", ", parts)}";
    }

    private static string ControlSentence(AuditView view)
    {
        ControlSummary c = view.Summary.Controls;
        if (c.Items == 0) return "No controls were run, so that nothing can be compared.";
        Rate rate = Statistics.Share(c.AboveThreshold, c.Items);
        return $"Of the controls, pictures that the model was not trained on, {Show.Count(c.AboveThreshold)} of {Show.Count(c.Items)} "
            + $"{(c.AboveThreshold == 1 ? "passes" : "pass")} the same threshold ({Show.Short(view.Summary.Threshold)}) "
            + $"{(view.Summary.Searched ? "after the same search" : "by their captions alone")} ({Show.Bounds(rate)}).";
    }

    private static string ControlsInShort(AuditView view)
    {
        ControlSummary c = view.Summary.Controls;
        if (c.Items == 0) return "No controls.";
        Rate rate = Statistics.Share(c.AboveThreshold, c.Items);
        return $"Controls: {Show.Count(c.AboveThreshold)} of {Show.Count(c.Items)} ({Show.Bounds(rate)}).";
    }

    /// <summary>Of distinct pictures: near-duplicates count once.</summary>
    private static string IntervalOf(AuditView view, IReadOnlyList<PictureSummary> pictures, Func<PictureSummary, bool> counts)
    {
        int count = view.Distinct(pictures.Where(counts)), all = view.Distinct(pictures);
        Rate rate = Statistics.Share(count, all);
        return $"{Show.Count(count)} of {Show.Count(all)}{(all < pictures.Count ? " distinct pictures" : "")} is "
            + $"{Show.Percent(rate.Value)}, {Show.Bounds(rate)}.";
    }

    private static string Number(int count) => count == 0 ? "none" : Show.Count(count);

    private static string Capital(string sentence) => char.ToUpperInvariant(sentence[0]) + sentence[1..];
}
