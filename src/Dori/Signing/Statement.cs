using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Pictures;

namespace Dori.Signing;

/// <summary>
/// An in-toto statement v1 with the predicate <i>Test Result</i> v0.1 (github.com/in-toto/attestation): this model, looked at with these
/// pictures, options and copy detector, passed, was warned of, or failed.
/// </summary>
/// <param name="Subject">The model's files.</param>
internal sealed record Statement(IReadOnlyList<StatementResource> Subject, TestResult Predicate)
{
    public const string TypeUri = "https://in-toto.io/Statement/v1", TestResultUri = "https://in-toto.io/attestation/test-result/v0.1";

    [JsonPropertyName("_type"), JsonPropertyOrder(-2)]
    public string Type { get; init; } = TypeUri;
    [JsonPropertyOrder(-1)]
    public string PredicateType { get; init; } = TestResultUri;

    /// <param name="sums">SHA-256 of the list of the run's files.</param>
    public static Statement Of(Manifest manifest, Summary summary, string sums) => new(
        [.. manifest.Model.Files.Select(file => StatementResource.Of(file.Key, file.Value))],
        TestResult.Of(summary,
        [
            StatementResource.Of("pictures", manifest.Pictures.Sha256),
            StatementResource.Of("options", Sha256Text.Of(JsonSerializer.Serialize(manifest.Options, AuditJson.Default.AuditOptions))),
            StatementResource.Of($"copy detector {manifest.CopyDetector.Name}", manifest.CopyDetector.Sha256),
            StatementResource.Of($"dori {manifest.Version}: {SignedRun.Sums}", sums),
        ]));
}

/// <param name="Digest">By algorithm: <c>sha256</c>, in lower-case hex.</param>
internal sealed record StatementResource(string Name, IReadOnlyDictionary<string, string> Digest)
{
    public static StatementResource Of(string name, string sha256) => new(name, new Dictionary<string, string> { ["sha256"] = sha256 });
}

/// <param name="Result">PASSED, WARNED or FAILED</param>
/// <param name="Configuration">What decided the outcome.</param>
/// <param name="PassedTests">Items that were not found.</param>
/// <param name="WarnedTests">Items that are undecided or not judged.</param>
/// <param name="FailedTests">Items that are retained.</param>
internal sealed record TestResult(string Result, IReadOnlyList<StatementResource> Configuration, IReadOnlyList<string> PassedTests,
    IReadOnlyList<string> WarnedTests, IReadOnlyList<string> FailedTests)
{
    public const string Passed = "PASSED", Warned = "WARNED", Failed = "FAILED";

    public static TestResult Of(Summary summary, IReadOnlyList<StatementResource> configuration)
    {
        string[] passed = Items(summary, Verdict.NotFound), failed = Items(summary, Verdict.Retained);
        string result = failed.Length > 0 ? Failed : Gate.Of(summary).Outcome == GateOutcome.Open ? Passed : Warned;
        return new TestResult(result, configuration, passed, Items(summary, Verdict.Undecided, Verdict.NotJudged), failed);
    }

    /// <summary>"FAILED, 6 of 24 pictures retained, 18 not found".</summary>
    [JsonIgnore]
    public string InWords =>
        $"{Result}, {FailedTests.Count} of {FailedTests.Count + WarnedTests.Count + PassedTests.Count} pictures retained, "
        + $"{PassedTests.Count} not found" + (WarnedTests.Count > 0 ? $", {WarnedTests.Count} undecided or not judged" : "");

    private static string[] Items(Summary summary, params Verdict[] verdicts) => [.. summary.Pictures
        .Where(picture => picture.Role == PictureRole.Audit && verdicts.Contains(picture.Verdict)).Select(picture => picture.Item)];
}
