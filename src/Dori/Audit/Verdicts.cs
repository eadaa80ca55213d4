using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Audit;

/// <summary>From units to verdicts and rates. A pure function of the manifest and the records: the same units give the same
/// summary.</summary>
internal static class Verdicts
{
    /// <summary>With fewer controls no p-value reaches <see cref="Level"/>: 1 / (1 + 19) = 0.05.</summary>
    public const int ControlsNeeded = 19;
    /// <summary>Largest p-value with which a similarity above the threshold counts as memory.</summary>
    public const double Level = 0.05;

    /// <param name="units">Those of the plan that exist, checked against it; others are ignored.</param>
    /// <param name="wrong">What is said of records that are not this run's; they count as missing.</param>
    /// <param name="original">What is there of the original that the manifest names; null: nothing.</param>
    /// <param name="reference">The same of the reference.</param>
    public static Summary Summarize(Manifest manifest, IReadOnlyList<UnitRecord> units, IReadOnlyList<string>? wrong = null,
        BesideUnits? original = null, ReferenceUnits? reference = null)
    {
        AuditOptions options = manifest.Options;
        ItemRecords[] cases = ItemRecords.Of(manifest, units);
        ItemRecords[] controls = [.. cases.Where(c => c.Counts && c.Complete)];
        OriginalSummary? held = OriginalSummary.Of(manifest, original);
        ReferenceSummary? contrast = ReferenceSummary.Of(manifest, cases, reference);
        int planned = cases.Length * options.Starts.Count, present = cases.Sum(c => c.ByStart.Count),
            spared = cases.Where(c => c.Decided).Sum(c => options.Starts.Count - c.ByStart.Count), missing = planned - present - spared;
        double[] scores = controls.Largest(c => c.Best(_ => true).Similarity); // near-duplicates are one control
        var summary = new ControlSummary
        {
            Items = scores.Length,
            AboveThreshold = scores.Count(score => score > options.Threshold),
            Needed = ControlsNeeded,
            Enough = scores.Length >= ControlsNeeded,
            SmallestPValue = 1.0 / (1 + scores.Length),
            FalseDiscoveryRate = options.FalseDiscoveryRate,
        };
        List<PictureSummary> pictures = Judge(cases, controls, scores, summary, manifest, held);
        return new Summary
        {
            Model = new SummaryModel(manifest.Model.Name, manifest.Model.Sha256),
            CopyDetector = manifest.CopyDetector.Name,
            Threshold = options.Threshold,
            Steps = options.Steps,
            Generations = options.Generations,
            Starts = options.Starts,
            Mirror = options.Mirror,
            Bound = manifest.Bound,
            Units = planned,
            MissingUnits = missing,
            StopAtVerdict = options.StopAtVerdict,
            SparedUnits = spared,
            Controls = summary,
            Control = manifest.Control,
            Original = held,
            Reference = contrast,
            NearDuplicates = manifest.NearDuplicates is { Count: > 0 } groups ? groups : null,
            Groups = Groups(cases, options, atEnd: true),
            Curve = options.StopAtVerdict ? [] : Groups(cases, options, atEnd: false), // a curve of those that go on would mislead
            Pictures = pictures,
            Warnings =
            [
                .. Warnings(manifest, cases, summary, missing), .. held?.Warnings(pictures, original?.Notes ?? []) ?? [],
                .. contrast?.Warnings(reference?.Units.Notes ?? []) ?? [],
                .. Wrong([.. wrong ?? [], .. original?.Wrong ?? [], .. reference?.Units.Wrong ?? []]), .. manifest.Notes,
            ],
        };
    }

