namespace Dori.Checkpoints;

/// <summary>What to say where a path that was given for a model is none: what lies there, and what to do about it.</summary>
internal static class NoModel
{
    private const string Index = "model_index.json";
    private const string Wanted = $"a model is a diffusers folder: {Index} beside unet/, vae/, text_encoder/, tokenizer/ and scheduler/";
    /// <summary>Last parts of the keys by which adapters are known, whoever wrote them.</summary>
    private static readonly string[] AdapterParts = ["lora_", ".lora.", "_lora.", "lora_linear_layer", "hada_", "lokr_", "oft_",
        ".dora_scale"];

    /// <param name="path">Holds no <c>model_index.json</c>.</param>
    public static DoriException At(string path)
    {
        if (File.Exists(path)) return new DoriException(SingleFile(path));
        if (!Directory.Exists(path)) return new DoriException($"{path}: no such folder; {Wanted}");
        if (Snapshot(path) is { } snapshot)
            return new DoriException($"{path}: a folder of the Hugging Face cache; the model in it is {snapshot}: give that folder");
        string? single = Files(path).FirstOrDefault(IsSingleFile);
        bool adapter = single is not null && IsAdapter(single);
        if (!adapter && Near(path) is { } near) return new DoriException($"{path}: no {Index}; there is one in {near}: give that folder");
        return new DoriException(single is null ? $"{path}: no {Index}; {Wanted}" : $"{path}: no {Index}. {SingleFile(single)}");
    }

    private static string SingleFile(string path)
    {
        if (!IsSingleFile(path)) return $"{path}: a file; {Wanted}";
        if (IsAdapter(path))
            return $"{path}: a LoRA, an adapter that changes a base model and is none itself: give the base model's folder as MODEL and "
                + "this with `Lora`";
        string name = Path.GetFileName(path);
        return $"{path}: a file; {Wanted}. {name} is converted in Python by diffusers.StableDiffusionPipeline.from_single_file(\"{name}\")"
            + ".save_pretrained(\"FOLDER\")";
    }

    private static bool IsSingleFile(string path) => Path.GetExtension(path) is ".ckpt" or ".safetensors";

    /// <summary>By the keys; by the usual names where the file cannot be read.</summary>
    private static bool IsAdapter(string path)
    {
        string name = Path.GetFileName(path);
        if (name is "pytorch_lora_weights.safetensors" or "adapter_model.safetensors") return true;
        if (Path.GetExtension(path) != ".safetensors") return false;
        try
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return file.Tensors.Count > 0 && file.Tensors.Keys.Any(key =>
                AdapterParts.Any(part => key.Contains(part, StringComparison.Ordinal)));
        }
        catch (DoriException)
        {
            return false;
        }
    }

    /// <summary>The revision that <c>refs/main</c> names, else the newest that holds a model.</summary>
    private static string? Snapshot(string path)
    {
        string snapshots = Path.Combine(path, "snapshots"), main = Path.Combine(path, "refs", "main");
        if (!Directory.Exists(snapshots)) return null;
        if (File.Exists(main))
        {
            string named = Path.Combine(snapshots, Path.GetFileName(InputFile.ReadText(main, InputKind.Reference).Trim()));
            if (File.Exists(Path.Combine(named, Index))) return named;
        }
        return Folders(snapshots).Where(folder => File.Exists(Path.Combine(folder, Index))).MaxBy(Directory.GetLastWriteTimeUtc);
    }

    /// <summary>A model one folder above or below.</summary>
    private static string? Near(string path)
    {
        string? parent = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        if (parent is not null && File.Exists(Path.Combine(parent, Index))) return parent;
        return Folders(path).Order(StringComparer.Ordinal).FirstOrDefault(folder => File.Exists(Path.Combine(folder, Index)));
    }

    private static IEnumerable<string> Folders(string path) => Listed(() => Directory.EnumerateDirectories(path));

    private static IEnumerable<string> Files(string path) => Listed(() => Directory.EnumerateFiles(path)).Order(StringComparer.Ordinal);

    private static IReadOnlyList<string> Listed(Func<IEnumerable<string>> list)
    {
        const int most = 1000;
        try
        {
            return [.. list().Take(most)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
