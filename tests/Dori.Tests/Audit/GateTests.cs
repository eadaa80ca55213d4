using Dori.Audit;
using Dori.Tests.Reporting;

namespace Dori.Tests.Audit;

public sealed class GateTests
{
    private static readonly string[] s_verdicts =
        [Verdicts.Retained, Verdicts.Undecided, Verdicts.NotFound, Verdicts.NotJudged, "", "Not found"];

    /// <summary>Every combination of up to three audited pictures, missing units, and units of an older version; controls say
    /// nothing.</summary>
    [Fact]
    public void It_opens_only_where_every_picture_is_not_found_and_nothing_is_missing()
    {
        Summary sample = new SampleAudit().Summary;
        PictureSummary asked = sample.Pictures.First(p => p.Role == "audit"), control = sample.Pictures.First(p => p.Role == "control");
        int tried = 0;
        foreach (string[] verdicts in Combinations(3))
            foreach (int missing in new[] { 0, 1, -1 })
                foreach (bool bound in new[] { true, false })
                {
                    Summary summary = sample with
                    {
                        Pictures =
                            [.. verdicts.Select(v => asked with { Verdict = v }), control with { Verdict = Verdicts.NotJudged },
                            control with { Verdict = Verdicts.Retained }],
                        MissingUnits = missing,
                        Bound = bound,
                    };
                    GateOutcome expected = verdicts.Any(v => v is "retained" or "undecided") ? GateOutcome.Shut
                        : verdicts.Length > 0 && verdicts.All(v => v == "not found") && missing == 0 && bound ? GateOutcome.Open
                            : GateOutcome.Unknown;
                    Gate gate = Gate.Of(summary);
                    Assert.Equal(expected, gate.Outcome);
                    Assert.Equal(expected == GateOutcome.Open, gate.Reason.Length == 0);
                    tried++;
                }
        Assert.Equal((1 + 6 + 36 + 216) * 6, tried);
    }

    private static IEnumerable<string[]> Combinations(int most) =>
        most == 0 ? [[]] : [[], .. Combinations(most - 1).SelectMany(rest => s_verdicts.Select(verdict => (string[])[verdict, .. rest]))];

    [Fact]
    public void A_picture_without_any_unit_has_a_row_and_keeps_it_shut()
    {
        using var run = new SampleRun(found: 0.2f);
        Assert.Equal(GateOutcome.Open, Gate.Of(run.Summary()).Outcome);
        File.Delete(run.Unit("v00-prompt-0"));
        File.Delete(run.Unit("v00-caption-0"));
        Summary summary = run.Summary();
        PictureSummary picture = summary.Pictures.Single(p => p.Role == "audit");
        Assert.Equal((Verdicts.NotJudged, -1.0, ""), (picture.Verdict, picture.Similarity, picture.Start));
        Assert.Equal(2, summary.MissingUnits);
        Assert.Equal(GateOutcome.Unknown, Gate.Of(summary).Outcome);
    }

    [Fact]
    public void A_missing_control_keeps_it_shut()
    {
        using var run = new SampleRun(found: 0.2f);
        File.Delete(run.Unit("c00-prompt-0"));
        Assert.Equal(GateOutcome.Unknown, Gate.Of(run.Summary()).Outcome);
    }
}