    private static List<PictureSummary> Judge(ItemRecords[] cases, ItemRecords[] controls, double[] scores, ControlSummary summary,
        Manifest manifest, OriginalSummary? original)
    {
        AuditOptions options = manifest.Options;
        bool able = summary.Enough && Able(manifest);
        HashSet<string> unseen = [.. manifest.Control?.Unseen.Select(item => item.Item) ?? []];
        double[] promptScores = controls.Largest(c => c.Best(s => s == AuditStart.Prompt).Similarity);
        ItemRecords[] audited = [.. cases.Where(c => !c.IsControl)]; // also those of which nothing is there: they were asked for
        double[] pValues = [.. audited.Select(c => Statistics.ConformalPValue(c.Best(_ => true).Similarity, scores))];
        IReadOnlyList<bool> discoveries = able && pValues.Length > 0
            ? Statistics.BenjaminiHochberg(pValues, options.FalseDiscoveryRate).Rejected
            : new bool[pValues.Length];
        var pictures = new List<PictureSummary>();
        for (int i = 0; i < audited.Length; i++)
        {
            Verdict verdict = able ? Of(audited[i], pValues[i], promptScores, options.Threshold) : Verdict.NotJudged;
            // A generation that is a copy is evidence whatever the eye says of the picture; that none is, is not.
            // Nor is it where the model that holds the pictures gives none back to the same search.
            if (verdict == Verdict.NotFound && (unseen.Contains(audited[i].Item.Id) || original is { Shows: false }))
                verdict = Verdict.NotJudged;
            pictures.Add(
                Picture(audited[i], verdict, able ? pValues[i] : 1, discoveries[i] && verdict == Verdict.Retained, options.Threshold));
        }
        pictures.AddRange(cases.Where(c => c.IsControl).Select(c => Picture(c, Verdict.NotJudged, 1, false, options.Threshold)));
        return pictures;
    }

    private static Verdict Of(ItemRecords item, double pValue, double[] promptScores, double threshold)
    {
        if (Retained(item.Best(_ => true).Similarity, pValue, item.Best(s => s == AuditStart.Prompt).Similarity, promptScores, threshold))
            return Verdict.Retained;
        if (!item.Complete) return Verdict.NotJudged; // a start that was not tried might have found it
        return item.Best(_ => true).Similarity > threshold ? Verdict.Undecided : Verdict.NotFound;
    }

    /// <param name="pValue">Of the best similarity, among the controls'.</param>
    /// <param name="promptScores">The controls' by prompt.</param>
    internal static bool Retained(double best, double pValue, double prompt, IReadOnlyCollection<double> promptScores, double threshold) =>
        (best > threshold && pValue <= Level)
        // What the caption alone brings back is no product of the search, however strong the search is on controls.
        || (prompt > threshold && Statistics.ConformalPValue(prompt, promptScores) <= Level);

    private static PictureSummary Picture(ItemRecords item, Verdict verdict, double pValue, bool discovery, double threshold)
    {
        (double similarity, AuditStart? start, int step) = item.Best(_ => true);
        return new PictureSummary
        {
            File = item.Item.Files[0],
            Item = item.Item.Id,
            Caption = item.Item.Caption,
            Repeats = item.Item.Repeats,
            OtherCaptions = item.Item.OtherCaptions,
            Kind = item.Item.Kind,
            Role = item.Item.Role,
            Verdict = verdict,
            Similarity = similarity,
            Mirrored = start is { } from && item.ByStart.TryGetValue(from, out UnitRecord? unit)
                && unit.Snapshots.Any(s => s.Step == step && s.BestIsMirrored),
            Start = start,
            Step = step,
            PValue = pValue,
            Discovery = discovery,
            PromptSimilarity = item.Best(s => s == AuditStart.Prompt).Similarity,
            SearchSimilarity = item.Best(s => s != AuditStart.Prompt).Similarity,
            StepsToFirstCopy = item.FirstCopy(threshold),
        };
    }

