using System.Text.Json;
using System.Text.Json.Nodes;
using Dori.Cli;
using Dori.Tests.House;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Deploy;

/// <summary>deploy/kubernetes against the API's schema, and its arguments against the command line.</summary>
public sealed class KubernetesTests
{
    private static readonly JsonObject s_schema =
        JsonNode.Parse(File.ReadAllText(Golden.PathOf("kubernetes_job.schema.json")))!.AsObject();

    [Theory]
    [InlineData("audit.yaml")]
    [InlineData("report.yaml")]
    public void A_file_is_what_the_API_takes(string file) => Assert.Empty(Problems(Job(file), s_schema, ""));

    [Theory]
    [InlineData("  completions: 8", "  completion: 8", "spec.completion")]
    [InlineData("  completions: 8", "  completions: eight", "spec.completions")]
    [InlineData("action: FailJob", "action: Fail", "action")]
    [InlineData("          values: [2]", "          values: two", "values")]
    [InlineData("          operator: In\n", "", "operator")]
    [InlineData("            status: \"True\"", "            status: true", "status")]
    [InlineData("              mountPath: /work", "              path: /work", "path")]
    public void What_the_API_would_refuse_is_seen(string text, string instead, string where)
    {
        string yaml = File.ReadAllText(PathOf("audit.yaml"));
        Assert.Contains(text, yaml, StringComparison.Ordinal);
        Assert.Contains(Problems(PlainYaml.Parse(yaml.Replace(text, instead, StringComparison.Ordinal)), s_schema, ""),
            problem => problem.Contains(where, StringComparison.Ordinal));
    }

    [Fact]
    public void Interruptions_are_tried_again_and_wrong_input_ends_the_job()
    {
        JsonNode spec = Job("audit.yaml")["spec"]!;
        Assert.Equal("Indexed", (string)spec["completionMode"]!);
        Assert.Equal("Never", (string)spec["template"]!["spec"]!["restartPolicy"]!); // the API's condition for a failure policy
        JsonNode[] rules = [.. spec["podFailurePolicy"]!["rules"]!.AsArray().Select(rule => rule!)];
        string Action(int code) => rules.Where(rule => rule["onExitCodes"]?["values"]!.AsArray().Any(value => (int)value! == code) == true)
            .Select(rule => (string)rule["action"]!).Single();
        Assert.Equal("FailJob", Action(DoriApp.WrongInput));
        Assert.Equal("Ignore", Action(DoriApp.Interrupted)); // started again, and no failure is counted
        string container = (string)spec["template"]!["spec"]!["containers"]![0]!["name"]!;
        Assert.All(rules.Select(rule => rule["onExitCodes"]).OfType<JsonNode>(),
            codes => Assert.Equal(container, (string)codes["containerName"]!));
    }

    [Theory]
    [InlineData("audit.yaml")]
    [InlineData("report.yaml")]
    public void The_command_line_is_one_that_dori_takes(string file)
    {
        string[] args = [.. Job(file)["spec"]!["template"]!["spec"]!["containers"]![0]!["args"]!.AsArray().Select(arg => (string)arg!)];
        using var error = new StringWriter();
        Assert.Equal(DoriApp.WrongInput, DoriApp.Run(args, new TestConsole(), TextWriter.Null, error));
        Assert.Contains("/work/", error.ToString(), StringComparison.Ordinal); // its folders are not here; nothing else is wrong
    }

    private static string PathOf(string file) => Path.Combine(Sources.Root, "deploy", "kubernetes", file);

    private static JsonNode Job(string file) => PlainYaml.Parse(File.ReadAllText(PathOf(file)));

    /// <summary>As much of JSON Schema as the file needs.</summary>
    private static IEnumerable<string> Problems(JsonNode? value, JsonNode schema, string at)
    {
        if ((string?)schema["$ref"] is { } reference)
        {
            string name = reference[(reference.LastIndexOf('/') + 1)..];
            if (s_schema["definitions"]![name] is { } definition) return Problems(value, definition, at);
            return [$"{at}: {name} is not in the copy of the schema"];
        }
        string type = value is JsonObject ? "object" : value is JsonArray ? "array" : value!.GetValueKind() switch
        {
            JsonValueKind.String => "string", JsonValueKind.True or JsonValueKind.False => "boolean", _ => "integer",
        };
        string[] wanted = schema["type"] is JsonArray several ? [.. several.Select(t => (string)t!)] : [(string)schema["type"]!];
        if (!wanted.Contains(type)) return [$"{at}: {type}, {string.Join(" or ", wanted)} is wanted"];
        if (schema["enum"] is JsonArray words && !words.Any(word => JsonNode.DeepEquals(word, value)))
            return [$"{at}: {value} is not known"];
        return value switch
        {
            JsonArray items => items.SelectMany((item, n) => Problems(item, schema["items"]!, $"{at}[{n}]")),
            JsonObject members => Members(members, schema, at),
            _ => [],
        };
    }

    private static IEnumerable<string> Members(JsonObject members, JsonNode schema, string at)
    {
        foreach (string required in schema["required"]?.AsArray().Select(name => (string)name!) ?? [])
            if (!members.ContainsKey(required)) yield return $"{at}.{required}: is missing";
        foreach ((string name, JsonNode? member) in members)
        {
            JsonNode? own = schema["properties"]?[name] ?? (schema["additionalProperties"] as JsonObject);
            if (own is null) yield return $"{at}.{name}: is not known";
            else foreach (string problem in Problems(member, own, $"{at}.{name}")) yield return problem;
        }
    }
}
