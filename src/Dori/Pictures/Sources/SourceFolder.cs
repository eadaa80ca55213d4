using System.Text.Json;

namespace Dori.Pictures.Sources;

/// <summary>Finds out in which form a folder holds its pictures.</summary>
internal static class SourceFolder
{
    /// <summary>Where tables and shards lie below a data set's folder.</summary>
    private static readonly string[] s_below = ["train", "data", "data/train"];

    private static readonly string[] s_otherSplits = ["test", "validation", "val", "valid"];

    private const int Deepest = 8;

    /// <inheritdoc cref="PictureSource.Open"/>
    public static PictureSource Open(string folder, PictureReading reading)
    {
        if (Own(folder, folder, [], reading) is { } own) return own;
        foreach (string sub in s_below)
        {
            string path = Path.Combine(folder, sub);
            if (Directory.Exists(path) && Own(path, folder, [$"The pictures were read from {sub}/.", .. Splits(folder)], reading)
                is { } below) return below;
        }
        string[] tables = [.. Directory.EnumerateDirectories(folder).Where(sub => MetadataFolder.TableOf(sub) is not null)
            .Order(StringComparer.Ordinal)];
        if (tables.Length > 1)
            throw new DoriException($"{folder}: holds no metadata.csv (or metadata.jsonl) itself, several of its folders do: give one of "
                + $"{string.Join(", ", tables.Select(Path.GetFileName))}");
        if (tables.Length == 1)
            return MetadataFolder.Read(tables[0], [$"The pictures were read from {Path.GetFileName(tables[0])}/."], reading);
        if (Below(folder) is { Length: > 0 } tablesBelow && FolderFiles.In(folder).Pictures.Count == 0)
            return Parquet(folder, tablesBelow, [], reading);
        foreach (string json in Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
            if (Path.GetFileName(json) is "concepts.json" || IsMeta(Path.GetFileName(json)) && !HasCaptions(folder)) throw Refused(json);
        return CaptionFolder.Read(folder, [], reading);
    }

    /// <summary>The form that a folder has by what lies in it directly; null where that says nothing.</summary>
    /// <param name="root">That names are relative to: the data set's.</param>
    private static PictureSource? Own(string folder, string root, IReadOnlyList<string> before, PictureReading reading)
    {
        if (MetadataFolder.TableOf(folder) is not null) return MetadataFolder.Read(folder, before, reading);
        string[] archives = Files(folder, ".tar"), tables = Files(folder, ".parquet");
        if (archives.Length > 0)
        {
            string[] loose = [.. PictureSet.Extensions.SelectMany(extension => Files(folder, extension))];
            return TarSource.Open(root, archives, [.. before, .. Beside(tables, ".parquet files"), .. Beside(loose, "pictures")], reading);
        }
        if (tables.Length > 0) return Parquet(root, tables, before, reading);
        return Files(folder, ".arrow") is [var arrow, ..] ? throw Arrow(arrow) : null;
    }

    /// <summary>Shards of the training's split where the names say which are.</summary>
    private static ParquetSource Parquet(string root, string[] tables, IReadOnlyList<string> before, PictureReading reading)
    {
        string[] train = [.. tables.Where(path => SplitOf(root, path) == "train")], others = [.. tables.Except(train)
            .Where(path => s_otherSplits.Contains(SplitOf(root, path)))];
        if (train.Length == 0 || others.Length == 0) return ParquetSource.Open(root, tables, before, reading);
        return ParquetSource.Open(root, [.. tables.Except(others)], [.. before, $"{others.Length} .parquet files of other splits than "
            + $"train are passed over: {Checkpoints.ModelNotes.First([.. others.Select(path => Path.GetRelativePath(root, path))])}."],
            reading);
    }

    /// <summary>The split that a shard's name, or its folder's, says: <c>train-00000-of-00004.parquet</c>.</summary>
    private static string SplitOf(string root, string path)
    {
        string[] parts = [.. Path.GetRelativePath(root, path).Split('/', '\\').Select(part => part.Split('-', '.')[0])];
        return parts.LastOrDefault(part => part == "train" || s_otherSplits.Contains(part)) ?? "";
    }

    /// <summary>.parquet files anywhere below, where no picture lies about: the layout of the Hub's conversions.</summary>
    private static string[] Below(string folder)
    {
        var options = new EnumerationOptions { IgnoreInaccessible = true, RecurseSubdirectories = true, MaxRecursionDepth = Deepest };
        return [.. Directory.EnumerateFiles(folder, "*.parquet", options).Order(StringComparer.Ordinal)];
    }

    private static string[] Files(string folder, string extension) => [.. Directory.EnumerateFiles(folder)
        .Where(path => Path.GetExtension(path).Equals(extension, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Beside(string[] files, string what)
    {
        if (files.Length > 0) yield return $"{files.Length} {what} beside the archives are passed over: "
            + $"{Checkpoints.ModelNotes.First([.. files.Select(path => Path.GetFileName(path)!)])}.";
    }

    private static IEnumerable<string> Splits(string folder)
    {
        string[] others = [.. s_otherSplits.Where(split => Directory.Exists(Path.Combine(folder, split)))];
        if (others.Length > 0) yield return $"{string.Join(", ", others.Select(split => $"{split}/"))} is passed over.";
    }

    /// <summary>sd-scripts' tables for fine-tuning: meta_cap.json, meta_clean.json, meta_lat.json.</summary>
    private static bool IsMeta(string name) => name.StartsWith("meta_", StringComparison.Ordinal);

    private static bool HasCaptions(string folder) => Files(folder, ".txt").Length + Files(folder, ".caption").Length > 0;

    /// <summary>A JSON file in a picture set's place.</summary>
    public static DoriException Refused(string path)
    {
        if (ConceptsOf(path) is { Length: > 0 } folders)
            return new DoriException($"{path}: OneTrainer's list of concepts is not read; give one of its folders, with its prompt as "
                + $"`Caption` TEXT where the pictures have none: {Checkpoints.ModelNotes.First(folders)}");
        return new DoriException($"{path}: captions in one JSON file (as sd-scripts' fine-tuning keeps them) are not read; write each "
            + "beside its picture as .txt, or all as metadata.jsonl with file_name and text");
    }

    /// <summary>The folders that OneTrainer's concepts.json names.</summary>
    private static string[] ConceptsOf(string path)
    {
        try
        {
            using JsonDocument json = StrictJson.Document(InputFile.ReadBytes(path, InputKind.Metadata));
            return json.RootElement.ValueKind != JsonValueKind.Array ? [] : [.. json.RootElement.EnumerateArray().Select(concept =>
                concept.ValueKind == JsonValueKind.Object && concept.TryGetProperty("path", out JsonElement folder)
                    && folder.ValueKind == JsonValueKind.String ? folder.GetString()! : "").Where(folder => folder.Length > 0)];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    public static DoriException Arrow(string path) => new($"{path}: an Arrow file, as save_to_disk writes it; write the set with "
        + "to_parquet, and give the .parquet file or its folder");
}