    /// <summary>Groups in the order verbatim, template, audit, all, control; starts in the options' order; steps ascending.</summary>
    private static List<GroupSummary> Groups(ItemRecords[] cases, AuditOptions options, bool atEnd)
    {
        var result = new List<GroupSummary>();
        foreach (string group in (IEnumerable<string>)[.. ItemGroup.Audited, ItemGroup.All, ItemGroup.Control])
        {
            ItemRecords[] members = [.. cases.Where(c => c.Any && (group == ItemGroup.All ? !c.IsControl : c.Group == group))];
            if (members.Length == 0 || (group == ItemGroup.All && members.Select(c => c.Group).Distinct().Count() == 1)) continue;
            foreach (AuditStart start in options.Starts)
            {
                IEnumerable<int> steps = atEnd ? [start == AuditStart.Prompt ? 0 : options.Steps] : start == AuditStart.Prompt ? [0]
                    : options.SnapshotSteps;
                foreach (int step in steps)
                {
                    int take = atEnd ? options.Generations : options.CurveGenerations;
                    (string Distinct, Snapshot At)[] snapshots = [.. members
                        .Select(c => (c.Distinct, At: At(c, start, step) ?? Stopped(c, start, options)!)).Where(s => s.At is not null)
                        .Where(s => s.At.Similarities.Count >= take || options.StopAtVerdict)];
                    int spared = members.Count(c => c.Decided && !c.ByStart.ContainsKey(start));
                    bool lower = spared > 0 || members.Any(c => Stopped(c, start, options) is not null);
                    if (snapshots.Length > 0)
                        result.Add(Group(group, start, step, take, snapshots, options.Threshold, spared) with { LowerBound = lower });
                }
            }
        }
        return result;
    }

    /// <summary>A search from the caption after 0 steps is the prompt, which has a unit of its own.</summary>
    private static Snapshot? At(ItemRecords item, AuditStart start, int step) =>
        item.ByStart.GetValueOrDefault(start)?.Snapshots.FirstOrDefault(s => s.Step == step)
        ?? (start == AuditStart.Caption && step == 0 ? item.ByStart.GetValueOrDefault(AuditStart.Prompt)?.Snapshots[0] : null);

    /// <summary>What a search that stopped saw last.</summary>
    private static Snapshot? Stopped(ItemRecords item, AuditStart start, AuditOptions options) =>
        item.ByStart.GetValueOrDefault(start) is { } unit && unit.StoppedAfter(options) is not null ? unit.Snapshots[^1] : null;

    /// <param name="spared">Items that were not tried from this start: they count as no copies.</param>
    private static GroupSummary Group(string group, AuditStart start, int step, int take, (string Distinct, Snapshot At)[] snapshots,
        double threshold, int spared)
    {
        double[] best = [.. snapshots.Select(s => (double)s.At.Similarities.Take(take).Max())];
        double[] median = [.. snapshots.Select(s => Statistics.Median(s.At.Similarities.Take(take).Select(x => (double)x)))];
        double[] distinct = [.. snapshots.Zip(best).GroupBy(s => s.First.Distinct).Select(same => same.Max(s => s.Second))];
        return new GroupSummary
        {
            Group = group,
            Start = start,
            Images = snapshots.Length + spared,
            Generations = take,
            Steps = step,
            Similarity = Statistics.Spread(best),
            MedianSimilarity = Statistics.Spread(median),
            Distinct = distinct.Length < best.Length ? distinct.Length + spared : null,
            MemorizationRate = Statistics.Share(distinct.Count(x => x > threshold), distinct.Length + spared),
            Diversity = Statistics.Median(snapshots.Select(s => (double)s.At.Diversity)),
        };
    }

    /// <summary>Records that are not this run's, the first of them by name.</summary>
    private static IEnumerable<string> Wrong(IReadOnlyList<string> wrong)
    {
        const int named = 10;
        foreach (string record in wrong.Take(named))
            yield return $"{record}. It counts as missing; the command that made the run computes it again.";
        if (wrong.Count > named) yield return $"{wrong.Count - named} more records are not this run's units and count as missing.";
    }

