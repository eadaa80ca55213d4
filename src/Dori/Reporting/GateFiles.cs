using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Dori.Audit;
using Dori.Pictures;

namespace Dori.Reporting;

/// <summary>
/// The gate's answer for those who run it: <c>gate.junit.xml</c> (a test a picture) and <c>gate.sarif</c> (SARIF 2.1.0, a result a
/// picture that was not cleared).
/// </summary>
internal static class GateFiles
{
    public const string Junit = "gate.junit.xml", Sarif = "gate.sarif";
    /// <summary>What a later run knows a finding by: the SHA-256 of the item's first picture.</summary>
    private const string Fingerprint = "doriPictureSha256/v1";

    /// <param name="known">Items whose finding is known.</param>
    public static void Write(RunFolder run, Summary summary, IReadOnlySet<string> known)
    {
        AtomicFile.WriteText(Path.Combine(run.Path, Junit), JunitOf(summary, known));
        AtomicFile.WriteText(Path.Combine(run.Path, Sarif), SarifOf(run.Manifest, summary, known));
    }

    /// <summary>Items of a run whose findings an earlier <c>gate.sarif</c> holds.</summary>
    /// <exception cref="DoriException">No SARIF file.</exception>
    public static IReadOnlySet<string> Known(string path, RunFolder run)
    {
        JsonObject sarif = InputFile.ReadJsonObject(path, InputKind.Record);
        try
        {
            HashSet<string> prints = [.. ((JsonArray?)sarif["runs"] ?? throw new InvalidOperationException("it has no runs"))
                .SelectMany(part => ((JsonArray?)part?["results"] ?? []).Select(result =>
                    (string?)result?["partialFingerprints"]?[Fingerprint])).OfType<string>()];
            return run.Manifest.Pictures.Items.Where(item => prints.Contains(item.Sha256[0])).Select(item => item.Id).ToHashSet();
        }
        catch (Exception e) when (e is InvalidOperationException or InvalidCastException or FormatException)
        {
            throw new DoriException($"{path}: not a SARIF file ({e.Message}); the {Sarif} of an earlier run is wanted", e);
        }
    }

    private static IEnumerable<PictureSummary> Asked(Summary summary) =>
        summary.Pictures.Where(picture => picture.Role == PictureRole.Audit);

    internal static string JunitOf(Summary summary, IReadOnlySet<string> known)
    {
        PictureSummary[] asked = [.. Asked(summary)];
        XElement[] cases = [.. asked.Select(picture => new XElement("testcase",
            new XAttribute("classname", $"dori.audit.{Xml(summary.Model.Name)}"), new XAttribute("name", Xml(picture.Item)),
            Outcome(picture, known)))];
        int Count(string name) => cases.Count(test => test.Element(name) is not null);
        object[] counts =
        [
            new XAttribute("tests", cases.Length), new XAttribute("failures", Count("failure")), new XAttribute("errors", Count("error")),
        ];
        var suite = new XElement("testsuite", new XAttribute("name", $"dori audit {Xml(summary.Model.Name)}"), counts,
            new XAttribute("skipped", Count("skipped")), cases);
        return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + new XElement("testsuites", counts, suite) + "\n";
    }

    private static XElement? Outcome(PictureSummary picture, IReadOnlySet<string> known) => picture.Verdict switch
    {
        Verdict.NotFound => null,
        Verdict.Retained or Verdict.Undecided => new XElement(known.Contains(picture.Item) ? "skipped" : "failure",
            new XAttribute("message", Xml(Sentence(picture)))),
        _ => new XElement("error", new XAttribute("message", Xml(Sentence(picture)))),
    };

    internal static string SarifOf(Manifest manifest, Summary summary, IReadOnlySet<string> known)
    {
        var items = manifest.Pictures.Items.ToDictionary(item => item.Id);
        JsonNode[] results = [.. Asked(summary).Where(picture => picture.Verdict != Verdict.NotFound).Select(picture => new JsonObject
        {
            ["ruleId"] = Rule(picture.Verdict),
            ["level"] = picture.Verdict == Verdict.Retained ? "error" : "warning",
            ["message"] = new JsonObject { ["text"] = Sentence(picture) },
            ["locations"] = new JsonArray(new JsonObject
            {
                ["physicalLocation"] = new JsonObject { ["artifactLocation"] = new JsonObject { ["uri"] = Uri(picture.File) } },
            }),
            ["partialFingerprints"] = new JsonObject { [Fingerprint] = items[picture.Item].Sha256[0] },
            ["baselineState"] = known.Contains(picture.Item) ? "unchanged" : "new",
        })];
        var sarif = new JsonObject
        {
            ["$schema"] = "https://json.schemastore.org/sarif-2.1.0.json",
            ["version"] = "2.1.0",
            ["runs"] = new JsonArray(new JsonObject
            {
                ["tool"] = new JsonObject
                {
                    ["driver"] = new JsonObject
                    {
                        ["name"] = "dori",
                        ["version"] = manifest.Version,
                        ["rules"] = new JsonArray([.. new[] { Verdict.Retained, Verdict.Undecided, Verdict.NotJudged }.Select(Describe)]),
                    },
                },
                ["results"] = new JsonArray(results),
            }),
        };
        return sarif.ToJsonString(ModelCardFragments.Indented) + "\n";
    }

    private static JsonNode Describe(Verdict verdict) => new JsonObject
    {
        ["id"] = Rule(verdict),
        ["shortDescription"] = new JsonObject
        {
            ["text"] = verdict switch
            {
                Verdict.Retained => "The model gives a training picture back, and controls do not come as near to theirs.",
                Verdict.Undecided => "A generation passes the copy detector's threshold, but so do controls'.",
                _ => "It is not known whether the model holds the picture.",
            },
        },
    };

    private static string Rule(Verdict verdict) => $"dori/{verdict.Text().Replace(' ', '-')}";

    private static string Sentence(PictureSummary picture) => picture.Start is null ? $"{picture.Item}: {picture.Verdict.Text()}"
        : string.Create(CultureInfo.InvariantCulture, $"{picture.Item}: {picture.Verdict.Text()}, similarity {picture.Similarity:0.000} "
            + $"from {picture.Start?.Text()} after {picture.Step} search steps, p = {picture.PValue:0.###}");

    private static string Uri(string file) => string.Join('/', file.Split('/').Select(System.Uri.EscapeDataString));

    /// <summary>Without what XML 1.0 cannot hold.</summary>
    private static string Xml(string text) => Printable.Line(text);
}
