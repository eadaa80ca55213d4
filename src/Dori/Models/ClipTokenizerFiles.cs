using System.Text;
using System.Text.Json;

namespace Dori.Models;

/// <summary>The tokenizer's files as transformers writes them.</summary>
internal static class ClipTokenizerFiles
{
    private const int LongestSequence = 1 << 16;

    public static ClipTokenizer Load(string folder, int unsaidLength)
    {
        string vocabularyPath = Path.Combine(folder, "vocab.json"), mergesPath = Path.Combine(folder, "merges.txt");
        string wholePath = Path.Combine(folder, "tokenizer.json");
        bool apart = File.Exists(vocabularyPath) || File.Exists(mergesPath) || !File.Exists(wholePath);
        using JsonDocument? whole = File.Exists(wholePath) ? ReadObject(wholePath) : null;
        (Dictionary<string, int> vocabulary, List<(string, string)> merges) = apart
            ? (ReadVocabulary(vocabularyPath), ReadMerges(mergesPath))
            : ClipTokenizerJson.Model(whole!.RootElement, wholePath);

        var tokens = new ClipSpecialTokens();
        int maxLength = unsaidLength;
        string configPath = Path.Combine(folder, "tokenizer_config.json"), mapPath = Path.Combine(folder, "special_tokens_map.json");
        using JsonDocument? config = File.Exists(configPath) ? ReadObject(configPath) : null;
        using JsonDocument? map = File.Exists(mapPath) ? ReadObject(mapPath) : null;
        if (config is not null)
        {
            tokens = ReadSpecial(config.RootElement, tokens, configPath);
            maxLength = ReadMaxLength(config.RootElement, configPath, unsaidLength);
        }
        if (map is not null) tokens = ReadSpecial(map.RootElement, tokens, mapPath);

        var added = new ClipAddedTokens(vocabulary);
        string addedPath = Path.Combine(folder, "added_tokens.json");
        if (whole is not null) added.ReadList(whole.RootElement, wholePath);
        if (File.Exists(addedPath))
        {
            using JsonDocument file = ReadObject(addedPath);
            added.ReadMap(file.RootElement, addedPath);
        }
        if (config is not null) added.ReadDecoder(config.RootElement, configPath);
        if (map is not null) added.ReadAdditional(map.RootElement, mapPath);
        return new ClipTokenizer(vocabulary, merges, tokens, maxLength, added.InOrder);
    }

    private static Dictionary<string, int> ReadVocabulary(string path)
    {
        using JsonDocument json = ReadObject(path);
        return Vocabulary(json.RootElement, path);
    }

    internal static Dictionary<string, int> Vocabulary(JsonElement json, string path)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty entry in json.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id < 0)
                throw new DoriException(
                    $"{path}: the token \"{entry.Name}\" has the id {entry.Value.GetRawText()}; an id is a whole number from 0");
            vocabulary[entry.Name] = id;
        }
        return vocabulary.Count > 0 ? vocabulary : throw new DoriException($"{path}: the vocabulary is empty; copy the file anew");
    }

    private static List<(string, string)> ReadMerges(string path)
    {
        var merges = new List<(string, string)>();
        string[] lines = ReadText(path).Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].TrimEnd('\r');
            if (line.Length == 0 || i == 0 && line.StartsWith("#version", StringComparison.Ordinal)) continue;
            string[] pair = line.Split(' ');
            if (pair.Length != 2 || pair[0].Length == 0 || pair[1].Length == 0)
                throw new DoriException($"{path}: line {i + 1} is not two symbols with a space between; copy the file anew");
            merges.Add((pair[0], pair[1]));
        }
        return merges;
    }

    private static ClipSpecialTokens ReadSpecial(JsonElement json, ClipSpecialTokens tokens, string path) => new()
    {
        Start = ReadToken(json, "bos_token", tokens.Start, path),
        End = ReadToken(json, "eos_token", tokens.End, path),
        Unknown = ReadToken(json, "unk_token", tokens.Unknown, path),
        Pad = ReadToken(json, "pad_token", tokens.Pad, path),
    };

    /// <summary>A token is written as its text or as an object that says how it is looked for.</summary>
    private static ClipSpecialToken ReadToken(JsonElement json, string name, ClipSpecialToken given, string path)
    {
        if (!json.TryGetProperty(name, out JsonElement value) || value.ValueKind == JsonValueKind.Null) return given;
        if (value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text) return given with { Text = text };
        if (value.ValueKind == JsonValueKind.Object
            && value.TryGetProperty("content", out JsonElement content) && content.ValueKind == JsonValueKind.String
            && content.GetString() is { Length: > 0 } inner)
        {
            bool normalized = value.TryGetProperty("normalized", out JsonElement flag)
                && flag.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? flag.GetBoolean()
                : given.Normalized;
            return new ClipSpecialToken(inner, normalized);
        }
        throw new DoriException($"{path}: {name} is neither a token nor an object with \"content\"");
    }

    private static int ReadMaxLength(JsonElement json, string path, int unsaidLength)
    {
        if (!json.TryGetProperty("model_max_length", out JsonElement value) || value.ValueKind == JsonValueKind.Null) return unsaidLength;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double length) || length < 2 || length != Math.Floor(length))
            throw new DoriException($"{path}: model_max_length is {value.GetRawText()}; it must be a whole number from 2");
        if (length > 1e9) return unsaidLength; // transformers writes 1e30 where nothing was said
        if (length > LongestSequence)
            throw new DoriException($"{path}: model_max_length is {value.GetRawText()}; the most is {LongestSequence}");
        return (int)length;
    }

    private static JsonDocument ReadObject(string path)
    {
        JsonDocument json;
        try
        {
            json = StrictJson.Document(Encoding.UTF8.GetBytes(ReadText(path)));
        }
        catch (JsonException e)
        {
            throw new DoriException($"{path}: not valid JSON ({e.Message}); copy the file anew", e);
        }
        if (json.RootElement.ValueKind == JsonValueKind.Object) return json;
        json.Dispose();
        throw new DoriException($"{path}: not a JSON object; copy the file anew");
    }

    private static string ReadText(string path)
    {
        if (!File.Exists(path))
            throw new DoriException($"{path}: no such file; a tokenizer folder holds vocab.json and merges.txt, or tokenizer.json");
        return InputFile.ReadText(path, InputKind.Tokenizer);
    }
}
