using System.Text.Json;

namespace Dori.Models;

/// <summary>The tokenizer's files as transformers writes them.</summary>
internal static class ClipTokenizerFiles
{
    private const int DefaultMaxLength = 77;
    /// <summary>CLIP's own files have about one megabyte; a file beyond this is something else.</summary>
    private const long LongestFile = 64 << 20;
    private const int LongestSequence = 1 << 16;

    public static ClipTokenizer Load(string folder)
    {
        Dictionary<string, int> vocabulary = ReadVocabulary(Path.Combine(folder, "vocab.json"));
        List<(string, string)> merges = ReadMerges(Path.Combine(folder, "merges.txt"));

        var tokens = new ClipSpecialTokens();
        int maxLength = DefaultMaxLength;
        string configPath = Path.Combine(folder, "tokenizer_config.json"), mapPath = Path.Combine(folder, "special_tokens_map.json");
        if (File.Exists(configPath))
        {
            using JsonDocument config = ReadObject(configPath);
            tokens = ReadSpecial(config.RootElement, tokens, configPath);
            maxLength = ReadMaxLength(config.RootElement, configPath);
        }
        if (File.Exists(mapPath))
        {
            using JsonDocument map = ReadObject(mapPath);
            tokens = ReadSpecial(map.RootElement, tokens, mapPath);
        }
        return new ClipTokenizer(vocabulary, merges, tokens, maxLength);
    }

    private static Dictionary<string, int> ReadVocabulary(string path)
    {
        using JsonDocument json = ReadObject(path);
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (JsonProperty entry in json.RootElement.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int id) || id < 0)
                throw new DoriException($"{path}: the token \"{entry.Name}\" has the id {entry.Value.GetRawText()}; an id is a whole number from 0");
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
            bool normalized = value.TryGetProperty("normalized", out JsonElement flag) && flag.ValueKind is JsonValueKind.True or JsonValueKind.False
                ? flag.GetBoolean()
                : given.Normalized;
            return new ClipSpecialToken(inner, normalized);
        }
        throw new DoriException($"{path}: {name} is neither a token nor an object with \"content\"");
    }

    private static int ReadMaxLength(JsonElement json, string path)
    {
        if (!json.TryGetProperty("model_max_length", out JsonElement value) || value.ValueKind == JsonValueKind.Null) return DefaultMaxLength;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double length) || length < 2 || length != Math.Floor(length))
            throw new DoriException($"{path}: model_max_length is {value.GetRawText()}; it must be a whole number from 2");
        if (length > 1e9) return DefaultMaxLength; // transformers writes 1e30 where nothing was said
        if (length > LongestSequence) throw new DoriException($"{path}: model_max_length is {value.GetRawText()}; the most is {LongestSequence}");
        return (int)length;
    }

    private static JsonDocument ReadObject(string path)
    {
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(ReadText(path));
        }
        catch (JsonException e)
        {
            throw new DoriException($"{path}: not valid JSON (line {e.LineNumber + 1}); copy the file anew", e);
        }
        if (json.RootElement.ValueKind == JsonValueKind.Object) return json;
        json.Dispose();
        throw new DoriException($"{path}: not a JSON object; copy the file anew");
    }

    private static string ReadText(string path)
    {
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists) throw new DoriException($"{path}: no such file; a tokenizer folder holds vocab.json and merges.txt");
            if (file.Length > LongestFile) throw new DoriException($"{path}: {file.Length >> 20} MiB is too much for a tokenizer's file");
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DoriException($"{path}: cannot be read: {e.Message}", e);
        }
    }
}
