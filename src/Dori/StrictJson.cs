using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;

namespace Dori;

/// <summary>
/// JSON of a stranger's making into objects. What the deserializer lets pass and what fails only later is refused before: bytes that are
/// not UTF-8, half a surrogate pair, a key that is there twice; in records also null in a list and numbers that a float cannot hold.
/// </summary>
internal static class StrictJson
{
    /// <summary>Levels of objects and lists.</summary>
    public const int Deepest = 64;

    /// <param name="path">For the error.</param>
    /// <param name="what">As the error calls it: "a preset".</param>
    /// <param name="json">UTF-8, with or without a byte order mark.</param>
    /// <exception cref="DoriException">Says where and why.</exception>
    public static T Read<T>(string path, ReadOnlySpan<byte> json, JsonTypeInfo<T> type, string what) where T : class
    {
        try
        {
            json = json.StartsWith("\uFEFF"u8) ? json[3..] : json;
            Check(json, type.Options, isRecord: true);
            return JsonSerializer.Deserialize(json, type) ?? throw new JsonException("it holds null alone");
        }
        // The deserializer's other exceptions: values that a constructor or a converter refuses.
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or OverflowException
            or ArgumentException or NotSupportedException)
        {
            throw new DoriException($"{path}: not {what}: {e.Message}", e);
        }
    }

    /// <inheritdoc cref="Read"/>
    public static JsonObject Object(string path, byte[] json, string what)
    {
        try
        {
            using JsonDocument document = Document(json, isRecord: true);
            return document.RootElement.ValueKind == JsonValueKind.Object ? JsonObject.Create(document.RootElement.Clone())!
                : throw new JsonException("a JSON object is wanted");
        }
        catch (JsonException e)
        {
            throw new DoriException($"{path}: not {what}: {e.Message}", e);
        }
    }

    /// <summary>JSON that is looked into piece by piece; only in records may lists not hold null, nor numbers be of any size.</summary>
    /// <param name="json">UTF-8, with or without a byte order mark.</param>
    /// <exception cref="JsonException">Whatever is wrong first.</exception>
    public static JsonDocument Document(ReadOnlyMemory<byte> json, bool isRecord = false)
    {
        json = json.Span.StartsWith("\uFEFF"u8) ? json[3..] : json;
        Check(json.Span, JsonSerializerOptions.Default, isRecord);
        return JsonDocument.Parse(json);
    }

    private static void Check(ReadOnlySpan<byte> json, JsonSerializerOptions options, bool isRecord)
    {
        if (!Utf8.IsValid(json)) throw new JsonException("it is not UTF-8");
        var reader = new Utf8JsonReader(json, new JsonReaderOptions
        {
            MaxDepth = Deepest,
            CommentHandling = options.ReadCommentHandling,
            AllowTrailingCommas = options.AllowTrailingCommas,
        });
        var levels = new Level[Deepest + 1];
        int depth = 0;
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    levels[++depth] = new Level(reader.TokenType == JsonTokenType.StartArray);
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray: depth--; break;
                case JsonTokenType.PropertyName when !levels[depth].Add(Text(ref reader)):
                    throw Wrong(ref reader, "a key is there twice");
                case JsonTokenType.String: Text(ref reader); break;
                case JsonTokenType.Null when isRecord && levels[depth].IsList:
                    throw Wrong(ref reader, "null in a list");
                case JsonTokenType.Number when isRecord && !(reader.TryGetDouble(out double number) && float.IsFinite((float)number)):
                    throw Wrong(ref reader, "a number too large");
            }
        }
    }

    /// <summary>An object or a list that is open.</summary>
    private struct Level(bool isList)
    {
        private HashSet<string>? _keys; // made with the first: an empty object costs nothing

        public readonly bool IsList => isList;

        public bool Add(string key) => (_keys ??= new HashSet<string>(StringComparer.Ordinal)).Add(key);
    }

    /// <returns>The string value of a record's member at its top; null where it has none of this name.</returns>
    /// <exception cref="JsonException">Not JSON.</exception>
    public static string? Member(ReadOnlySpan<byte> json, string name)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.CurrentDepth != 1 || reader.TokenType != JsonTokenType.PropertyName || !reader.ValueTextEquals(name)) continue;
            return reader.Read() && reader.TokenType == JsonTokenType.String ? Text(ref reader) : null;
        }
        return null;
    }

    private static string Text(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong(ref reader, "half a surrogate pair");
        }
    }

    private static JsonException Wrong(ref Utf8JsonReader reader, string what) => new($"{what} (byte {reader.TokenStartIndex})");
}
