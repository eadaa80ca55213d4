using System.Text.Json;

namespace Dori.Models;

/// <summary><c>tokenizer.json</c>, all that newer versions of transformers write: the vocabulary and the merges in one file.</summary>
internal static class ClipTokenizerJson
{
    /// <exception cref="DoriException">Not a byte-pair encoding of CLIP's kind.</exception>
    public static (Dictionary<string, int> Vocabulary, List<(string, string)> Merges) Model(JsonElement json, string path)
    {
        JsonElement model = Member(json, "model", JsonValueKind.Object) ?? throw Wrong(path, "has no \"model\"");
        string type = Member(model, "type", JsonValueKind.String)?.GetString() ?? "BPE";
        string suffix = Member(model, "end_of_word_suffix", JsonValueKind.String)?.GetString() ?? "";
        if (type != "BPE" || suffix != "</w>") throw Wrong(path, $"is a {type} model with the word end \"{suffix}\"");
        JsonElement vocabulary = Member(model, "vocab", JsonValueKind.Object) ?? throw Wrong(path, "has no vocabulary");
        JsonElement merges = Member(model, "merges", JsonValueKind.Array) ?? throw Wrong(path, "has no merges");
        List<(string, string)> pairs = [.. merges.EnumerateArray().Select((merge, index) => Pair(merge, index, path))];
        return (ClipTokenizerFiles.Vocabulary(vocabulary, path), pairs);
    }

    internal static JsonElement? Member(JsonElement json, string name, JsonValueKind kind) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out JsonElement value) && value.ValueKind == kind
            ? value : null;

    /// <summary><c>"a b"</c>, or <c>["a", "b"]</c> in newer files.</summary>
    private static (string, string) Pair(JsonElement merge, int index, string path)
    {
        string[] pair = merge.ValueKind switch
        {
            JsonValueKind.String => merge.GetString()!.Split(' '),
            JsonValueKind.Array =>
                [.. merge.EnumerateArray().Select(part => part.ValueKind == JsonValueKind.String ? part.GetString()! : "")],
            _ => [],
        };
        return pair is [{ Length: > 0 } left, { Length: > 0 } right] ? (left, right)
            : throw Wrong(path, $"has a merge, number {index + 1}, that is not two symbols");
    }

    private static DoriException Wrong(string path, string what) =>
        new($"{path}: {what}; a CLIP tokenizer is wanted (BPE, words ending in \"</w>\")");
}
