using Dori.Tests.Support;
using Dori.Pictures;
using Dori.Audit;
using Dori.Tests.Control;

namespace Dori.Tests.Audit;

/// <summary>The judgement on hand-made records: what must never be called clean, and what must never be called retained.</summary>
public class VerdictsTests
{
    private const double T = 0.7;

    [Fact]
    public void A_picture_above_the_threshold_and_above_all_controls_is_retained()
    {
        Summary summary = Judge(controls: 20, control: 0.5, prompt: 0.2, search: 0.9);
        PictureSummary picture = Audited(summary);
        Assert.Equal(Verdict.Retained, picture.Verdict);
        Assert.Equal(1.0 / 21, picture.PValue, 12);
        Assert.Equal(AuditStart.Caption, picture.Start);
        Assert.Equal(0.9, picture.Similarity, 6);
        Assert.Equal(0.2, picture.PromptSimilarity, 6);
        Assert.Equal(50, picture.StepsToFirstCopy);
        Assert.True(picture.Discovery);
    }

    [Fact]
    public void Below_the_threshold_it_is_not_found_however_dissimilar_the_controls()
    {
        Assert.Equal(Verdict.NotFound, Audited(Judge(20, 0.1, 0.2, T)).Verdict); // "exceeds" is strict
        Assert.Equal(Verdict.Retained, Audited(Judge(20, 0.1, 0.2, 0.7001f)).Verdict);
    }

    [Fact]
    public void Where_controls_reach_as_high_a_find_is_undecided_not_retained_and_not_clean()
    {
        Summary summary = Judge(20, 0.8, 0.2, 0.8);
        Assert.Equal(Verdict.Undecided, Audited(summary).Verdict);
        Assert.Equal(20, summary.Controls.AboveThreshold);
        Assert.Contains(summary.Warnings, w => w.Contains("20 of 20 controls", StringComparison.Ordinal));
    }

    [Fact]
    public void A_copy_on_the_way_counts_though_the_search_loses_it_again()
    {
        (Manifest manifest, List<UnitRecord> units) = Case(20, 0.3, 0.2, 0.5);
        int at = units.FindIndex(u => u.Id == "v00-caption-0");
        units[at] = units[at] with { Snapshots = [units[at].Snapshots[0] with { Similarities = [0.1f, 0.75f] }, units[at].Snapshots[1]] };
        PictureSummary picture = Audited(Verdicts.Summarize(manifest, units));
        Assert.Equal((Verdict.Retained, 10, 10), (picture.Verdict, picture.Step, picture.StepsToFirstCopy));
    }

    [Fact]
    public void What_the_prompt_alone_brings_back_is_retained_though_the_search_is_strong_on_controls() =>
        Assert.Equal(Verdict.Retained, Audited(Judge(20, control: 0.9, prompt: 0.8, search: 0.85, controlPrompt: 0.3)).Verdict);

