using System.Text.Json;
using Dori.Checkpoints;

namespace Dori.Pictures;

/// <summary>What a webdataset's walk has met: pictures, and captions by the key that both share.</summary>
internal sealed class OrdinaryTarMembers(string path)
{
    /// <summary>A picture's place in the archive.</summary>
    internal sealed record Picture(string Key, string Name, long Offset, int Length);

    private static readonly string[] CaptionFields = ["caption", "prompt", "text"];
    private readonly Dictionary<string, string> _texts = new(StringComparer.Ordinal), _fields = new(StringComparer.Ordinal);
    private readonly List<string> _others = [];

    public List<Picture> Pictures { get; } = [];

    /// <returns>False where the key has a caption file already.</returns>
    public bool AddText(string key, string caption) => _texts.TryAdd(key, caption);

    /// <summary>A <c>.json</c>: its caption counts where no <c>.txt</c> gives one.</summary>
    public void AddJson(string key, byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            string? caption = CaptionFields.Select(field => Text(document.RootElement, field))
                .FirstOrDefault(text => !string.IsNullOrWhiteSpace(text));
            if (caption is not null) _fields.TryAdd(key, caption.Trim());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // It says nothing about a picture; one that has no other caption is left out and counted.
        }
    }

    private static string? Text(JsonElement json, string field) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(field, out JsonElement value)
            && value.ValueKind == JsonValueKind.String
            ? value.GetString() : null;

    /// <summary>A member that is neither picture nor caption, to name where nothing else is found.</summary>
    public void AddOther(string name)
    {
        const int most = 5;
        if (_others.Count < most) _others.Add(name);
    }

    /// <summary>Pictures with their captions, in the archive's order.</summary>
    public IEnumerable<(string Caption, Picture Picture)> Captioned() =>
        Pictures.Select(picture => (Caption(picture.Key), picture)).Where(pair => pair.Item1.Length > 0);

    /// <summary>Names of the pictures without one.</summary>
    public string[] Silent() => [.. Pictures.Where(picture => Caption(picture.Key).Length == 0).Select(picture => picture.Name)];

    public DoriException NoPairs()
    {
        if (Pictures.Count == 0)
            return new DoriException($"{path}: the archive holds no pictures (KEY.png, .jpg, .jpeg or .webp with its caption in KEY.txt "
                + "or KEY.json)"
                + (_others.Count == 0 ? "" : $"; it holds {ModelNotes.First(_others)}"));
        Picture first = Pictures[0];
        string why = _texts.ContainsKey(first.Key) ? $"{first.Key}.txt is empty"
            : $"{SafetensorsFile.Shown(first.Name)} has no caption: {SafetensorsFile.Shown(first.Key)}.txt is missing";
        return new DoriException($"{path}: {why}{(Pictures.Count > 1 ? $", and so it is with all {Pictures.Count} pictures" : "")}; "
            + "ordinary pictures need a caption each");
    }

    private string Caption(string key) => _texts.TryGetValue(key, out string? text) && text.Length > 0 ? text
        : _fields.GetValueOrDefault(key, "");
}
