using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Dori.Checkpoints;

/// <summary>
/// One JSON object of a config file, read key by key. Every key that is asked for counts as known; <see cref="RefuseUnknown"/> then
/// refuses the rest. All errors are <see cref="DoriException"/>s that tell file, key, value and what is supported.
/// </summary>
internal sealed class ConfigJson
{
    private readonly JsonElement _object;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    private ConfigJson(string file, string prefix, JsonElement element, ModelNotes notes)
    {
        (File, Prefix, _object, Notes) = (file, prefix, element, notes);
        if (element.ValueKind != JsonValueKind.Object)
            throw new DoriException($"{file}: {(prefix.Length == 0 ? "the file" : prefix.TrimEnd('.'))} is not a JSON object");
    }

    public string File { get; }
    /// <summary><c>text_config.</c> within that object, else empty.</summary>
    private string Prefix { get; }
    /// <summary>Where to say what is read otherwise than it is written.</summary>
    public ModelNotes Notes { get; }
    /// <summary>The file in a note: <c>unet/config.json</c>.</summary>
    public string Place => $"{Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(File)))}/{Path.GetFileName(File)}";

    /// <exception cref="DoriException">No such file, larger than 4 MB, no JSON object, duplicate keys, deeper than 32, or what <paramref
    /// name="parse"/> refuses.</exception>
    public static T Read<T>(string path, Func<ConfigJson, T> parse, ModelNotes? notes = null) =>
        Parse(path, InputFile.ReadText(path, InputKind.Config), parse, notes);

