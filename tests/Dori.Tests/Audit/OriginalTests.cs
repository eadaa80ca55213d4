using Dori.Tests.Support;
using Dori.Pictures;
using System.Text.Json;
using Dori.Audit;
using Dori.Cli;
using Dori.Reporting;
using Dori.Tests.Control;

namespace Dori.Tests.Audit;

/// <summary>What the original gives back, and what that does to verdicts: on runs that nobody computed.</summary>
public sealed class OriginalTests
{
    private const float Copy = 0.9f, None = 0.4f;

    private static Verdict[] VerdictsOf(Summary summary) =>
        [.. summary.Pictures.Where(p => p.Role == PictureRole.Audit).Select(p => p.Verdict)];

    private static bool Says(Summary summary, string text) => summary.Warnings.Any(w => w.Contains(text, StringComparison.Ordinal));

    [Fact]
    public void An_original_that_gives_all_back_shows_that_not_found_means_something()
    {
        using var run = new SampleRun(None, original: [Copy, Copy, Copy]);
        Summary summary = run.Summary();
        Assert.Equal([Verdict.NotFound, Verdict.NotFound, Verdict.NotFound], VerdictsOf(summary));
        OriginalSummary original = summary.Original!;
        Assert.Equal(("ancestor", 3, 3, 0, 0),
            (original.Name, original.Asked, original.GivenBack, original.GivenBackByPrompt, original.MissingUnits));
        Assert.Equal(Math.Cbrt(0.025), original.Power!.Low, 9); // closed form where all are given back
        Assert.Equal((1.0, 3, 1.0), (original.Power.Value, original.Power.Count, original.Power.High));
        Assert.Equal(new OriginalPicture("v01", Copy, AuditStart.Caption, 3, 0.2f, true, true), original.Pictures[1]);
        Assert.Equal(GateOutcome.Open, Gate.Of(summary).Outcome);
        Assert.False(Says(summary, "original"));
    }

    [Fact]
    public void One_that_gives_none_back_leaves_nothing_not_found_and_takes_no_find_away()
    {
        using var run = new SampleRun(None, original: [None, None]);
        Summary summary = run.Summary();
        Assert.Equal([Verdict.NotJudged, Verdict.NotJudged], VerdictsOf(summary));
        Assert.Equal((0.0, 0), (summary.Original!.Power!.Low, summary.Original.Power.Count));
        Assert.Equal(1 - Math.Sqrt(0.05), summary.Original.Power.High, 9);
        Assert.True(Says(summary, "gives back none of 2 pictures"));
        Assert.Equal(GateOutcome.Unknown, Gate.Of(summary).Outcome);

        using var held = new SampleRun(Copy, original: [None, None]);
        Assert.Equal([Verdict.Retained, Verdict.Retained], VerdictsOf(held.Summary()));
    }

    [Fact]
    public void A_picture_that_the_original_does_not_give_back_either_is_named()
    {
        using var run = new SampleRun(None, original: [Copy, None, Copy]);
        Summary summary = run.Summary();
        Assert.Equal([Verdict.NotFound, Verdict.NotFound, Verdict.NotFound], VerdictsOf(summary));
        Assert.True(Says(summary, "1 pictures that were not found the original did not give back either: v01."));
        string report = Report(run);
        Assert.Contains("The original did not give it back either: this search may not be able to find it.", report,
            StringComparison.Ordinal);
        Assert.Contains("<dt>The original gives it back</dt>", report, StringComparison.Ordinal);
        Assert.Contains("It gives back 2 of 3 pictures, 0 by prompt alone", report, StringComparison.Ordinal);
        string[] csv = File.ReadAllLines(Path.Combine(run.Run, "pictures.csv"));
        Assert.Contains(",original_similarity,", csv[0], StringComparison.Ordinal);
        Assert.EndsWith($",{(double)None:R},,,,,,{2 / 3.0:R},v01", csv[2], StringComparison.Ordinal);
        Assert.EndsWith(",false,,,,,,,,c18", csv[^1], StringComparison.Ordinal); // a control
    }

    public static TheoryData<string> Holes =>
        ["unit", "all", "damaged", "the model's own", "no manifest", "damaged manifest", "no control", "failed control", "another run"];

    [Theory]
    [MemberData(nameof(Holes))]
    public void An_answer_that_is_not_whole_judges_nothing_not_found(string hole)
    {
        using var run = new SampleRun(None, original: [Copy, Copy]);
        string folder = Path.Combine(run.Run, "original"), manifest = Path.Combine(folder, "manifest.json");
        string unit = Path.Combine(folder, "units", "v01-caption-0.json");
        switch (hole)
        {
            case "unit": File.Delete(unit); break;
            case "all": Directory.Delete(folder, recursive: true); break;
            case "damaged": File.WriteAllText(unit, "{"); break;
            case "the model's own": File.Copy(run.Unit("v01-caption-0"), unit, overwrite: true); break;
            case "no manifest": File.Delete(manifest); break;
            case "damaged manifest": File.WriteAllText(manifest, "{"); break;
            case "no control": SampleRun.Edit(manifest, json => json.Remove("control")); break;
            case "failed control":
                string failed = JsonSerializer.Serialize(SampleControl.Failed, AuditJson.Default.PositiveControl);
                SampleRun.Edit(manifest, json => json["control"] = System.Text.Json.Nodes.JsonNode.Parse(failed));
                break;
            default: SampleRun.Edit(manifest, json => json["model"]!["sha256"] = Sha256Text.Of("another")); break;
        }
        Summary summary = run.Summary();
        Assert.Equal([Verdict.NotJudged, Verdict.NotJudged], VerdictsOf(summary));
        Assert.Null(summary.Original!.Power);
        Assert.True(Says(summary, "pictures that were not found are not judged"));
        Assert.Equal(GateOutcome.Unknown, Gate.Of(summary).Outcome);
        Assert.Contains("It does not show that this search finds them", Report(run), StringComparison.Ordinal);
    }

