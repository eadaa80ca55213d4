using Dori.Audit;
using Dori.Measures;
using Dori.Pictures;
using Dori.Tests.Control;

namespace Dori.Tests.Audit;

/// <summary>How often an audit cries wolf, on records that nobody computed.</summary>
public sealed class FalseAlarmsTests
{
    private static Manifest ManifestOf(int pictures) => SampleRun.ManifestOf(SampleRun.Options, audited: 0, controls: pictures);

    private static List<UnitRecord> Units(Manifest manifest, Func<AuditUnit, double> best) =>
        [.. AuditPlan.Of(manifest).Select(unit => SampleRun.Record(manifest, unit, (float)best(unit)))];

    private static int Number(AuditUnit unit) => int.Parse(unit.Item.Id[1..]);

    [Fact]
    public void Below_the_threshold_nothing_cries_and_the_bound_is_the_exact_one()
    {
        Manifest manifest = ManifestOf(60);
        FalseAlarms alarms = FalseAlarms.Of(manifest, Units(manifest, _ => 0.5), null, 20, 40);
        Assert.Equal(["prompt", "caption", "prompt,caption"], alarms.Rows.Select(row => row.Starts));
        Assert.All(alarms.Rows, row => Assert.Equal((0.0, 0.0, 1 - Math.Pow(0.05, 1 / 60.0)), (row.Expected, row.Rate.Low, row.Rate.High)));
    }

    /// <summary>
    /// The k-th most similar of n, all above the threshold, is called retained where at most one of the k - 1 before it is among the 40
    /// that are drawn of the n - 1 others: (1 + 1) / 41 is at most 0.05. That is hypergeometric, and over all pictures 2 in 41.
    /// </summary>
    [Fact]
    public void Shares_of_draws_are_the_hypergeometric_ones()
    {
        const int n = 60, drawn = 40, draws = 400;
        Manifest manifest = ManifestOf(n);
        FalseAlarms alarms = FalseAlarms.Of(manifest, Units(manifest, unit => unit.Start == AuditStart.Prompt ? 0.1
            : 0.95 - 0.001 * Number(unit)), null, draws, drawn);
        double exactSum = 0;
        for (int k = 1; k <= n; k++)
        {
            double share = Enumerable.Range(0, 2).Where(a => a <= k - 1).Sum(a => Choose(k - 1, a) * Choose(n - k, drawn - a))
                / Choose(n - 1, drawn);
            exactSum += share;
            double found = alarms.Items.Single(item => item.Item == $"c{k - 1:00}").Retained;
            double deviation = Math.Sqrt(Math.Max(0, share * (1 - share)) / draws);
            Assert.True(Math.Abs(found - share) <= 4.5 * deviation + 1e-9, $"{k}: {found}, {share}");
        }
        Assert.Equal(2.0 * n / (drawn + 1), exactSum, 9);
        Assert.Equal(exactSum, alarms.Rows[^1].Expected, 0.5);
        Assert.Equal(0, alarms.Rows[0].Expected); // by prompt nothing passes

        static double Choose(int m, int k) => k < 0 || k > m ? 0 : Math.Exp(MathNet.Numerics.SpecialFunctions.BinomialLn(m, k));
    }

    [Fact]
    public void The_same_run_gives_the_same_figures_and_a_reference_takes_alarms_away()
    {
        Manifest manifest = ManifestOf(30).WithReference(SampleRun.Ancestor);
        List<UnitRecord> units = Units(manifest, unit => Number(unit) < 3 ? 0.9 : 0.4);
        Manifest other = manifest.Of(Beside.Reference)!;
        // Picture 0 comes back from both, 1 and 2 from this model alone.
        var reference = new ReferenceUnits(new BesideUnits(SampleControl.Passed, [],
            Units(other, unit => Number(unit) == 0 ? 0.9 : 0.4), []), new Dictionary<string, LikelihoodGain>());
        FalseAlarms alarms = FalseAlarms.Of(manifest, units, reference, 200, 20);
        Assert.Equal(alarms.ToJson(), FalseAlarms.Of(manifest, units, reference, 200, 20).ToJson());
        FalseAlarmRow alone = alarms.Rows[^1];
        Assert.Equal(FalseAlarms.Alone, alone.Cry);
        Assert.Equal(0, alarms.Items[0].ThisModelAlone);
        Assert.True(alone.Expected < alarms.Rows[^2].Expected, $"{alone} {alarms.Rows[^2]}");
        Assert.True(alarms.Items[1].ThisModelAlone > 0, $"{alarms.Items[1]}");
    }

    [Fact]
    public void Near_duplicates_are_one_picture_and_none_stands_beside_its_like()
    {
        Manifest manifest = ManifestOf(30) with { NearDuplicates = [["c00", "c01", "c02"]] };
        FalseAlarms alarms = FalseAlarms.Of(manifest, Units(manifest, unit => Number(unit) == 1 ? 0.9 : 0.4), null, 50, 20);
        Assert.Equal(28, alarms.Pictures);
        Assert.Equal(1, alarms.Items.Single(item => item.Item == "c00").Retained);
        Assert.Equal(1, alarms.Rows[^1].Expected, 9);
    }

