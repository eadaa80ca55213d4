using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary>What a chapter concludes about the claim that memorization is local.</summary>
/// <param name="Outcome">refuted, supported, undecided, or not judged where the positive control failed</param>
/// <param name="Sentence">The answer in one sentence.</param>
/// <param name="Figures">The figures that decide, one sentence each.</param>
internal sealed record LocalityVerdict(string Outcome, string Sentence, IReadOnlyList<string> Figures)
{
    public const string Refuted = "refuted", Supported = "supported", Undecided = "undecided", NotJudged = "not judged";
}
