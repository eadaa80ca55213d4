using System.Text.Json;

namespace Dori.Models;

/// <summary>
/// Tokens beside the vocabulary, from the four places where transformers keeps them. What the vocabulary holds under the same id is
/// no addition; what two places say of one token must agree.
/// </summary>
internal sealed class ClipAddedTokens(IReadOnlyDictionary<string, int> vocabulary)
{
    private readonly Dictionary<string, ClipAddedToken> _tokens = new(StringComparer.Ordinal);

    /// <summary>By their ids.</summary>
    public IReadOnlyList<ClipAddedToken> InOrder => [.. _tokens.Values.OrderBy(token => token.Id)];

    /// <summary><c>tokenizer.json</c>: <c>added_tokens: [{"id", "content", "normalized", "single_word"}]</c>.</summary>
    public void ReadList(JsonElement json, string path)
    {
        if (ClipTokenizerJson.Member(json, "added_tokens", JsonValueKind.Array) is not { } list) return;
        foreach (JsonElement entry in list.EnumerateArray())
            Add(path, Text(entry, path), ClipTokenizerJson.Member(entry, "id", JsonValueKind.Number), entry);
    }

    /// <summary>
    /// <c>added_tokens.json</c>: <c>{"word": id}</c>, the older form, which says nothing else: looked for after lower-casing.
    /// </summary>
    public void ReadMap(JsonElement json, string path)
    {
        foreach (JsonProperty entry in json.EnumerateObject()) Add(path, entry.Name, entry.Value, null);
    }

    /// <summary><c>tokenizer_config.json</c>: <c>added_tokens_decoder: {"id": {"content", "normalized", "single_word"}}</c>.</summary>
    public void ReadDecoder(JsonElement json, string path)
    {
        if (ClipTokenizerJson.Member(json, "added_tokens_decoder", JsonValueKind.Object) is not { } decoder) return;
        foreach (JsonProperty entry in decoder.EnumerateObject())
        {
            int? id = int.TryParse(entry.Name, out int number) ? number : null;
            Add(path, Text(entry.Value, path), id, entry.Name, entry.Value);
        }
    }

    /// <summary>
    /// <c>special_tokens_map.json</c>: <c>additional_special_tokens</c>. Such a word is looked for in the raw text; one without an id
    /// gets the next one, as in transformers.
    /// </summary>
    public void ReadAdditional(JsonElement json, string path)
    {
        if (ClipTokenizerJson.Member(json, "additional_special_tokens", JsonValueKind.Array) is not { } list) return;
        foreach (JsonElement entry in list.EnumerateArray())
        {
            string text = entry.ValueKind == JsonValueKind.String ? entry.GetString()! : Text(entry, path);
            if (_tokens.ContainsKey(text)) continue;
            int id = vocabulary.TryGetValue(text, out int known) ? known : Next();
            Add(path, text, id, $"{id}", entry.ValueKind == JsonValueKind.Object ? entry : null, normalizedUnlessSaid: false);
        }
    }

    private int Next() => Math.Max(vocabulary.Values.DefaultIfEmpty(-1).Max(),
        _tokens.Values.Select(token => token.Id).DefaultIfEmpty(-1).Max()) + 1;

    private void Add(string path, string text, JsonElement? id, JsonElement? flags) =>
        Add(path, text, id is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out int number) ? number : null,
            id?.GetRawText() ?? "none", flags);

    private void Add(string path, string text, int? id, string written, JsonElement? flags, bool normalizedUnlessSaid = true)
    {
        if (string.IsNullOrWhiteSpace(text)) throw new DoriException($"{path}: an added token is blank; copy the file anew");
        if (id is not >= 0)
            throw new DoriException($"{path}: the added token \"{text}\" has the id {written}; an id is a whole number from 0");
        int? known = vocabulary.TryGetValue(text, out int own) ? own
            : _tokens.TryGetValue(text, out ClipAddedToken before) ? before.Id : null;
        if (known is { } other && other != id)
            throw new DoriException($"{path}: the added token \"{text}\" has the id {id}, and {other} elsewhere in this folder; the "
                + "files do not belong together");
        bool special = Flag(flags, "special") ?? false;
        _tokens[text] = new ClipAddedToken(text, id.Value, Flag(flags, "normalized") ?? (normalizedUnlessSaid && !special),
            Flag(flags, "single_word") ?? false);
    }

    private static string Text(JsonElement entry, string path) =>
        ClipTokenizerJson.Member(entry, "content", JsonValueKind.String)?.GetString()
        ?? throw new DoriException($"{path}: an added token has no \"content\"; copy the file anew");

    private static bool? Flag(JsonElement? json, string name) =>
        json is { ValueKind: JsonValueKind.Object } there && there.TryGetProperty(name, out JsonElement value)
            ? value.ValueKind == JsonValueKind.True : null;
}
