using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using Dori.Audit;
using Dori.Mitigation;
using Dori.Tests.Audit;
using Json.Schema;

namespace Dori.Tests.House;

/// <summary>
/// docs/schemas is what the program writes: made from the types that write it, by this test with DORI_WRITE_SCHEMAS=1, and held against
/// files that it wrote.
/// </summary>
public sealed class SchemaTests : IDisposable
{
    private readonly SampleRun _sample = new();

    public static TheoryData<string> Names => [.. s_types.Keys];

    private static readonly Dictionary<string, JsonTypeInfo> s_types = new()
    {
        ["manifest"] = AuditJson.Default.Manifest, ["unit"] = AuditJson.Default.UnitRecord, ["summary"] = AuditJson.Default.Summary,
        ["run"] = AuditJson.Default.RunLog, ["compare"] = CompareJson.Default.Comparison,
        ["mitigation"] = MitigationJson.Default.MitigationRecord,
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void A_published_schema_is_that_of_its_type(string name)
    {
        string file = Published(name), now = Exported(name);
        if (Environment.GetEnvironmentVariable("DORI_WRITE_SCHEMAS") == "1") File.WriteAllText(file, now);
        Assert.True(File.Exists(file) && File.ReadAllText(file) == now,
            $"{file} is not what the type says; write it anew with DORI_WRITE_SCHEMAS=1");
    }

    [Fact]
    public void What_a_run_holds_is_valid_and_what_is_changed_is_not()
    {
        Dori.Reporting.Report.Write(_sample.Open());
        _sample.Open().Begin(new RunSession(DateTimeOffset.UnixEpoch, null, "0.1.0", "", "machine 1"), "A title");
        foreach ((string name, string file) in new[]
        {
            ("manifest", "manifest.json"), ("unit", "units/v00-prompt-0.json"), ("unit", "units/c00-caption-0.json"),
            ("summary", "summary.json"), ("run", "run.json"),
        })
        {
            JsonObject record = JsonNode.Parse(File.ReadAllText(Path.Combine(_sample.Run, file)))!.AsObject();
            Assert.Empty(Problems(name, record));
            foreach (string member in record.Select(member => member.Key).ToArray())
            {
                JsonObject wrong = record.DeepClone().AsObject();
                wrong[member] = new JsonObject { ["no"] = "such" };
                Assert.NotEmpty(Problems(name, wrong));
            }
            record["unheardOf"] = 1;
            Assert.NotEmpty(Problems(name, record));
        }
    }

    private static string[] Problems(string name, JsonNode record)
    {
        EvaluationResults results = JsonSchema.FromText(File.ReadAllText(Published(name)))
            .Evaluate(JsonSerializer.SerializeToElement(record), new EvaluationOptions { OutputFormat = OutputFormat.List });
        return results.IsValid ? [] : [.. (results.Details ?? []).Where(detail => detail.Errors is { Count: > 0 })
            .Select(detail => $"{detail.InstanceLocation}: {string.Join("; ", detail.Errors!.Values)}").DefaultIfEmpty("not valid")];
    }

    private static string Published(string name) => Path.Combine(Sources.Root, "docs", "schemas", $"{name}.schema.json");

    private static string Exported(string name)
    {
        JsonTypeInfo type = s_types[name];
        JsonObject schema = type.GetJsonSchemaAsNode(new JsonSchemaExporterOptions
        {
            TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Words,
        }).AsObject();
        var titled = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = $"dori: {name}",
        };
        foreach ((string key, JsonNode? value) in schema.ToArray())
        {
            schema.Remove(key);
            titled[key] = value;
        }
        return titled.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n";
    }

    /// <summary>An enum is the words that it is written as; the exporter knows nothing of converters.</summary>
    private static JsonNode Words(JsonSchemaExporterContext context, JsonNode node)
    {
        Type type = Nullable.GetUnderlyingType(context.TypeInfo.Type) ?? context.TypeInfo.Type;
        if (!type.IsEnum) return node;
        JsonNode?[] words = [.. Enum.GetValuesAsUnderlyingType(type).Cast<object>()
            .Select(value => JsonSerializer.SerializeToNode(Enum.ToObject(type, value), context.TypeInfo.Options.GetTypeInfo(type)))];
        return new JsonObject { ["enum"] = new JsonArray(type == context.TypeInfo.Type ? words : [.. words, null]) };
    }

    public void Dispose() => _sample.Dispose();
}
