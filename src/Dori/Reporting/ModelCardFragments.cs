using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dori.Audit;

namespace Dori.Reporting;

/// <summary>
/// The rates for those who publish the model: <c>model-card.cdx.json</c>, a CycloneDX 1.6 component with its model card's quantitative
/// analysis, and <c>model-index.yaml</c>, to be pasted into a card's header on the Hugging Face Hub.
/// </summary>
internal static class ModelCardFragments
{
    public const string CycloneDx = "model-card.cdx.json", ModelIndex = "model-index.yaml";
    internal static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    public static void Write(RunFolder run, Summary summary)
    {
        AtomicFile.WriteText(Path.Combine(run.Path, CycloneDx), CycloneDxOf(run.Manifest, summary));
        AtomicFile.WriteText(Path.Combine(run.Path, ModelIndex), ModelIndexOf(run.Manifest, summary));
    }

    internal static string CycloneDxOf(Manifest manifest, Summary summary)
    {
        JsonNode[] metrics = [.. summary.Groups.Select(group => new JsonObject
        {
            ["type"] = $"memorization rate, {How(group)}",
            ["value"] = Number(group.MemorizationRate.Value),
            ["slice"] = Slice(group),
            ["confidenceInterval"] = new JsonObject
            {
                ["lowerBound"] = Number(group.MemorizationRate.Low), ["upperBound"] = Number(group.MemorizationRate.High),
            },
        })];
        var component = new JsonObject
        {
            ["type"] = "machine-learning-model",
            ["name"] = summary.Model.Name,
            ["modelCard"] = new JsonObject
            {
                ["quantitativeAnalysis"] = new JsonObject { ["performanceMetrics"] = new JsonArray(metrics) },
                ["considerations"] = new JsonObject
                {
                    ["technicalLimitations"] = new JsonArray([.. summary.Warnings.Select(warning => JsonValue.Create(warning))]),
                },
            },
            ["properties"] = new JsonArray(Property("model-sha256", manifest.Model.Sha256), Property("copy-detector", summary.CopyDetector),
                Property("copy-detector-sha256", manifest.CopyDetector.Sha256), Property("threshold", Number(summary.Threshold)),
                Property("interval", "Wilson, 95 %; of a rate of 0 the exact one-sided bound")),
        };
        return new JsonObject
        {
            ["$schema"] = "http://cyclonedx.org/schema/bom-1.6.schema.json",
            ["bomFormat"] = "CycloneDX",
            ["specVersion"] = "1.6",
            ["version"] = 1,
            ["components"] = new JsonArray(component),
        }.ToJsonString(Indented) + "\n";
    }

    internal static string ModelIndexOf(Manifest manifest, Summary summary)
    {
        var yaml = new StringBuilder();
        yaml.Append($"model-index:\n- name: {Quoted(summary.Model.Name)}\n  results:\n");
        foreach (GroupSummary group in summary.Groups)
        {
            string interval = $"{Number(group.MemorizationRate.Low)} to {Number(group.MemorizationRate.High)}";
            yaml.Append("  - task:\n      type: text-to-image\n    dataset:\n      type: imagefolder\n"
                + $"      name: {Quoted($"{Slice(group)} pictures")}\n    metrics:\n    - type: memorization_rate\n"
                + $"      value: {Number(group.MemorizationRate.Value)}\n      name: "
                    + $"{Quoted($"{How(group)}; {group.MemorizationRate.Count} of "
                + $"{group.Images}, 95 % interval {interval}; {summary.CopyDetector} above {Number(summary.Threshold)}")}\n"
                + $"    source:\n      name: {Quoted($"dori {manifest.Version}")}\n      url: https://arxiv.org/abs/2507.16880\n");
        }
        return yaml.ToString();
    }

    private static string How(GroupSummary group) => (group.Start == AuditStart.Prompt ? "by prompt"
        : $"by search from {group.Start.Text()}, {group.Steps} steps") + (group.LowerBound ? ", at least" : "");

    private static string Slice(GroupSummary group) => $"{group.Images} {group.Group}";

    private static JsonObject Property(string name, string value) => new() { ["name"] = $"dori:{name}", ["value"] = value };

    /// <summary>A JSON string is a YAML string.</summary>
    private static string Quoted(string text) => JsonValue.Create(text)!.ToJsonString();

    private static string Number(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