    /// <param name="path">For messages.</param>
    /// <inheritdoc cref="Read"/>
    public static T Parse<T>(string path, string text, Func<ConfigJson, T> parse, ModelNotes? notes = null)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(WithQuotedInfinities(text),
                new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false });
            return parse(new ConfigJson(path, "", document.RootElement, notes ?? new ModelNotes()));
        }
        // A string with half a surrogate pair is only found where it is read, and is an InvalidOperationException there.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DoriException($"{path}: not sound JSON: {e.Message}", e);
        }
    }

    /// <summary>Python writes infinities and NaN bare (<c>"lambda_min_clipped": -Infinity</c>); here they become strings.</summary>
    internal static string WithQuotedInfinities(string text)
    {
        if (!text.Contains("Infinity", StringComparison.Ordinal) && !text.Contains("NaN", StringComparison.Ordinal)) return text;
        var quoted = new StringBuilder(text.Length + 16);
        bool inString = false;
        for (int i = 0; i < text.Length; i++)
        {
            string? word = inString ? null : BareWords.FirstOrDefault(w => string.CompareOrdinal(text, i, w, 0, w.Length) == 0);
            if (word is not null)
            {
                quoted.Append('"').Append(word).Append('"');
                i += word.Length - 1;
                continue;
            }
            quoted.Append(text[i]);
            if (inString && text[i] == '\\' && i + 1 < text.Length) quoted.Append(text[++i]);
            else if (text[i] == '"') inString = !inString;
        }
        return quoted.ToString();
    }

    private static readonly string[] BareWords = ["-Infinity", "Infinity", "NaN"];

    /// <summary>True where the key is there, null or not.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>True where the key is there and not null.</summary>
    public bool IsSet(string key) => Find(key) is { ValueKind: not JsonValueKind.Null };

    public ConfigJson Object(string key) => new(File, $"{Prefix}{key}.", Find(key) ?? throw Missing(key, "an object"), Notes);

    /// <summary>A whole number in [<paramref name="least"/>, <paramref name="most"/>].</summary>
    public int Int(string key, int? otherwise, int least, int most)
    {
        string supported = $"a whole number from {least} to {most}";
        if (Find(key) is not { } value) return otherwise ?? throw Missing(key, supported);
        return IsInt(value, least, most) ? value.GetInt32() : throw Refused(key, supported);
    }

    /// <summary>A finite number in [<paramref name="least"/>, <paramref name="most"/>].</summary>
    public double Number(string key, double otherwise, double least, double most)
    {
        if (Find(key) is not { } value) return otherwise;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number >= least && number <= most
            ? number
            : throw Refused(key, string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"));
    }

    /// <summary>A list of exactly <paramref name="count"/> finite numbers in [<paramref name="least"/>, <paramref name="most"/>].</summary>
    public IReadOnlyList<double> Numbers(string key, IReadOnlyList<double> otherwise, int count, double least, double most)
    {
        if (Find(key) is not { } value) return otherwise;
        return IsList(value, count) && value.GetArrayLength() == count
            && value.EnumerateArray()
                .All(item => item.ValueKind == JsonValueKind.Number && item.TryGetDouble(out double number) && number >= least
                && number <= most)
            ? [.. value.EnumerateArray().Select(item => item.GetDouble())]
            : throw Refused(key, string.Create(CultureInfo.InvariantCulture, $"a list of {count} numbers from {least} to {most}"));
    }

    /// <summary>True or false; null is false, as it is in Python.</summary>
    public bool Bool(string key, bool otherwise) => Find(key) switch
    {
        null => otherwise,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False or JsonValueKind.Null } => false,
        _ => throw Refused(key, "true, false"),
    };

    /// <summary>One of the strings <paramref name="supported"/>.</summary>
    public string Text(string key, string? otherwise, params IReadOnlyList<string> supported)
    {
        string list = string.Join(", ", supported);
        if (Find(key) is not { } value) return otherwise ?? throw Missing(key, list);
        return value.ValueKind == JsonValueKind.String && value.GetString() is { } text && supported.Contains(text) ? text
            : throw Refused(key, list);
    }

    /// <summary>A list of 1 to <paramref name="longest"/> whole numbers.</summary>
    public IReadOnlyList<int> Ints(string key, IReadOnlyList<int> otherwise, int longest, int least, int most)
    {
        if (Find(key) is not { } value) return otherwise;
        return IsList(value, longest) && value.EnumerateArray().All(item => IsInt(item, least, most))
            ? [.. value.EnumerateArray().Select(item => item.GetInt32())]
            : throw Refused(key, $"a list of 1 to {longest} whole numbers from {least} to {most}");
    }

    /// <summary>A whole number for all, or a list of <paramref name="count"/> of them.</summary>
    public IReadOnlyList<int> IntOrInts(string key, int otherwise, int count, int least, int most)
    {
        if (Find(key) is not { } value) return [.. Enumerable.Repeat(otherwise, count)];
        if (IsInt(value, least, most)) return [.. Enumerable.Repeat(value.GetInt32(), count)];
        return IsList(value, count) && value.GetArrayLength() == count && value.EnumerateArray().All(item => IsInt(item, least, most))
            ? [.. value.EnumerateArray().Select(item => item.GetInt32())]
            : throw Refused(key, $"a whole number from {least} to {most}, or a list of {count} of them");
    }

    /// <summary>A whole number, or a list that says the same one for every block (or side).</summary>
    public int IntOrEqualInts(string key, int? otherwise, int least, int most)
    {
        if (Find(key) is not { } value || !IsList(value, 100)) return Int(key, otherwise, least, most);
        JsonElement first = value[0];
        return IsInt(first, least, most) && value.EnumerateArray().All(item => IsInt(item, least, most)
            && item.GetInt32() == first.GetInt32())
            ? first.GetInt32()
            : throw Refused(key, $"a whole number from {least} to {most}, or a list of the same one");
    }

    /// <summary>A text of any content; null where the key is absent or holds something else.</summary>
    public string? TextOrNull(string key) => Find(key) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    /// <summary>The value as it stands in the file, for a sentence; <c>absent</c> where it does not.</summary>
    public string Shown(string key) => _object.TryGetProperty(key, out JsonElement value) ? Short(value.GetRawText()) : "absent";

    /// <summary>A list of <paramref name="count"/> strings, each one of <paramref name="supported"/>.</summary>
    public IReadOnlyList<string> Texts(string key, IReadOnlyList<string> otherwise, int count, params IReadOnlyList<string> supported)
    {
        string list = $"a list of {count} (the number of block_out_channels) of {string.Join(", ", supported)}";
        if (Find(key) is not { } value) return otherwise.Count == count ? otherwise : throw Missing(key, list);
        return IsList(value, count) && value.GetArrayLength() == count
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String && supported.Contains(item.GetString()))
            ? [.. value.EnumerateArray().Select(item => item.GetString()!)]
            : throw Refused(key, list);
    }

    /// <summary>A component of a <c>model_index.json</c>, <c>[library, class]</c>: refuses other ones and gives the class.</summary>
    public string Component(string key, string library, params IReadOnlyList<string> classes) =>
        Component(key, library, classes, _ => false);

    /// <param name="also">Whether a class is taken that is none of those.</param>
    /// <inheritdoc cref="Component(string, string, IReadOnlyList{string})"/>
    public string Component(string key, string library, IReadOnlyList<string> classes, Func<string, bool> also)
    {
        string list = string.Join(", ", classes.Select(name => $"[\"{library}\", \"{name}\"]"));
        if (Find(key) is not { } value) throw Missing(key, list);
        return IsList(value, 2) && value.GetArrayLength() == 2 && Equals(value[0], $"\"{library}\"")
            && value[1].ValueKind == JsonValueKind.String && value[1].GetString() is { } name
            && (classes.Contains(name) || also(name))
            ? name
            : throw Refused(key, list);
    }

    /// <summary>Refuses a key whose value is none of <paramref name="supported"/> (JSON literals); absent is supported, for it means the
    /// first of them.</summary>
    public void Only(string key, params IReadOnlyList<string> supported)
    {
        if (Find(key) is { } value && !supported.Any(literal => Equals(value, literal))) throw Refused(key, string.Join(", ", supported));
    }

    /// <summary>As <see cref="Only"/>, where a list means one value for each block.</summary>
    public void OnlyEach(string key, string literal)
    {
        if (Find(key) is not { } value || Equals(value, literal)) return;
        if (!IsList(value, 100) || !value.EnumerateArray().All(item => Equals(item, literal)))
            throw Refused(key, $"{literal}, or a list of it");
    }

    /// <summary>Keys that change nothing here.</summary>
    public void Ignore(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys) _known.Add(key);
    }

    /// <summary>Keys that change nothing here, said in <c>info</c> where one of them is there and set.</summary>
    /// <param name="why">Ends the sentence that begins with their names: "say nothing, for ...".</param>
    public void PassOver(string why, params ReadOnlySpan<string> keys)
    {
        Ignore(keys);
        var there = new List<string>();
        foreach (string key in keys)
            if (_object.TryGetProperty(key, out JsonElement value) && !SaysNothing(value)) there.Add(key);
        if (there.Count > 0) Notes.Detail($"{Place}: {ModelNotes.First(there, 12)} passed over: {why}.");
    }

    /// <summary>
    /// Keys that nobody asked for, metadata (<c>_...</c>) aside, are passed over by name where they are null, false or a list of null;
    /// any other may change the model and is refused.
    /// </summary>
    public void RefuseUnknown()
    {
        var silent = new List<string>();
        foreach (JsonProperty property in Unknown())
        {
            if (SaysNothing(property.Value))
            {
                silent.Add(property.Name);
                continue;
            }
            throw new DoriException(
                $"{File}: unknown key {Prefix}{Short(property.Name)} = {Short(property.Value.GetRawText())}; a key that is not understood "
                + $"may change the model, only null and false are passed over");
        }
        if (silent.Count > 0) Notes.Detail($"{Place}: {ModelNotes.First(silent)} passed over: not known here, and null or false.");
    }

    /// <summary>Names every key that nobody asked for and that is set, where none of them can change what is computed.</summary>
    public void PassOverUnknown()
    {
        string[] names = [.. Unknown().Where(property => !SaysNothing(property.Value)).Select(property => property.Name)];
        if (names.Length > 0) Notes.Detail($"{Place}: {ModelNotes.First(names)} passed over: not known here.");
    }

    private IEnumerable<JsonProperty> Unknown() =>
        _object.EnumerateObject().Where(property => !property.Name.StartsWith('_') && !_known.Contains(property.Name));

    private static bool SaysNothing(JsonElement value) => value.ValueKind is JsonValueKind.Null or JsonValueKind.False
        || value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Null);

    public DoriException Refused(string key, string supported) =>
        new($"{File}: {Prefix}{key} = {Shown(key)} is not supported; supported: {supported}");

    private DoriException Missing(string key, string supported) => new($"{File}: {Prefix}{key} is missing; supported: {supported}");

    private JsonElement? Find(string key)
    {
        _known.Add(key);
        return _object.TryGetProperty(key, out JsonElement value) ? value : null;
    }

    private static bool IsInt(JsonElement value, int least, int most) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= least && number <= most;

    private static bool IsList(JsonElement value, int longest) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() is int length && length >= 1 && length <= longest;

    private static bool Equals(JsonElement value, string literal) => value.ValueKind switch
    {
        JsonValueKind.String => value.ValueEquals(literal.Trim('"')) && literal.StartsWith('"'),
        JsonValueKind.Number =>
            value.TryGetDouble(out double number) && double.TryParse(literal, CultureInfo.InvariantCulture, out double other)
            && number == other,
        JsonValueKind.True => literal == "true",
        JsonValueKind.False => literal == "false",
        JsonValueKind.Null => literal == "null",
        _ => false,
    };

    private static string Short(string text) => text.Length <= 80 ? text : text[..80] + "...";
}