    private static List<string> Warnings(Manifest manifest, ItemRecords[] cases, ControlSummary controls, int missing)
    {
        AuditOptions options = manifest.Options;
        var warnings = new List<string>();
        if (!manifest.Bound)
            warnings.Add(
                "The units are unbound: an older version wrote them without saying what they were computed from, so that nobody can check "
                + "that they are this run's. Audit again before you rely on them; `--gate` stays shut.");
        if (missing > 0)
            warnings.Add(
                $"The run is not finished: {missing} of {cases.Length * options.Starts.Count} units are missing; pictures whose units are "
                + $"missing are not judged unless they are retained already.");
        warnings.AddRange(ControlWarnings(manifest));
        warnings.AddRange(DuplicateWarnings(manifest, cases));
        if (!controls.Enough)
            warnings.Add(
                $"Nothing is judged: {controls.Items} controls have been searched and {ControlsNeeded} are needed, since without them a "
                + $"find cannot be told from the search's own strength.");
        if (controls.AboveThreshold > 0)
            warnings.Add(
                $"{controls.AboveThreshold} of {controls.Items} controls, which the model has never seen, "
                + $"{(controls.AboveThreshold == 1 ? "passes" : "pass")} the threshold of {options.Threshold} too"
                + (options.Starts is [AuditStart.Prompt] ? ", by caption alone. A picture no more similar is called undecided."
                    : $": after {options.Steps} steps the search is at its edge. A picture no more similar than they are is called "
                        + "undecided; `dori calibrate` finds a budget that keeps controls clean."));
        if (cases.Any(c => !c.IsControl && c.Item.Files.Count > 1) && cases.Where(c => c.IsControl).All(c => c.Item.Files.Count == 1))
            warnings.Add(
                "Items with several references take the largest similarity to any of them, controls have one each: compare their figures "
                + "with that in mind.");
        if (manifest.Pictures.Missing.Count > 0)
            warnings.Add(
                $"{manifest.Pictures.Missing.Count} entries of the caption list have no picture and were not audited: the figures are of "
                + $"the {cases.Count(c => !c.IsControl)} that have one.");
        if (cases.Any(c => c.Decided && (c.ByStart.Count < options.Starts.Count
            || c.ByStart.Values.Any(unit => unit.StoppedAfter(options) is not null))))
            warnings.Add(
                "Pictures were searched no further once their verdict was certain: their similarities and the rates by start are lower "
                + "bounds; verdicts and p-values are those of the whole search.");
        if (!options.Starts.Any(s => s != AuditStart.Prompt))
            warnings.Add("No search was run: a model that is silent by prompt may still hold the picture.");
        return warnings;
    }

    private static IEnumerable<string> DuplicateWarnings(Manifest manifest, ItemRecords[] cases)
    {
        if (manifest.NearDuplicates is { Count: > 0 } groups)
            yield return $"{groups.Sum(group => group.Count)} pictures are near-duplicates of others by the copy detector and count once "
                + $"in every rate and interval: {string.Join("; ", groups.Take(5).Select(group => string.Join(", ", group)))}"
                + $"{(groups.Count > 5 ? "; ..." : "")}.";
        string[] alike = [.. cases.Where(c => c.IsControl && c.LikeAudited).Select(c => c.Item.Id)];
        if (alike.Length > 0)
            yield return $"{alike.Length} controls are near-duplicates of audited pictures, so that the model may have seen them, and "
                + $"count as none: {string.Join(", ", alike.Take(10))}{(alike.Length > 10 ? ", ..." : "")}.";
    }

    /// <summary>
    /// Whether the run may judge: its positive control passed. Older versions took none, and what they judged stays as it was.
    /// </summary>
    private static bool Able(Manifest manifest) => manifest.Control?.Holds ?? !manifest.Bound;

    private static IEnumerable<string> ControlWarnings(Manifest manifest)
    {
        if (manifest.Control is not { } control)
            yield return manifest.Bound
                ? "Nothing is judged: no positive control is recorded, so that it is not known whether this model can draw at all; give "
                    + "the command that made the run again, which takes it."
                : "No positive control is recorded with this run of an older version: where nothing was found, it is not known whether the "
                    + "model could draw at all.";
        else if (!control.Holds)
            yield return $"Nothing is judged: the positive control {control.InOneLine}. A model that cannot draw gives no picture back, "
                + $"whatever it holds; {control.Advice}.";
        else if (control.Unseen.Count > 0)
            yield return $"{control.Unseen.Count} pictures do not come back from the VAE as copies of themselves and are not judged unless "
                + $"retained, since no generation could be told for a copy: {string.Join(", ", control.Unseen.Select(item => item.Item))}.";
    }
}
