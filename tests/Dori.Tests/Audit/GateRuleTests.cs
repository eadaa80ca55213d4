using Dori.Audit;
using Dori.Measures;

namespace Dori.Tests.Audit;

public sealed class GateRuleTests
{
    [Theory]
    [InlineData("rate > 0.05", 1, 20, false)]
    [InlineData("rate >= 0.05", 1, 20, true)]
    [InlineData("rate > 0.05", 2, 20, true)]
    [InlineData("rate<0.5", 2, 20, true)]
    [InlineData("rate <= 0.1", 2, 20, true)]
    [InlineData("found > 2", 2, 20, false)]
    [InlineData("found >= 2", 2, 20, true)]
    [InlineData("upper(rate) > 0.1388", 0, 23, true)] // 1 - 0.025^(1/23) = 0.1482
    [InlineData("upper(rate) > 0.1483", 0, 23, false)]
    [InlineData("lower(rate) > 0.0253", 1, 1, false)] // 0.025
    [InlineData("lower(rate) >= 0.0249", 1, 1, true)]
    public void A_rule_compares_what_it_names(string rule, int found, int asked, bool fails) =>
        Assert.Equal(fails, GateRule.Parse(rule).Fails(found, asked));

    [Theory]
    [InlineData("")]
    [InlineData("rate")]
    [InlineData("rate > x")]
    [InlineData("rate == 0.5")]
    [InlineData("upper(found) > 1")]
    [InlineData("rate > 0.1 or found > 2")]
    public void Anything_else_is_refused_with_an_example(string rule) => Assert.Contains("'upper(rate) > 0.05'",
        Assert.Throws<DoriException>(() => GateRule.Parse(rule)).Message, StringComparison.Ordinal);

    [Fact]
    public void Known_findings_and_those_below_a_rule_open_the_gate_and_nothing_else_does()
    {
        using var found = new SampleRun(found: 0.9f);
        Summary summary = found.Summary();
        HashSet<string> none = [], known = ["v00"];
        Assert.Equal(GateOutcome.Shut, Gate.Of(summary, none, null).Outcome);
        Assert.Equal(GateOutcome.Open, Gate.Of(summary, known, null).Outcome);
        Assert.Equal(GateOutcome.Open, Gate.Of(summary, none, GateRule.Parse("found > 1")).Outcome);
        Assert.Equal(GateOutcome.Shut, Gate.Of(summary, none, GateRule.Parse("found > 0")).Outcome);
        Assert.Equal(GateOutcome.Open, Gate.Of(summary, known, GateRule.Parse("found > 0")).Outcome);
        // Whatever is known or allowed: a picture that is not judged, or a unit that is missing, keeps it shut.
        Assert.Equal(GateOutcome.Unknown, Gate.Of(summary with { MissingUnits = 1 }, known, null).Outcome);
        Summary unjudged =
            summary with { Pictures = [.. summary.Pictures, summary.Pictures[0] with { Item = "v01", Verdict = Verdict.NotJudged }] };
        Assert.Equal(GateOutcome.Unknown, Gate.Of(unjudged, known, null).Outcome);
        Assert.Equal(GateOutcome.Unknown, Gate.Of(unjudged, none, GateRule.Parse("found > 1")).Outcome);
    }
}
