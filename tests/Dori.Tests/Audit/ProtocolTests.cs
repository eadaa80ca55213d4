using Dori.Audit;
using Dori.Diffusion;
using Dori.Pictures;

namespace Dori.Tests.Audit;

/// <summary>What the protocols ask for, and what they cost by count.</summary>
public sealed class ProtocolTests
{
    private static readonly ModelDefaults s_emoji = new() { Guidance = 3, Sampler = "ddim", SamplerSteps = 25, FastSamplerSteps = 8 };

    [Fact]
    public void The_published_one_is_the_paper_s_whatever_the_model_says()
    {
        AuditOptions published = AuditOptions.For(s_emoji, 0.7, "published");
        Assert.Equal(("ddim", 50, 10, 4, false, false), (published.Sampler, published.SamplerSteps, published.Generations,
            published.CurveGenerations, published.Mirror, published.StopAtVerdict));
        Assert.Equal([0, 1, 10, 25], published.CurveSteps);
        Assert.Equal(3, published.Guidance); // the model's own
    }

    [Fact]
    public void A_model_that_names_no_sampler_takes_the_fast_one_and_one_that_does_keeps_its_own()
    {
        AuditOptions own = AuditOptions.For(new ModelDefaults(), 0.7), emoji = AuditOptions.For(s_emoji, 0.7);
        Assert.Equal(("dpm-solver++", 20), (own.Sampler, own.SamplerSteps));
        Assert.Equal(("ddim", 25), (emoji.Sampler, emoji.SamplerSteps));
        AuditOptions named = AuditOptions.For(new ModelDefaults { SamplerSteps = 30 }, 0.7);
        Assert.Equal((null, 30), (named.Sampler, named.SamplerSteps)); // the checkpoint's own
    }

    [Fact]
    public void Quick_costs_at_most_three_tenths_of_the_published_one_though_nothing_stops()
    {
        // 16 pictures and 40 controls of the built-in model, from four starts; by hand: 56 (84 * 100 + 3 * 50 * 8 * 2).
        IReadOnlyList<AuditUnit> Plan(AuditOptions options) =>
            AuditPlan.Of(SampleRun.ManifestOf(options, audited: 37)); // and 19 controls: the count of items is what matters
        long Passes(string protocol)
        {
            AuditOptions options = AuditOptions.For(s_emoji, 0.7, protocol);
            UnitWork work = UnitWork.Of(Plan(options), options);
            return work.Forward + work.Backward;
        }
        Assert.Equal(56 * 10_800, Passes("published"));
        Assert.Equal(56 * 3_136, Passes("quick"));
        Assert.InRange((double)Passes("quick") / Passes("published"), 0, 0.30);
    }

    [Fact]
    public void An_estimate_is_a_range_where_pictures_may_stop()
    {
        var trial = new CostTrial(PairSeconds: 2, SampleSeconds: 1, PictureSeconds: 4, Resident: 1000, Growth: 100);
        AuditOptions options = SampleRun.Options with { SamplerSteps = 2, Generations = 2, CurveGenerations = 1, SearchBatch = 3 };
        CostEstimate whole = Of(options), stopping = Of(options with { StopAtVerdict = true });
        // Each of 20 items: by prompt 2 pictures; from the caption 3 steps of 3 pairs and 1 + 2 pictures.
        Assert.Equal(20 * (9 * 2 + 5 * 2 * 1 + 5 * 4) / 2.0, whole.Time.TotalSeconds, 6);
        Assert.Equal(whole.Time, whole.LeastTime);
        Assert.Equal(whole.Time, stopping.Time);
        Assert.Equal((19 * (9 * 2 + 5 * 2 * 1 + 5 * 4) + 2 * 2 * 1 + 2 * 4) / 2.0, stopping.LeastTime.TotalSeconds, 6);
        Assert.Equal(1200, whole.MemoryBytes);

        CostEstimate Of(AuditOptions o) => CostEstimate.Of(trial, Support.Emoji.Model, o, [.. AuditPlan.Of(SampleRun.ManifestOf(o))],
            new Workers(2, 1));
    }

    [Theory]
    [InlineData(4)] // as many as starts
    [InlineData(3)]
    public void Shards_share_the_plan_by_items_and_are_alike(int count)
    {
        IReadOnlyList<AuditUnit> plan = AuditPlan.Of(SampleRun.ManifestOf(AuditOptions.For(s_emoji, 0.7), audited: 13));
        AuditUnit[][] shards = [.. Enumerable.Range(1, count).Select(shard => AuditPlan.Shard(plan, shard, count).ToArray())];
        Assert.Equal(plan.Select(unit => unit.Id).Order(), shards.SelectMany(shard => shard).Select(unit => unit.Id).Order());
        foreach (AuditUnit[] shard in shards)
        {
            Assert.All(shard.GroupBy(unit => unit.Item.Id), item => Assert.Equal(4, item.Count())); // every start of an item
            Assert.InRange(shard.Length / 4, 32 / count, 32 / count + 1);
            Assert.InRange(shard.DistinctBy(unit => unit.Item.Id).Count(unit => unit.Item.Role == PictureRole.Audit), 13 / count,
                13 / count + 1);
        }
    }

    [Fact]
    public void An_unknown_protocol_is_refused_with_the_known_ones()
    {
        DoriException e = Assert.Throws<DoriException>(() => AuditOptions.For(s_emoji, 0.7, "fast"));
        Assert.Contains("\"fast\" is not known; choose from published, standard, quick", e.Message, StringComparison.Ordinal);
    }
}
