using Dori.Tests.Support;
using Dori.Pictures;
using Dori.Audit;
using Dori.Tests.Reporting;

namespace Dori.Tests.Audit;

public sealed class GateTests
{
    private static readonly Verdict[] s_verdicts =
        [Verdict.Retained, Verdict.Undecided, Verdict.NotFound, Verdict.NotJudged];

    /// <summary>Every combination of up to three audited pictures, missing units, and units of an older version; controls say
    /// nothing.</summary>
    [Fact]
    public void It_opens_only_where_every_picture_is_not_found_and_nothing_is_missing()
    {
        Summary sample = new SampleAudit().Summary;
        PictureSummary asked = sample.Pictures.First(p => p.Role == PictureRole.Audit),
            control = sample.Pictures.First(p => p.Role == PictureRole.Control);
        int tried = 0;
        foreach (Verdict[] verdicts in Combinations(3))
            foreach (int missing in new[] { 0, 1, -1 })
                foreach (bool bound in new[] { true, false })
                {
                    Summary summary = sample with
                    {
                        Pictures =
                            [.. verdicts.Select(v => asked with { Verdict = v }), control with { Verdict = Verdict.NotJudged },
                            control with { Verdict = Verdict.Retained }],
                        MissingUnits = missing,
                        Bound = bound,
                    };
                    GateOutcome expected = verdicts.Any(v => v is Verdict.Retained or Verdict.Undecided) ? GateOutcome.Shut
                        : verdicts.Length > 0 && verdicts.All(v => v == Verdict.NotFound) && missing == 0 && bound ? GateOutcome.Open
                            : GateOutcome.Unknown;
                    Gate gate = Gate.Of(summary);
                    Assert.Equal(expected, gate.Outcome);
                    Assert.Equal(expected == GateOutcome.Open, gate.Reason.Length == 0);
                    tried++;
                }
        Assert.Equal((1 + 4 + 16 + 64) * 6, tried);
    }

    private static IEnumerable<Verdict[]> Combinations(int most) =>
        most == 0 ? [[]] : [[], .. Combinations(most - 1).SelectMany(rest => s_verdicts.Select(verdict => (Verdict[])[verdict, .. rest]))];

    [Fact]
    public void A_picture_without_any_unit_has_a_row_and_keeps_it_shut()
    {
        using var run = new SampleRun(found: 0.2f);
        Assert.Equal(GateOutcome.Open, Gate.Of(run.Summary()).Outcome);
        File.Delete(run.Unit("v00-prompt-0"));
        File.Delete(run.Unit("v00-caption-0"));
        Summary summary = run.Summary();
        PictureSummary picture = summary.Pictures.Single(p => p.Role == PictureRole.Audit);
        Assert.Equal((Verdict.NotJudged, -1.0, (AuditStart?)null), (picture.Verdict, picture.Similarity, picture.Start));
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
