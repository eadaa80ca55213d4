using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Dori.Audit;
using Dori.Cli;
using Dori.Reporting;
using Dori.Tests.Audit;
using Dori.Tests.Support;
using Json.Schema;
using Spectre.Console.Testing;

namespace Dori.Tests.Reporting;

/// <summary>What other programs read of a run: SARIF, JUnit, CycloneDX, a model index.</summary>
public sealed class ExchangeFilesTests : IDisposable
{
    private readonly SampleRun _found = new(), _clean = new(found: 0.2f);

    [Fact]
    public void SARIF_is_valid_and_names_every_picture_that_is_not_cleared()
    {
        Assert.Equal((1, ""), Report(_found, "--gate"));
        JsonNode sarif = Valid("sarif-2.1.0-rtm.5.json", Path.Combine(_found.Run, GateFiles.Sarif));
        JsonNode result = Assert.Single(sarif["runs"]![0]!["results"]!.AsArray())!;
        Assert.Equal("dori/retained", (string?)result["ruleId"]);
        Assert.Equal("new", (string?)result["baselineState"]);
        Assert.Contains(sarif["runs"]![0]!["tool"]!["driver"]!["rules"]!.AsArray(), rule => (string?)rule!["id"] == "dori/retained");
        Assert.Equal((0, ""), Report(_clean, "--gate"));
        Assert.Empty(Valid("sarif-2.1.0-rtm.5.json", Path.Combine(_clean.Run, GateFiles.Sarif))["runs"]![0]!["results"]!.AsArray());
    }

    [Fact]
    public void A_baseline_lets_known_findings_pass_and_no_others()
    {
        Report(_found, "--gate");
        string baseline = Path.Combine(_found.Run, "known.sarif");
        File.Move(Path.Combine(_found.Run, GateFiles.Sarif), baseline);
        Assert.Equal((0, ""), Report(_found, "--gate", "--baseline", baseline));
        JsonNode sarif = Valid("sarif-2.1.0-rtm.5.json", Path.Combine(_found.Run, GateFiles.Sarif));
        Assert.Equal("unchanged", (string?)sarif["runs"]![0]!["results"]![0]!["baselineState"]);
        var suite = XDocument.Load(Path.Combine(_found.Run, GateFiles.Junit));
        Assert.Equal(("0", "1"), ((string?)suite.Root!.Attribute("failures"),
            (string?)suite.Root.Element("testsuite")!.Attribute("skipped")));
        File.WriteAllText(baseline, File.ReadAllText(baseline).Replace("doriPictureSha256/v1\": \"", "doriPictureSha256/v1\": \"0"));
        Assert.Equal(1, Report(_found, "--gate", "--baseline", baseline).Code);
        File.WriteAllText(baseline, """{ "runs": 3 }""");
        (int code, string said) = Report(_found, "--gate", "--baseline", baseline);
        Assert.Equal(2, code);
        Assert.Contains("not a SARIF file", said, StringComparison.Ordinal);
        Assert.Equal(2, Report(_found, "--baseline", baseline).Code);
    }

    [Fact]
    public void A_rule_says_when_findings_fail()
    {
        Assert.Equal(0, Report(_found, "--gate", "--fail-if", "found > 1").Code);
        Assert.Equal(1, Report(_found, "--gate", "--fail-if", "upper(rate) > 0.05").Code);
        Assert.Equal(2, Report(_found, "--gate", "--fail-if", "many").Code);
    }

