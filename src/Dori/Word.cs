using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Dori;

/// <summary>
/// What enums are called in files and by people: their member's name in lower case, words apart (<c>NotFound</c>: "not found"); <c>None</c>
/// is nothing.
/// </summary>
internal static partial class Word
{
    public static string Text<T>(this T value) where T : struct, Enum => Names<T>.Of[value];

    /// <returns>Null where no member is called so.</returns>
    public static T? Parse<T>(string text) where T : struct, Enum => Names<T>.Values.TryGetValue(text, out T value) ? value : null;

    /// <summary>All that there is, by commas.</summary>
    public static string All<T>() where T : struct, Enum => string.Join(", ", Names<T>.Of.Values.Where(name => name.Length > 0));

    /// <summary>A C# name in lower case, with a separator between its words.</summary>
    public static string Apart(string name, char separator) => Capital().Replace(name, $"{separator}$0").ToLowerInvariant();

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex Capital();

    private static class Names<T> where T : struct, Enum
    {
        public static readonly Dictionary<T, string> Of = Enum.GetValues<T>().ToDictionary(value => value, Name);
        public static readonly Dictionary<string, T> Values = Of.ToDictionary(pair => pair.Value, pair => pair.Key);

        private static string Name(T value) =>
            value.ToString() is var name && name == "None" ? "" : Apart(name, ' ');
    }
}

/// <summary>Writes and reads an enum as its <see cref="Word"/>, also as a key.</summary>
internal sealed class WordConverter<T> : JsonConverter<T> where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) => Parse(reader.GetString());

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(value.Text());

    public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) => Parse(reader.GetString());

    public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WritePropertyName(value.Text());

    private static T Parse(string? text) => (text is null ? null : Word.Parse<T>(text))
        ?? throw new JsonException($"\"{text}\" is none of: {Word.All<T>()}");
}
