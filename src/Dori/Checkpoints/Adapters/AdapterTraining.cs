using System.Globalization;
using System.Text.Json;

namespace Dori.Checkpoints.Adapters;

/// <summary>A folder of pictures that an adapter was trained on.</summary>
/// <param name="Pictures">Number of pictures; null where it is not said.</param>
/// <param name="Repeats">Times that an epoch shows each of them.</param>
/// <param name="Seen">Repeats x epochs: how often the training showed each of them; null where the epochs are not said.</param>
internal sealed record AdapterDataset(string Folder, int? Pictures, int Repeats, long? Seen);

/// <summary>
/// What a file's metadata says of the training that made it, as kohya's scripts and their relatives write it (<c>ss_*</c>,
/// <c>modelspec.*</c>). Free text that may be stripped or wrong: nothing is computed from it.
/// </summary>
/// <param name="Base">The model that it was trained on.</param>
internal sealed record AdapterTraining(string? Base, string? Architecture, long? Steps, long? Epochs, bool ShuffledCaptions,
    string? TriggerPhrase, IReadOnlyList<AdapterDataset> Datasets)
{
    /// <returns>Null where the metadata says nothing of a training.</returns>
    public static AdapterTraining? Read(IReadOnlyDictionary<string, string> metadata)
    {
        long? epochs = Number(metadata, "ss_epoch") ?? Number(metadata, "ss_num_epochs"), steps = Number(metadata, "ss_steps");
        IReadOnlyList<AdapterDataset> datasets = DatasetsOf(metadata, epochs);
        string? architecture = Text(metadata, "ss_base_model_version") ?? Text(metadata, "modelspec.architecture"),
            trained = Text(metadata, "ss_sd_model_name");
        string? trigger = Text(metadata, "modelspec.trigger_phrase");
        if (epochs is null && steps is null && datasets.Count == 0 && architecture is null && trained is null && trigger is null)
            return null;
        return new AdapterTraining(trained, architecture, steps, epochs, Text(metadata, "ss_shuffle_caption") is "True", trigger, datasets);
    }

    /// <summary>How often each picture was seen, in a sentence; null where the metadata does not say.</summary>
    public string? Seen()
    {
        AdapterDataset[] known = [.. Datasets.Where(d => d.Seen is not null)];
        if (known.Length == 0) return null;
        return string.Join("; ", known.Select(d => string.Create(CultureInfo.InvariantCulture,
            $"{d.Folder}{(d.Pictures is { } n ? $" ({n} pictures)" : "")}: each seen {d.Seen:N0} times ({d.Repeats} x {Epochs:N0} "
                + $"epochs)")));
    }

    private static List<AdapterDataset> DatasetsOf(IReadOnlyDictionary<string, string> metadata, long? epochs)
    {
        var found = new List<AdapterDataset>();
        try
        {
            if (Text(metadata, "ss_dataset_dirs") is { } dirs)
            {
                using JsonDocument json = JsonDocument.Parse(dirs);
                if (json.RootElement.ValueKind == JsonValueKind.Object)
                    foreach (JsonProperty folder in json.RootElement.EnumerateObject()) Add(folder.Name, folder.Value);
            }
            if (found.Count == 0 && Text(metadata, "ss_datasets") is { } sets)
            {
                using JsonDocument json = JsonDocument.Parse(sets);
                foreach (JsonElement set in json.RootElement.EnumerateArray())
                    foreach (JsonElement subset in set.TryGetProperty("subsets", out JsonElement all) ? all.EnumerateArray() : [])
                        Add(subset.TryGetProperty("image_dir", out JsonElement folder) && folder.ValueKind == JsonValueKind.String
                            ? folder.GetString()! : "a folder", subset);
            }
        }
        catch (Exception e) when (
            e is JsonException or InvalidOperationException) { } // metadata is free text: what cannot be read is not shown
        return found;

        void Add(string folder, JsonElement value)
        {
            if (value.ValueKind != JsonValueKind.Object
                || (Int(value, "n_repeats") ?? Int(value, "num_repeats")) is not { } repeats) return;
            // ordinary pictures beside
            if (value.TryGetProperty("is_reg", out JsonElement reg) && reg.ValueKind == JsonValueKind.True) return;
            found.Add(new AdapterDataset(SafetensorsFile.Shown(folder), Int(value, "img_count"), repeats, epochs is { } n ? repeats * n
                : null));
        }
    }

    private static int? Int(JsonElement json, string key) =>
        json.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
            && number >= 0 ? number : null;

    private static string? Text(IReadOnlyDictionary<string, string> metadata, string key) => metadata.TryGetValue(key, out string? text)
        && text is not ("" or "None") ? text : null;

    private static long? Number(IReadOnlyDictionary<string, string> metadata, string key) =>
        metadata.TryGetValue(key, out string? text)
            && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number <= int.MaxValue ? number
            : null;
}
