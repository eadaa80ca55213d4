using System.Text.Json;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Cli;
using Dori.Pictures;
using Dori.Reporting;
using Dori.Tests.Control;
using Spectre.Console.Testing;

namespace Dori.Tests.Audit;

/// <summary>What a reference says of finds: on runs that nobody computed.</summary>
public sealed class ReferenceTests
{
    private const float Copy = 0.9f, None = 0.4f;

    private static ReferencePicture[] Answers(Summary summary) =>
        [.. summary.Reference!.Pictures.Where(p => p.Item.StartsWith('v'))];

    private static string Report(SampleRun run)
    {
        Dori.Reporting.Report.Write(run.Open());
        return File.ReadAllText(Path.Combine(run.Run, "report.html"));
    }

    [Fact]
    public void A_find_is_this_models_alone_both_models_or_undecided()
    {
        // The second control differs by 0.31 between the models: a find that differs less is not said to be this model's.
        using var run = new SampleRun([Copy, Copy, 0.75f, None], [None, Copy, 0.5f, Copy], id => id == "c01" ? -0.01f : 0.3f);
        Summary summary = run.Summary();
        ReferenceSummary reference = summary.Reference!;
        Assert.Equal([ReferenceAnswer.ThisModelAlone, ReferenceAnswer.Both, ReferenceAnswer.Undecided, ReferenceAnswer.None],
            Answers(summary).Select(p => p.Answer));
        Assert.Equal([1 / 20.0, 1.0, 2 / 20.0, 1.0], Answers(summary).Select(p => p.PValue!.Value), (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal(0.5, Answers(summary)[0].Difference!.Value, 6);
        Assert.Equal([true, false, true, false], Answers(summary).Select(p => p.Pair));
        Assert.Equal((3, 1, 1, 1, 2, 19), (reference.GivenBack, reference.ThisModelAlone, reference.Both, reference.Undecided,
            reference.Pairs, reference.Controls));
        Assert.Equal((2, 1, 1), (reference.ThisModelFirst, reference.ReferenceFirst, reference.Ties));
        Assert.Equal(0.5, reference.SignPValue, 12); // 2 or more heads of 3
        Assert.All(reference.Pictures.Where(p => p.Item.StartsWith('c')), p => Assert.Null(p.PValue));
        // The verdicts are what they were.
        Assert.Equal([Verdict.Retained, Verdict.Retained, Verdict.Retained, Verdict.NotFound],
            summary.Pictures.Where(p => p.Role == PictureRole.Audit).Select(p => p.Verdict));
        Assert.Contains("3 of 4 verbatim pictures are retained; 1 comes back from the reference too, 1 from this model alone", Report(run),
            StringComparison.Ordinal);
        string[] csv = File.ReadAllLines(Path.Combine(run.Run, "pictures.csv"));
        Assert.Contains(",reference,reference_similarity,reference_difference,reference_p_value,reference_gain_bits,", csv[0],
            StringComparison.Ordinal);
        Assert.Contains(",this model alone,", csv[1], StringComparison.Ordinal);
        Assert.Contains(",both,", csv[2], StringComparison.Ordinal);
    }

    [Fact]
    public void Without_19_controls_there_is_the_pair_and_no_p_value_and_both_keeps_the_gate_shut()
    {
        using var run = new SampleRun([Copy, Copy], [None, Copy], controls: 18);
        Summary summary = run.Summary();
        Assert.All(summary.Pictures, p => Assert.Equal(Verdict.NotJudged, p.Verdict));
        Assert.Equal([(ReferenceAnswer.Undecided, true), (ReferenceAnswer.Both, false)], Answers(summary).Select(p => (p.Answer, p.Pair)));
        Assert.All(Answers(summary), p => Assert.Null(p.PValue));
        Assert.Equal(GateOutcome.Shut, Gate.Of(summary).Outcome);
        Assert.Contains("from the reference", Gate.Of(summary).Reason, StringComparison.Ordinal);
        Assert.Contains(summary.Warnings, w => w.Contains("evidence by pairs, without a p-value", StringComparison.Ordinal));
        Assert.Contains("2 of 2 verbatim pictures come back above the threshold; 1 comes back from the reference too, 1 not from the "
            + "reference (by pairs, not judged), without a verdict.", Report(run), StringComparison.Ordinal);

        using var alone = new SampleRun([Copy], [None], controls: 18);
        Assert.Equal(GateOutcome.Unknown, Gate.Of(alone.Summary()).Outcome);
    }

    /// <summary>The smallest p-value of a reference needs 19 controls searched in both, not in one.</summary>
    [Theory]
    [InlineData("a control's unit")]
    [InlineData("a picture's unit")]
    [InlineData("the model's own")]
    [InlineData("no control")]
    [InlineData("failed control")]
    [InlineData("all")]
    public void An_answer_that_is_not_whole_or_not_sound_makes_no_find_this_models_alone(string hole)
    {
        using var run = new SampleRun([Copy, Copy], [None, None]);
        Assert.Equal(2, run.Summary().Reference!.ThisModelAlone);
        string folder = Path.Combine(run.Run, "reference"), manifest = Path.Combine(folder, "manifest.json");
        string Unit(string id) => Path.Combine(folder, "units", id + ".json");
        switch (hole)
        {
            case "a control's unit": File.Delete(Unit("c05-prompt-0")); break;
            case "a picture's unit": File.Delete(Unit("v00-prompt-0")); break;
            case "the model's own": File.Copy(run.Unit("v00-prompt-0"), Unit("v00-prompt-0"), overwrite: true); break;
            case "no control": SampleRun.Edit(manifest, json => json.Remove("control")); break;
            case "failed control":
                string failed = JsonSerializer.Serialize(SampleControl.Failed, AuditJson.Default.PositiveControl);
                SampleRun.Edit(manifest, json => json["control"] = JsonNode.Parse(failed));
                break;
            default: Directory.Delete(folder, recursive: true); break;
        }
        Summary summary = run.Summary();
        Assert.NotEqual(ReferenceAnswer.ThisModelAlone, Answers(summary)[0].Answer);
        Assert.Equal(hole is "a picture's unit" or "the model's own" ? 1 : 0, summary.Reference!.ThisModelAlone);
        Assert.NotNull(summary.Reference.Obstacle);
        Assert.Contains("No picture is said to be this model", Report(run), StringComparison.Ordinal);
    }

    [Fact]
    public void The_reference_is_neither_the_model_nor_the_original()
    {
        Manifest manifest = SampleRun.ManifestOf(SampleRun.Options);
        Assert.Contains("the model under audit itself", Assert.Throws<DoriException>(() =>
            manifest.WithReference(SampleRun.Ancestor with { Sha256 = manifest.Model.Sha256 })).Message, StringComparison.Ordinal);
        Assert.Contains("`Original` and as `Reference`", Assert.Throws<DoriException>(() =>
            manifest.WithOriginal(SampleRun.Ancestor).WithReference(SampleRun.Ancestor)).Message, StringComparison.Ordinal);
        Assert.NotNull((manifest with { Reference = manifest.Model }).Problem());
        Assert.NotNull((manifest with { Original = SampleRun.Ancestor, Reference = SampleRun.Ancestor }).Problem());
    }

    [Fact]
    public void One_run_cannot_get_by_two_commands_what_one_refuses()
    {
        using var run = new SampleRun([Copy], [None]);
        Manifest bare = run.Manifest with { Reference = null };
        Assert.Contains("one model", Assert.Throws<DoriException>(() =>
            RunFolder.Create(run.Run, bare.WithOriginal(SampleRun.Ancestor))).Message, StringComparison.Ordinal);
        Assert.Equal("ancestor", RunFolder.Create(run.Run, bare).Manifest.Reference?.Name); // stays when it is left out
        Manifest other = bare.WithReference(SampleRun.Ancestor with { Sha256 = Sha256Text.Of("another") });
        Assert.Contains("another reference", Assert.Throws<DoriException>(() => RunFolder.Create(run.Run, other)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_bring_the_units_of_the_reference_too()
    {
        using var run = new SampleRun([Copy, Copy], [None, None]);
        Copied(run.Run, run.Shard);
        foreach (string id in new[] { "v01-caption-0", "c03-prompt-0" })
            File.Delete(Path.Combine(run.Run, "reference", "units", id + ".json"));
        Assert.Equal(2, Assert.Single(run.Open().Merge([RunFolder.Open(run.Shard)])).Taken);
        Assert.Equal(2, run.Summary().Reference!.ThisModelAlone);
        SampleRun.Edit(Path.Combine(run.Shard, "manifest.json"), json => json["reference"]!["sha256"] = Sha256Text.Of("another"));
        Assert.Contains("its reference is", Assert.Throws<DoriException>(() => run.Open().Merge([RunFolder.Open(run.Shard)])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Units_of_a_reference_are_taken_over_from_a_run_beside_this_one_and_no_others()
    {
        using var run = new SampleRun([Copy, Copy], [None, None]);
        // Another model audited beside the same reference, in a folder beside this run's; and one whose units are of something else.
        string beside = Path.Combine(Path.GetDirectoryName(run.Run)!, "beside"), foreign = Path.Combine(
            Path.GetDirectoryName(run.Run)!, "a-foreign-one");
        Copied(run.Run, beside);
        SampleRun.Edit(Path.Combine(beside, "reference", "units", "v01-caption-0.json"), json => json["key"] = Sha256Text.Of("another"));
        Directory.CreateDirectory(foreign);
        File.WriteAllText(Path.Combine(foreign, "manifest.json"), "{");
        Directory.Delete(Path.Combine(run.Run, "reference"), recursive: true);

        RunFolder folder = run.Open();
        IReadOnlyList<AuditUnit> plan = AuditPlan.Of(folder.Manifest);
        string[] near = [.. folder.Neighbours()];
        Assert.Contains(Path.Combine(beside, "reference"), near);
        RunFolder there = folder.CreateBeside(Beside.Reference);
        Assert.Equal(plan.Count - 1, near.Sum(path => there.TakeOver(plan, path)));
        Assert.Equal("v01-caption-0", Assert.Single(folder.OpenUnitsOf(Beside.Reference, plan)).Id);
        Assert.True(there.Manifest.Control is { Holds: true }); // taken on the same pictures
        Assert.Equal(0, there.TakeOver(plan, beside)); // the audited model's own units are not the reference's
    }

    [Fact]
    public void An_audit_of_the_reference_itself_has_its_units_too()
    {
        using var run = new SampleRun([Copy], [None]);
        Directory.Move(Path.Combine(run.Run, "reference"), Path.Combine(Path.GetDirectoryName(run.Run)!, "its-own-audit"));
        RunFolder folder = run.Open();
        IReadOnlyList<AuditUnit> plan = AuditPlan.Of(folder.Manifest);
        Assert.Equal(plan.Count, folder.Neighbours().Sum(path => folder.CreateBeside(Beside.Reference).TakeOver(plan, path)));
        Assert.Equal(1, run.Summary().Reference!.ThisModelAlone);
    }

    [Fact]
    public void Base_is_the_model_without_its_adapters_and_means_nothing_without_one()
    {
        var error = new StringWriter();
        Assert.Equal(DoriApp.WrongInput, DoriApp.Run(["audit", Support.Golden.EmojiModel, "--images", Support.Emoji.Pictures, "--reference",
            "base", "-o", Path.Combine(Path.GetTempPath(), "dori-never")], new TestConsole(), TextWriter.Null, error));
        Assert.Contains("--reference base: the model without its --lora is meant", error.ToString(), StringComparison.Ordinal);
    }

    private static void Copied(string from, string to)
    {
        foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }
}
