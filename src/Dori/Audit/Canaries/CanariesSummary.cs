using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Measures;
using Dori.Pictures;

namespace Dori.Audit;

/// <summary>Whether the planted of each pair comes nearer than the other, which a coin left out.</summary>
/// <param name="Asked">prompt, search, or all.</param>
/// <param name="Wins">Pairs whose planted picture comes nearer; equal ones are split by the sealed seed's coins.</param>
/// <param name="PValue">Exact sign test, one-sided.</param>
internal sealed record CanaryTest(string Asked, int Pairs, int Wins, int Ties, double PValue);

/// <param name="Retained">Of the planted; its interval is exact.</param>
internal sealed record CanaryDose(int Dose, int Pictures, Rate Retained);

/// <param name="Planted">Which of the two was.</param>
internal sealed record CanaryOutcome(string Planted, string Other, int Dose, double PlantedSimilarity, double OtherSimilarity,
    bool Retained);

/// <summary><c>canaries.json</c>: what a training holds of pictures that a coin put into it. A pure function of the sealed file and the
/// records.</summary>
/// <param name="Judged">Whether <i>retained</i> is the audit's verdict, among the others as controls; else that a generation passes the
/// threshold, since there are fewer than 19 others.</param>
/// <param name="HalfDose">Where half are retained; null where fewer than two doses were planted.</param>
/// <param name="Epsilon">Lower bound for replacing one picture with all its showings by another; half of it for adding or removing
/// one.</param>
internal sealed record CanariesSummary(string Schema, string SealedSha256, string CopyDetector, double Threshold, bool Judged,
    IReadOnlyList<CanaryTest> Tests, IReadOnlyList<CanaryDose> Doses, HalfDose? HalfDose, int Guesses, int RightGuesses, double Epsilon,
    IReadOnlyList<CanaryOutcome> Pairs)
{
    /// <exception cref="DoriException">The run is not finished, or its model cannot draw.</exception>
    public static CanariesSummary Of(SealedCanaries canaries, string sha256, Summary summary, IReadOnlyList<ItemRecords> items)
    {
        if (summary.MissingUnits > 0) throw new DoriException($"the run is not finished: {summary.MissingUnits} units are missing");
        if (summary.Control is not { Holds: true }) throw new DoriException("the positive control does not hold: nothing can be judged");
        var records = items.ToDictionary(item => item.Item.Id);
        var verdicts = summary.Pictures.ToDictionary(picture => picture.Item);
        int[] doses = canaries.DosesOfPairs();
        double Score(int pair, bool a, Func<AuditStart, bool> filter) => records[SealedCanaries.IdOf(pair, a)].Best(filter).Similarity;
        CanaryOutcome[] pairs = [.. Enumerable.Range(0, doses.Length).Select(k =>
        {
            bool a = canaries.PlantsA(k);
            PictureSummary planted = verdicts[SealedCanaries.IdOf(k, a)];
            return new CanaryOutcome(planted.Item, SealedCanaries.IdOf(k, !a), doses[k], Score(k, a, _ => true), Score(k, !a, _ => true),
                summary.Controls.Enough ? planted.Verdict == Verdict.Retained : planted.Similarity > summary.Threshold);
        })];
        (string Name, Func<AuditStart, bool> Filter)[] asked =
        [
            .. summary.Starts.Contains(AuditStart.Prompt) ? [("prompt", s => s == AuditStart.Prompt)]
                : Array.Empty<(string, Func<AuditStart, bool>)>(),
            .. summary.Searched ? [("search", s => s != AuditStart.Prompt)] : Array.Empty<(string, Func<AuditStart, bool>)>(),
        ];
        double[] differences = [.. Enumerable.Range(0, doses.Length).Select(k => Score(k, true, _ => true) - Score(k, false, _ => true))];
        int right = Right(canaries, differences);
        return new CanariesSummary("dori.canaries-judged/1", sha256, summary.CopyDetector, summary.Threshold, summary.Controls.Enough,
            [.. asked.Select(test => Test(canaries, test.Name, [.. Enumerable.Range(0, doses.Length).Select(k =>
                Score(k, true, test.Filter) - Score(k, false, test.Filter))]))],
            [.. pairs.GroupBy(pair => pair.Dose).OrderBy(group => group.Key).Select(group => new CanaryDose(group.Key, group.Count(),
                Statistics.ExactShare(group.Count(pair => pair.Retained), group.Count())))],
            doses.Distinct().Count() < 2 ? null
                : Statistics.DoseOfHalf([.. pairs.Select(pair => (double)pair.Dose)], [.. pairs.Select(pair => pair.Retained)]),
            canaries.Protocol.Guesses, right, Statistics.EpsilonBound(right, canaries.Protocol.Guesses), pairs);
    }

    /// <summary>Without memory a pair's difference does not depend on its coin, so that the planted one is nearer with probability
    /// 1/2.</summary>
    /// <param name="differences">A less B, by pair.</param>
    internal static CanaryTest Test(SealedCanaries canaries, string asked, IReadOnlyList<double> differences)
    {
        int ties = differences.Count(difference => difference == 0);
        int wins = Enumerable.Range(0, differences.Count).Count(k => differences[k] == 0 ? canaries.TieToPlanted(k)
            : differences[k] > 0 == canaries.PlantsA(k));
        return new CanaryTest(asked, differences.Count, wins, ties, Statistics.SignTest(wins, differences.Count - wins));
    }

    /// <summary>Guesses are made of the pairs that differ most, as many as were fixed beforehand; a tie is guessed by its coin.</summary>
    internal static int Right(SealedCanaries canaries, IReadOnlyList<double> differences) =>
        Enumerable.Range(0, differences.Count).OrderByDescending(k => Math.Abs(differences[k])).ThenBy(k => k)
            .Take(canaries.Protocol.Guesses)
            .Count(k => differences[k] == 0 ? canaries.TieToPlanted(k) : differences[k] > 0 == canaries.PlantsA(k));

    /// <summary>What was found, in a sentence.</summary>
    [JsonIgnore]
    public string InWords => "In this training "
        + string.Join(", ", Doses.Select((dose, i) => $"{(i == 0 ? "a picture" : "one")} seen {dose.Dose} times was "
            + $"{(Judged ? "retained" : "given back")} in {dose.Retained.Count} of {dose.Pictures} cases")) + ".";

    public string ToJson() => JsonSerializer.Serialize(this, CanariesJson.Default.CanariesSummary);
}
