using System.Globalization;
using System.Text.Json.Nodes;

namespace Dori.Tests.Deploy;

/// <summary>
/// The YAML that deploy/kubernetes keeps to: mappings and sequences by indentation, <c>[a, b]</c>, scalars plain or in double quotes,
/// comments on lines of their own. Anything else is an error.
/// </summary>
internal sealed class PlainYaml
{
    private readonly List<(int Indent, string Text)> _lines;
    private int _at;

    private PlainYaml(string text) => _lines = [.. text.Split('\n').Where(line => line.Trim() is { Length: > 0 } and not ['#', ..])
        .Select(line => (line.Length - line.TrimStart(' ').Length, line.Trim()))];

    public static JsonNode Parse(string text)
    {
        var yaml = new PlainYaml(text);
        JsonNode node = yaml.Block(0);
        return yaml._at == yaml._lines.Count ? node : throw yaml.Wrong("its indentation fits nothing");
    }

    private FormatException Wrong(string why) => new($"\"{_lines[_at].Text}\": {why}");

    private JsonNode Block(int indent) => _lines[_at].Text.StartsWith("- ", StringComparison.Ordinal) ? Sequence(indent) : Mapping(indent);

    private JsonArray Sequence(int indent)
    {
        var items = new JsonArray();
        while (_at < _lines.Count && _lines[_at].Indent == indent && _lines[_at].Text.StartsWith("- ", StringComparison.Ordinal))
        {
            string rest = _lines[_at].Text[2..];
            if (KeyOf(rest) is null)
            {
                items.Add(Scalar(rest));
                _at++;
                continue;
            }
            _lines[_at] = (indent + 2, rest);
            items.Add((JsonNode)Mapping(indent + 2));
        }
        return items;
    }

    private JsonObject Mapping(int indent)
    {
        var members = new JsonObject();
        while (_at < _lines.Count && _lines[_at].Indent == indent && !_lines[_at].Text.StartsWith("- ", StringComparison.Ordinal))
        {
            string text = _lines[_at].Text, key = KeyOf(text) ?? throw Wrong("a key and a colon are wanted");
            if (members.ContainsKey(key)) throw Wrong("this key is there twice");
            string value = text[(key.Length + 1)..].Trim();
            if (value.Length > 0) members[key] = Scalar(value);
            if (value.Length == 0 && (_at + 1 == _lines.Count || _lines[_at + 1].Indent <= indent)) throw Wrong("it has no value");
            _at++;
            if (value.Length == 0) members[key] = Block(_lines[_at].Indent);
        }
        return members;
    }

    private static string? KeyOf(string text) => text.IndexOf(": ", StringComparison.Ordinal) is > 0 and var colon ? text[..colon]
        : text.EndsWith(':') ? text[..^1] : null;

    private static JsonNode Scalar(string text) => text switch
    {
        ['[', .., ']'] => new JsonArray([.. text[1..^1].Split(',').Select(item => Scalar(item.Trim()))]),
        ['"', .. var quoted, '"'] => quoted,
        "true" or "false" => text == "true",
        [var first, ..] when "{&*!|>'\"%@`[]#,".Contains(first) => throw new FormatException($"{text}: more YAML than is read here"),
        _ when int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) => number,
        _ => text,
    };
}
