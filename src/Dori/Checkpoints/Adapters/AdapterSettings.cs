using System.Text.Json;
using System.Text.RegularExpressions;

namespace Dori.Checkpoints.Adapters;

/// <summary>
/// PEFT's settings of an adapter: rank and alpha of all layers and, by patterns, of single ones. They stand in <c>adapter_config.json</c>
/// beside the weights, or in the file's metadata as diffusers writes it (<c>lora_adapter_metadata</c>, keys that begin <c>unet.</c>,
/// <c>text_encoder.</c>).
/// </summary>
internal sealed class AdapterSettings
{
    private readonly string _source;
    private readonly double? _rank, _alpha;
    private readonly IReadOnlyList<(string Key, double Value)> _ranks, _alphas;

    private AdapterSettings(string source, JsonElement json, string prefix)
    {
        _source = source;
        _rank = Number(json, prefix + "r");
        _alpha = Number(json, prefix + "lora_alpha");
        _ranks = Pattern(json, prefix + "rank_pattern");
        _alphas = Pattern(json, prefix + "alpha_pattern");
        RankStabilised = Flag(json, prefix + "use_rslora");
        if (Flag(json, prefix + "use_dora"))
            throw new DoriException(
                $"{source}: DoRA ({prefix}use_dora is true); only plain LoRA is read: merge it into its base in Python (fuse_lora, "
                + "save_pretrained)");
    }

    /// <summary>alpha / sqrt(rank) in place of alpha / rank (Kalajdzievski 2023).</summary>
    public bool RankStabilised { get; }

    /// <summary>Alpha of a layer; null where the settings do not speak of it.</summary>
    public double? Alpha(string layer) => Of(_alphas, layer) ?? _alpha;

    /// <exception cref="DoriException">The settings give another rank than the layer's tensors have.</exception>
    public void CheckRank(string layer, long rank)
    {
        if ((Of(_ranks, layer) ?? _rank) is { } said && said != rank)
            throw new DoriException(
                $"{_source}: says rank {said} for {layer}, its tensors have {rank}; settings and weights do not belong together");
    }

    /// <summary>From a file's metadata; a part without settings is absent.</summary>
    /// <exception cref="DoriException">Not JSON, or values of other kinds.</exception>
    public static IReadOnlyDictionary<AdapterPart, AdapterSettings> FromMetadata(SafetensorsFile file)
    {
        var parts = new Dictionary<AdapterPart, AdapterSettings>();
        if (!file.Metadata.TryGetValue("lora_adapter_metadata", out string? text)) return parts;
        using JsonDocument json = Parse($"{file.Path}, lora_adapter_metadata", text);
        foreach ((string prefix, AdapterPart part) in new[] { ("unet.", AdapterPart.UNet), ("text_encoder.", AdapterPart.Text),
            ("text_encoder_2.", AdapterPart.Text2) })
            if (json.RootElement.EnumerateObject().Any(property => property.Name.StartsWith(prefix, StringComparison.Ordinal)))
                parts.Add(part, new AdapterSettings(file.Path, json.RootElement, prefix));
        return parts;
    }

    /// <summary>From the <c>adapter_config.json</c> beside a file; null where there is none.</summary>
    /// <inheritdoc cref="FromMetadata"/>
    public static AdapterSettings? Beside(string file)
    {
        string path = ConfigPath(file);
        if (!File.Exists(path)) return null;
        using JsonDocument json = Parse(path, InputFile.ReadText(path, InputKind.Config));
        if (json.RootElement.TryGetProperty("peft_type", out JsonElement type) && type.ValueKind == JsonValueKind.String
            && type.GetString() != "LORA")
            throw new DoriException($"{path}: peft_type is {type.GetString()}; only plain LoRA is read");
        return new AdapterSettings(path, json.RootElement, "");
    }

    public static string ConfigPath(string file) =>
        Path.Combine(Path.GetDirectoryName(file) is { Length: > 0 } folder ? folder : ".", "adapter_config.json");

    private static JsonDocument Parse(string source, string text)
    {
        try
        {
            JsonDocument json = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 32, AllowDuplicateProperties = false });
            return json.RootElement.ValueKind == JsonValueKind.Object ? json : throw new DoriException($"{source}: not a JSON object");
        }
        catch (JsonException e)
        {
            throw new DoriException($"{source}: not sound JSON: {e.Message}", e);
        }
    }

    /// <summary>
    /// A pattern's key is a layer's whole name, the end of one, or a regular expression for either; the whole name goes first.
    /// </summary>
    private double? Of(IReadOnlyList<(string Key, double Value)> pattern, string layer)
    {
        foreach ((string key, double value) in pattern)
            if (key == layer) return value;
        foreach ((string key, double value) in pattern)
        {
            try
            {
                // A stranger's expression: without backtracking it takes time in proportion to the name.
                if (Regex.IsMatch(layer, $@"\A(?:.*\.)?(?:{key})\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant))
                    return value;
            }
            catch (Exception e) when (e is ArgumentException or NotSupportedException)
            {
                throw new DoriException(
                    $"{_source}: the pattern \"{SafetensorsFile.Shown(key)}\" is no expression that can be read: {e.Message}", e);
            }
        }
        return null;
    }

    private double? Number(JsonElement json, string key)
    {
        if (!json.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null) return null;
        return Finite(value) ?? throw new DoriException($"{_source}: {key} = {SafetensorsFile.Shown(value.GetRawText())} is not a number");
    }

    private static bool Flag(JsonElement json, string key) => json.TryGetProperty(key, out JsonElement value)
        && value.ValueKind == JsonValueKind.True;

    private List<(string, double)> Pattern(JsonElement json, string key)
    {
        if (!json.TryGetProperty(key, out JsonElement value) || value.ValueKind == JsonValueKind.Null) return [];
        if (value.ValueKind != JsonValueKind.Object) throw new DoriException($"{_source}: {key} is not an object of names and numbers");
        return [.. value.EnumerateObject().Select(p => (p.Name,
            Finite(p.Value) ?? throw new DoriException(
                $"{_source}: {key} gives {SafetensorsFile.Shown(p.Name)} a value that is not a number")))];
    }

    private static double? Finite(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) ? number : null;
}