    [Fact]
    public void Too_few_pictures_and_a_model_that_cannot_draw_give_no_rate()
    {
        Manifest manifest = ManifestOf(19);
        Assert.Contains("at least 20", Assert.Throws<DoriException>(() =>
            FalseAlarms.Of(manifest, Units(manifest, _ => 0.4), null, 5, 40)).Message, StringComparison.Ordinal);
        Manifest broken = ManifestOf(30) with { Control = SampleControl.Failed };
        Assert.Throws<DoriException>(() => FalseAlarms.Of(broken, Units(broken, _ => 0.4), null, 5, 40));
    }

    /// <summary>The interval holds the true rate: simulated audits of independent pictures.</summary>
    [Fact]
    public void The_interval_covers_the_rate()
    {
        const int pictures = 45, audits = 150;
        var random = new Random(3);
        Manifest manifest = ManifestOf(pictures);
        FalseAlarms[] all = [.. Enumerable.Range(0, audits).Select(_ => FalseAlarms.Of(manifest, Units(manifest, unit =>
            unit.Start == AuditStart.Prompt ? 0.1 : 0.45 + 0.35 * random.NextDouble()), null, 10, 40))];
        double truth = all.Average(alarms => alarms.Rows[^1].Rate.Value);
        Assert.InRange(truth, 0.045, 2.0 / 41 + 0.003); // simulated
        Assert.True(all.Count(alarms => alarms.Rows[^1].Rate is var rate && rate.Low <= truth && truth <= rate.High) >= 0.95 * audits);
    }
}

/// <summary>Pictures that count once.</summary>
public sealed class NearDuplicatesTests
{
    [Fact]
    public void Whoever_is_near_one_of_a_group_belongs_to_it()
    {
        double Similar(int i, int j) => (i, j) is (0, 3) or (3, 4) or (1, 2) ? 0.8 : 0.7;
        Assert.Equal([["a", "d", "e"], ["b", "c"]], NearDuplicates.Groups(["a", "b", "c", "d", "e", "f"], Similar, 0.7));
        Assert.Empty(NearDuplicates.Groups(["a", "b"], (_, _) => 0.7, 0.7)); // "above" is strict
    }

    [Fact]
    public void They_count_once_in_rates_and_as_controls_and_a_control_like_an_audited_picture_counts_as_none()
    {
        Manifest manifest = SampleRun.ManifestOf(SampleRun.Options, audited: 3, controls: 21) with
        {
            NearDuplicates = [["v00", "v01"], ["v02", "c20"], ["c00", "c01"]],
        };
        UnitRecord[] units = [.. AuditPlan.Of(manifest).Select(unit => SampleRun.Record(manifest, unit,
            unit.Item.Id is "v00" or "v01" or "c20" ? 0.9f : unit.Item.Id is "c01" ? 0.6f : 0.3f))];
        Summary summary = Verdicts.Summarize(manifest, units);
        // 21 controls: two of them one, one like v02.
        Assert.Equal((19, 0, true), (summary.Controls.Items, summary.Controls.AboveThreshold, summary.Controls.Enough));
        GroupSummary group = summary.Groups.Single(g => g is { Group: "verbatim", Start: AuditStart.Caption });
        Assert.Equal((3, 2, 1, 0.5), (group.Images, group.Distinct, group.MemorizationRate.Count, group.MemorizationRate.Value));
        Assert.Equal([Verdict.Retained, Verdict.Retained, Verdict.NotFound],
            summary.Pictures.Where(p => p.Role == PictureRole.Audit).Select(p => p.Verdict));
        Assert.Contains(summary.Warnings, w => w.Contains("c20", StringComparison.Ordinal));
        Assert.Contains(summary.Warnings, w => w.Contains("v00, v01", StringComparison.Ordinal));
        // Without one more the nineteenth is missing.
        Summary fewer = Verdicts.Summarize(manifest with { NearDuplicates = [.. manifest.NearDuplicates!, ["c02", "c03"]] }, units);
        Assert.False(fewer.Controls.Enough);
    }

    [Fact]
    public void The_built_in_sets_pictures_are_told_apart_and_a_mirror_image_is_not_another_picture()
    {
        string folder = Directory.CreateTempSubdirectory("dori-near-").FullName;
        try
        {
            foreach (string name in new[] { "verbatim-00", "verbatim-01", "control-00" })
                File.Copy(Path.Combine(Support.Emoji.Pictures, $"{name}.png"), Path.Combine(folder, $"{name}.png"));
            using (TorchSharp.torch.NewDisposeScope())
                Picture.Save(Path.Combine(folder, "turned.png"), Picture.Load(Path.Combine(folder, "verbatim-01.png")).flip(2));
            using TorchScriptCopyDetector detector = TorchScriptCopyDetector.Load(Support.Golden.EmojiModel);
            PictureSet set = PictureSet.Load(folder, new Dori.Pictures.Sources.PictureReading(null, "a picture"));
            IReadOnlyList<string> group = Assert.Single(NearDuplicates.Of(set, detector, 64, 0.7));
            Assert.Equal(["turned", "verbatim-01"], group.Order());
        }
        finally { Directory.Delete(folder, recursive: true); }
    }
}
