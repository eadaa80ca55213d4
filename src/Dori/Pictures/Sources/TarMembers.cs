using System.Text.Json;
using Dori.Checkpoints;

namespace Dori.Pictures.Sources;

/// <summary>What a webdataset's walk has met: pictures, and captions by the key that both share.</summary>
/// <param name="path">The archive, for messages.</param>
internal sealed class TarMembers(string path, PictureReading reading)
{
    /// <summary>A picture's place in the archive.</summary>
    /// <param name="Part">What its name has between key and extension: "input" of <c>s0.input.png</c>; mostly empty.</param>
    internal sealed record Picture(string Key, string Part, string Name, long Offset, int Length);

    /// <summary>A caption's file. <paramref name="More"/>: further lines, which are not read.</summary>
    private sealed record Text(string Part, string Name, string Caption, bool More);

    private static readonly string[] s_fields = ["caption", "prompt", "text"];
    private readonly Dictionary<string, List<Text>> _texts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _fields = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Picture>> _pictures = new(StringComparer.Ordinal);
    private readonly List<string> _order = [], _others = [];

    public int Count { get; private set; }

    public void AddPicture(Picture picture)
    {
        if (!_pictures.TryGetValue(picture.Key, out List<Picture>? own))
        {
            _pictures[picture.Key] = own = [];
            _order.Add(picture.Key);
        }
        if (own.Any(other => other.Part == picture.Part))
            throw new DoriException($"{path}: {SafetensorsFile.Shown(picture.Key)} has two pictures");
        own.Add(picture);
        Count++;
    }

    public void AddText(string key, string part, string name, (string Caption, bool More) text)
    {
        if (!_texts.TryGetValue(key, out List<Text>? own)) _texts[key] = own = [];
        if (own.Any(other => other.Part == part && other.Name == name))
            throw new DoriException($"{path}: {SafetensorsFile.Shown(name)} is there twice");
        own.Add(new Text(part, name, text.Caption, text.More));
    }

    /// <summary>A <c>.json</c>: its caption counts where no text gives one.</summary>
    public void AddJson(string key, byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            IEnumerable<string> fields = reading.CaptionColumn is { } named ? [named] : s_fields;
            string caption = fields.Select(field => TextOf(document.RootElement, field)).FirstOrDefault(text => text.Length > 0, "");
            if (caption.Length > 0) _fields.TryAdd(key, caption);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // It says nothing about a picture; one that has no other caption is counted.
        }
    }

    private static string TextOf(JsonElement json, string field) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(field, out JsonElement value)
            && value.ValueKind == JsonValueKind.String ? value.GetString()!.Trim() : "";

    /// <summary>A member that is neither picture nor caption, to name where nothing else is found.</summary>
    public void AddOther(string name)
    {
        const int most = 5;
        if (_others.Count < most) _others.Add(name);
    }

    /// <summary>Pictures with their captions, which may be empty, in the archive's order.</summary>
    /// <param name="notes">Takes what was chosen among several, and what was not read.</param>
    public IEnumerable<(string Caption, Picture Picture)> Captioned(TarNotes notes)
    {
        foreach (string key in _order)
        {
            Picture picture = One(key, notes);
            if (picture.Part.Length > 0) notes.Parts.Add(picture.Name);
            yield return (Caption(key, notes), picture);
        }
    }

    /// <summary>The picture of a key: the one without a part, or the only one.</summary>
    private Picture One(string key, TarNotes notes)
    {
        List<Picture> own = _pictures[key];
        if (own.Count == 1) return own[0];
        Picture plain = own.Find(picture => picture.Part.Length == 0) ?? throw new DoriException(
            $"{path}: {SafetensorsFile.Shown(key)} has several pictures, and no name says which was trained on: "
            + ModelNotes.First([.. own.Select(picture => picture.Name)]));
        notes.Further.AddRange(own.Where(picture => picture != plain).Select(picture => picture.Name));
        return plain;
    }

    private string Caption(string key, TarNotes notes)
    {
        Text? text = null;
        if (reading.CaptionColumn is null && _texts.TryGetValue(key, out List<Text>? own))
        {
            text = own.Find(one => one.Part.Length == 0) ?? own[0];
            if (own.Count > 1 && text.Part.Length > 0)
                throw new DoriException($"{path}: {SafetensorsFile.Shown(key)} has several texts, and no name says which is the caption: "
                    + ModelNotes.First([.. own.Select(one => one.Name)]));
            if (text.More) notes.Lines.Add(text.Name);
            if (text.Caption.Length > 0) return text.Caption;
        }
        return _fields.GetValueOrDefault(key, "");
    }

    public DoriException NoPictures() => new($"{path}: the archive holds no pictures (KEY.png, .jpg, .jpeg, .webp or .bmp with its "
        + $"caption in KEY.txt or KEY.json){(_others.Count == 0 ? "" : $"; it holds {ModelNotes.First(_others)}")}");

    /// <summary>Why none has a caption.</summary>
    public DoriException NoCaptions()
    {
        Picture first = _pictures[_order[0]][0];
        string why = _texts.ContainsKey(first.Key) ? $"{SafetensorsFile.Shown(first.Key)}.txt is empty"
            : $"{SafetensorsFile.Shown(first.Name)} has no caption: {SafetensorsFile.Shown(first.Key)}.txt is missing";
        return new DoriException($"{path}: {why}{(_order.Count > 1 ? $", and so it is with all {_order.Count} pictures" : "")}; give the "
            + "prompt of all as `Caption` TEXT, or the field of the .json that holds them as `CaptionColumn`");
    }
}