    [Fact]
    public void JUnit_has_a_test_a_picture()
    {
        Report(_found, "--gate");
        XElement suites = XDocument.Load(Path.Combine(_found.Run, GateFiles.Junit)).Root!, suite = suites.Element("testsuite")!;
        Assert.Equal(("testsuites", "1", "1", "0"), (suites.Name.LocalName, (string?)suite.Attribute("tests"),
            (string?)suite.Attribute("failures"), (string?)suite.Attribute("errors")));
        XElement test = Assert.Single(suite.Elements("testcase"));
        Assert.Equal("v00", (string?)test.Attribute("name"));
        Assert.StartsWith("v00: retained, similarity 0.900", (string?)test.Element("failure")!.Attribute("message"),
            StringComparison.Ordinal);
        File.Delete(_clean.Unit("v00-prompt-0"));
        Assert.Equal(2, Report(_clean, "--gate").Code);
        Assert.Equal("1", (string?)XDocument.Load(Path.Combine(_clean.Run, GateFiles.Junit)).Root!.Attribute("errors"));
    }

    [Fact]
    public void CycloneDX_is_valid_and_carries_rates_with_intervals()
    {
        Summary summary = Dori.Reporting.Report.Write(_found.Open());
        JsonNode bom = Valid("bom-1.6.SNAPSHOT.schema.json", Path.Combine(_found.Run, ModelCardFragments.CycloneDx));
        JsonArray metrics = bom["components"]![0]!["modelCard"]!["quantitativeAnalysis"]!["performanceMetrics"]!.AsArray();
        Assert.Equal(summary.Groups.Count, metrics.Count);
        Assert.Equal("0.2065", (string?)metrics.Single(metric => (string?)metric!["slice"] == "1 verbatim"
            && ((string?)metric["type"])!.Contains("caption", StringComparison.Ordinal))!["confidenceInterval"]!["lowerBound"]);
        string yaml = File.ReadAllText(Path.Combine(_found.Run, ModelCardFragments.ModelIndex));
        Assert.StartsWith("model-index:\n- name: \"", yaml, StringComparison.Ordinal);
        Assert.Equal(summary.Groups.Count, yaml.Split("type: memorization_rate").Length - 1);
    }

    /// <summary>Read, and found to be as its published schema says.</summary>
    private static JsonNode Valid(string schema, string file)
    {
        EvaluationOptions options = new() { OutputFormat = OutputFormat.List };
        JsonNode read = JsonNode.Parse(File.ReadAllText(file))!;
        EvaluationResults results = s_schemas.Value[schema].Evaluate(JsonSerializer.SerializeToElement(read), options);
        Assert.True(results.IsValid, string.Join("\n", (results.Details ?? []).Where(detail => detail.Errors is { Count: > 0 })
            .Select(detail => $"{detail.InstanceLocation}: {string.Join("; ", detail.Errors!.Values)}").Take(10)));
        return read;
    }

    /// <summary>Each once: they are known by their ids from then on. CycloneDX's own names the two before it.</summary>
    private static readonly Lazy<Dictionary<string, JsonSchema>> s_schemas = new(() => new[]
    {
        "spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json", "bom-1.6.SNAPSHOT.schema.json", "sarif-2.1.0-rtm.5.json",
    }.ToDictionary(name => name, Schema));

    private static JsonSchema Schema(string name)
    {
        using FileStream file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Goldens", "schemas", name + ".gz"));
        using var text = new StreamReader(new GZipStream(file, CompressionMode.Decompress));
        // SARIF's is of draft 4; of what it uses only the words for ids are others in draft 7.
        return JsonSchema.FromText(text.ReadToEnd().Replace("draft-04", "draft-07", StringComparison.Ordinal)
            .Replace("\n    \"id\": \"https:", "\n    \"$id\": \"https:", StringComparison.Ordinal)
            .Replace("/spdx.schema.json", "/spdx.SNAPSHOT.schema.json", StringComparison.Ordinal) // as it is referred to
            .Replace("/jsf-0.82.schema.json", "/jsf-0.82.SNAPSHOT.schema.json", StringComparison.Ordinal));
    }

    private static (int Code, string Said) Report(SampleRun run, params string[] args)
    {
        using var console = new TestConsole();
        using var said = new StringWriter();
        int code = DoriApp.Run(["report", run.Run, "--quiet", .. args], console, said, said);
        return (code, said.ToString());
    }

    public void Dispose()
    {
        _found.Dispose();
        _clean.Dispose();
    }
}