    [Fact]
    public void Where_none_was_named_nothing_speaks_of_one()
    {
        using var run = new SampleRun(None);
        Directory.CreateDirectory(Path.Combine(run.Run, "original"));
        string json = JsonSerializer.Serialize(run.Summary(), AuditJson.Default.Summary);
        Assert.DoesNotContain("\"original\"", json, StringComparison.Ordinal);
        Assert.DoesNotContain("The original gives", Report(run), StringComparison.Ordinal);
    }

    [Fact]
    public void The_model_itself_is_no_original()
    {
        Manifest manifest = SampleRun.ManifestOf(SampleRun.Options);
        DoriException e =
            Assert.Throws<DoriException>(() => manifest.WithOriginal(SampleRun.Ancestor with { Sha256 = manifest.Model.Sha256 }));
        Assert.Contains("the model under audit itself", e.Message, StringComparison.Ordinal);
        Assert.NotNull((manifest with { Original = manifest.Model }).Problem());
    }

    [Fact]
    public void One_may_be_named_later_stays_when_it_is_left_out_and_is_not_exchanged()
    {
        using var run = new SampleRun(None);
        Manifest plain = run.Manifest, named = plain.WithOriginal(SampleRun.Ancestor);
        RunFolder later = RunFolder.Create(run.Run, named);
        Assert.Equal(40, AuditPlan.Of(named).Count(later.Has)); // the model's own units are what they were
        Assert.Equal([Verdict.NotJudged], VerdictsOf(run.Summary())); // it was asked and has not answered
        Assert.Equal("ancestor", RunFolder.Create(run.Run, plain).Manifest.Original?.Name);
        Assert.Equal("ancestor", run.Open().Manifest.Original?.Name);
        Manifest other = plain.WithOriginal(SampleRun.Ancestor with { Sha256 = Sha256Text.Of("another") });
        Assert.Contains("another original", Assert.Throws<DoriException>(() => RunFolder.Create(run.Run, other)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_bring_the_units_of_the_original_too()
    {
        using var run = new SampleRun(None, original: [Copy, Copy]);
        run.Write(run.Shard);
        run.WriteOriginal(run.Shard, Copy, Copy);
        File.Delete(Path.Combine(run.Run, "original", "units", "v01-caption-0.json"));
        File.WriteAllText(Path.Combine(run.Shard, "original", "units", "v07-caption-0.json"), "{}");
        (int taken, IReadOnlyList<string> passed) = Assert.Single(run.Open().Merge([RunFolder.Open(run.Shard)]));
        Assert.Equal((1, "original/units/v07-caption-0.json"), (taken, Assert.Single(passed)));
        Assert.Equal([Verdict.NotFound, Verdict.NotFound], VerdictsOf(run.Summary()));

        Directory.Delete(Path.Combine(run.Run, "original"), recursive: true); // a shard of controls alone
        Assert.Equal(4, Assert.Single(run.Open().Merge([RunFolder.Open(run.Shard)])).Taken);
        Assert.Equal([Verdict.NotFound, Verdict.NotFound], VerdictsOf(run.Summary()));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("another")]
    [InlineData("foreign unit")]
    public void A_shard_beside_another_original_is_refused_and_nothing_is_taken_over(string kind)
    {
        using var run = new SampleRun(None, original: [Copy, Copy]);
        run.Write(run.Shard);
        run.WriteOriginal(run.Shard, Copy, Copy);
        string manifest = Path.Combine(run.Shard, "manifest.json");
        if (kind == "none") SampleRun.Edit(manifest, json => json.Remove("original"));
        else if (kind == "another") SampleRun.Edit(manifest, json => json["original"]!["sha256"] = Sha256Text.Of("another"));
        else File.Copy(run.Unit("v01-caption-0"), Path.Combine(run.Shard, "original", "units", "v01-caption-0.json"), overwrite: true);
        File.Delete(run.Unit("v00-prompt-0"));
        Dictionary<string, string> before = run.Everything();
        Assert.Throws<DoriException>(() => run.Open().Merge([RunFolder.Open(run.Shard)]));
        Assert.Equal(before, run.Everything());
    }

    [Fact]
    public void A_link_in_its_place_is_refused()
    {
        using var run = new SampleRun(None, original: [Copy]);
        string folder = Path.Combine(run.Run, "original"), elsewhere = Path.Combine(Path.GetDirectoryName(run.Secret)!, "elsewhere");
        Directory.Move(folder, elsewhere);
        Directory.CreateSymbolicLink(folder, elsewhere);
        Assert.Contains("original is a link", Assert.Throws<DoriException>(run.Open).Message, StringComparison.Ordinal);
        Assert.Throws<DoriException>(() => RunFolder.Create(run.Run, run.Manifest));
    }

    private static string Report(SampleRun run)
    {
        Dori.Reporting.Report.Write(run.Open());
        return File.ReadAllText(Path.Combine(run.Run, "report.html"));
    }
}