    [Fact]
    public void Where_the_positive_control_failed_or_is_not_recorded_nothing_is_judged_not_even_a_copy()
    {
        (Manifest manifest, List<UnitRecord> units) = Case(20, 0.3, 0.9, 0.9);
        foreach (PositiveControl? control in new[] { SampleControl.Failed, SampleControl.Failed with { Passed = true }, null })
        {
            Summary summary = Verdicts.Summarize(manifest with { Control = control }, units);
            Assert.Equal((Verdict.NotJudged, 1.0, false), (Audited(summary).Verdict, Audited(summary).PValue, Audited(summary).Discovery));
            Assert.Contains(summary.Warnings, w => w.Contains("positive control", StringComparison.Ordinal));
        }
        Summary old = Verdicts.Summarize(manifest with { Control = null, Schema = Manifest.Unbound }, units);
        Assert.Equal(Verdict.Retained, Audited(old).Verdict); // a run of an older version, which took none, and says so
        Assert.Contains(old.Warnings, w => w.Contains("No positive control is recorded", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0.5f, Verdict.NotJudged)]
    [InlineData(0.9f, Verdict.Retained)]
    public void A_picture_that_the_eye_does_not_see_is_judged_only_where_it_is_found(float search, Verdict verdict)
    {
        (Manifest manifest, List<UnitRecord> units) = Case(20, 0.3, 0.2, search);
        Summary summary = Verdicts.Summarize(manifest with { Control = SampleControl.Of(0.98, new UnseenItem("v00", 0.6)) }, units);
        Assert.Equal(verdict, Audited(summary).Verdict);
        Assert.Contains(summary.Warnings, w => w.Contains("v00", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(18, Verdict.NotJudged)]
    [InlineData(19, Verdict.Retained)]
    public void Fewer_than_19_controls_judge_nothing(int controls, Verdict verdict)
    {
        Summary summary = Judge(controls, 0.3, 0.9, 0.9);
        Assert.Equal(verdict, Audited(summary).Verdict);
        Assert.Equal(controls >= 19, summary.Controls.Enough);
        Assert.Equal(1.0 / (1 + controls), summary.Controls.SmallestPValue, 12);
    }

    [Fact]
    public void A_picture_with_a_start_not_tried_yet_is_not_called_clean()
    {
        Assert.Equal(Verdict.NotJudged, Audited(Judge(20, 0.3, prompt: 0.2, search: null)).Verdict);
        Assert.Equal(Verdict.Retained, Audited(Judge(20, 0.3, prompt: 0.9, search: null)).Verdict);
    }

    [Fact]
    public void An_unfinished_control_does_not_count()
    {
        (Manifest manifest, List<UnitRecord> units) = Case(20, 0.3, 0.2, 0.9);
        units.RemoveAll(u => u.Id == "c03-caption-0");
        Summary summary = Verdicts.Summarize(manifest, units);
        Assert.Equal(19, summary.Controls.Items);
        Assert.Equal(1, summary.MissingUnits);
        Assert.Equal(42, summary.Units);
        Assert.Contains(summary.Warnings, w => w.Contains("1 of 42 units", StringComparison.Ordinal));
    }

    [Fact]
    public void Rates_have_counts_and_intervals_per_group_and_start()
    {
        Summary summary = Judge(20, 0.5, 0.2, 0.9);
        GroupSummary verbatim = summary.Groups.Single(g => g is { Group: "verbatim", Start: AuditStart.Caption });
        Assert.Equal((1, 1, 1.0), (verbatim.Images, verbatim.MemorizationRate.Count, verbatim.MemorizationRate.Value));
        GroupSummary control = summary.Groups.Single(g => g is { Group: "control", Start: AuditStart.Caption });
        Assert.Equal((20, 0, 50), (control.Images, control.MemorizationRate.Count, control.Steps));
        Assert.Equal(1 - Math.Pow(0.05, 1 / 20.0), control.MemorizationRate.High, 9); // exact and one-sided, 0 of 20
        Assert.Equal(0, summary.Groups.Single(g => g is { Group: "verbatim", Start: AuditStart.Prompt }).MemorizationRate.Count);
    }

    [Fact]
    public void The_curve_compares_the_same_number_of_generations_at_every_step_and_begins_with_the_prompt()
    {
        Summary summary = Judge(20, 0.5, 0.2, 0.9);
        GroupSummary[] curve = [.. summary.Curve.Where(g => g is { Group: "verbatim", Start: AuditStart.Caption })];
        Assert.Equal([0, 10, 50], curve.Select(g => g.Steps));
        Assert.All(curve, g => Assert.Equal(2, g.Generations));
        Assert.Equal(0.2, curve[0].Similarity.Median, 6); // from the prompt's own unit
        Assert.Equal(0.8, curve[2].Similarity.Median, 6); // the best of the first two of three
    }

    [Fact]
    public void The_order_of_the_records_does_not_matter()
    {
        (Manifest manifest, List<UnitRecord> units) = Case(20, 0.5, 0.2, 0.9);
        string once = System.Text.Json.JsonSerializer.Serialize(Verdicts.Summarize(manifest, units), AuditJson.Default.Summary);
        units.Reverse();
        Assert.Equal(once, System.Text.Json.JsonSerializer.Serialize(Verdicts.Summarize(manifest, units), AuditJson.Default.Summary));
    }

    private static PictureSummary Audited(Summary summary) => summary.Pictures.Single(p => p.Role == PictureRole.Audit);

    private static Summary Judge(int controls, double control, double prompt, double? search, double? controlPrompt = null)
    {
        (Manifest manifest, List<UnitRecord> units) = Case(controls, control, prompt, search, controlPrompt);
        return Verdicts.Summarize(manifest, units);
    }

    private static (Manifest, List<UnitRecord>) Case(int controls, double control, double prompt, double? search,
        double? controlPrompt = null)
    {
        var items =
            new List<ManifestItem> { new("v00", "/pictures", ["v00.png"], ["0"], "a caption", PictureKind.Verbatim, PictureRole.Audit) };
        items.AddRange(Enumerable.Range(0, controls)
            .Select(i =>
                new ManifestItem($"c{i:00}", "/pictures", [$"c{i:00}.png"], [$"{i}"], $"control {i}", PictureKind.None,
                PictureRole.Control)));
        var units = new List<UnitRecord> { Unit(items[0], "prompt", prompt) };
        if (search is { } found) units.Add(Unit(items[0], "caption", found));
        foreach (ManifestItem item in items.Skip(1))
        {
            units.Add(Unit(item, "prompt", controlPrompt ?? control / 2));
            units.Add(Unit(item, "caption", control));
        }
        return (ManifestOf(items), units);
    }

    /// <summary>The best of three generations is the last one, as similar as asked for.</summary>
    private static UnitRecord Unit(ManifestItem item, string start, double best)
    {
        float b = (float)best;
        Snapshot At(int step, params float[] similarities) => new() { Step = step, Similarities = similarities, Diversity = 0.5f };
        return new UnitRecord
        {
            Id = $"{item.Id}-{start}-0", Item = item.Id, Files = item.Files, Caption = item.Caption, Kind = item.Kind, Role = item.Role,
                Start = start.Start(), Seed = 0, Losses = [],
            Snapshots = start == "prompt" ? [At(0, b, b - 0.2f, b)] : [At(10, 0.1f, 0.2f), At(50, b - 0.1f, b - 0.2f, b)],
        };
    }

    internal static Manifest ManifestOf(IReadOnlyList<ManifestItem> items) => new()
    {
        Version = "0", Command = "dori audit", Model = new ManifestModel("/model", "model", "m", new Dictionary<string, string>()),
        Pictures = new ManifestPictures("/pictures", "p", items, []), CopyDetector = new ManifestDetector("detector", "d", T),
        Options =
            new AuditOptions { Starts = [AuditStart.Prompt, AuditStart.Caption], CurveSteps = [0, 10], CurveGenerations = 2,
                Generations = 3, Threshold = T },
        Machine = new ManifestMachine("cpu", "float32", 1, "", "", ""),
        Control = SampleControl.Passed,
    };
}
