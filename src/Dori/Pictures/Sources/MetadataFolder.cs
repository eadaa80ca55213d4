namespace Dori.Pictures.Sources;

/// <summary>A Hugging Face imagefolder: pictures beside a table of their captions.</summary>
internal static class MetadataFolder
{
    private static readonly string[] s_names = ["metadata.csv", "metadata.tsv", "metadata.jsonl"];

    /// <summary>The folder's table; null where it has none.</summary>
    /// <exception cref="DoriException">It has several.</exception>
    public static string? TableOf(string folder)
    {
        string[] found = [.. s_names.Where(name => File.Exists(Path.Combine(folder, name)))];
        if (found.Length > 1) throw new DoriException($"{folder}: holds both {found[0]} and {found[1]}; keep the one that is meant");
        return found.Length == 0 ? null : Path.Combine(folder, found[0]);
    }

    /// <param name="folder">With a table.</param>
    /// <param name="before">Notes of what led here.</param>
    public static FileSource Read(string folder, IReadOnlyList<string> before, PictureReading reading)
    {
        string metadata = TableOf(folder)!, name = Path.GetFileName(metadata);
        List<MetadataTable.Row> rows = name.EndsWith('l') ? MetadataTable.ReadJsonLines(metadata)
            : MetadataTable.ReadCsv(metadata, MetadataTable.Separator(metadata, PictureReading.FileNames));
        if (rows.Count == 0) throw new DoriException($"{metadata}: lists no pictures");
        string[] columns = [.. rows.SelectMany(row => row.Fields.Keys).Distinct(), .. rows.SelectMany(row => row.Lists).Distinct()];
        string file = PictureReading.FileNames.FirstOrDefault(columns.Contains) ?? throw new DoriException(
            $"{metadata}: has no column \"file_name\" (nor image, file or path) for the pictures' names; {PictureReading.Named(columns)}");
        string? caption = reading.CaptionOf(metadata, columns);
        if (caption is null && reading.Caption is null) PictureReading.RefuseCaptions(metadata, columns);
        var seen = new Dictionary<string, int>();
        var pictures = new List<SourcePicture>();
        foreach (MetadataTable.Row row in rows)
        {
            SourcePicture picture = Check(folder, metadata, row, file, caption);
            if (!seen.TryAdd(picture.Name, row.Number))
                throw new DoriException($"{metadata}: row {row.Number}: {picture.Name} is listed in row {seen[picture.Name]} already");
            pictures.Add(picture);
        }
        IEnumerable<string> files = file == "file_name" ? [] : [$"{name} has no column \"file_name\"; its \"{file}\" was taken for the "
            + "pictures' names."];
        return new FileSource(folder, pictures, [.. before, .. files, .. reading.Said(name, caption), .. Unlisted(folder, name, seen.Keys)],
            reading);
    }

    private static SourcePicture Check(string folder, string metadata, MetadataTable.Row row, string column, string? caption)
    {
        string place = $"{metadata}: row {row.Number}";
        string file = (row[column] ?? "").Trim();
        if (file.Length == 0) throw new DoriException($"{place}: {column} is empty");
        if (!IsInside(file))
            throw new DoriException($"{place}: \"{file}\" is not a path inside the folder; write it relative, with forward slashes");
        if (!File.Exists(Path.Combine(folder, file)))
            throw new DoriException($"{place}: there is no picture {file}; add it or take the row out");
        if (caption is not null && row.Lists.Contains(caption))
            throw new DoriException($"{place}: \"{caption}\" is a list or an object; one caption a picture, as text, is wanted");
        string kind = (row["kind"] ?? "").Trim(), role = (row["role"] ?? "").Trim(), item = (row["item"] ?? "").Trim();
        return new SourcePicture(file, caption is null ? "" : (row[caption] ?? "").Trim())
        {
            Row = place,
            Item = item.Length == 0 ? null : item,
            Kind = KindOf(place, kind),
            Role = RoleOf(place, role),
        };
    }

    /// <summary>Relative, and without a way out: a drive, a rooted path or an empty part leads out, or hides a second name.</summary>
    internal static bool IsInside(string file) =>
        !Path.IsPathRooted(file) && !file.Contains(':', StringComparison.Ordinal) && !file.Contains('\\', StringComparison.Ordinal)
            && !file.Split('/').Any(part => part is "" or "." or "..");

    internal static PictureKind KindOf(string place, string kind) => Word.Parse<PictureKind>(kind)
        ?? throw new DoriException($"{place}: unknown kind \"{kind}\"; known: {Word.All<PictureKind>()}, or empty");

    internal static PictureRole RoleOf(string place, string role) => role.Length == 0 ? PictureRole.Audit : Word.Parse<PictureRole>(role)
        ?? throw new DoriException($"{place}: unknown role \"{role}\"; known: audit (also where empty), control");

    private static IEnumerable<string> Unlisted(string folder, string table, IReadOnlyCollection<string> listed)
    {
        FolderFiles files = FolderFiles.In(folder);
        string[] unlisted = [.. files.Pictures.Except(listed).Order(StringComparer.Ordinal)];
        if (unlisted.Length > 0)
            yield return $"{unlisted.Length} pictures have no row in the metadata and are left out: "
                + $"{Checkpoints.ModelNotes.First(unlisted)}.";
        if (files.Captions.Count > 0)
            yield return $"{files.Captions.Count} caption files (.txt, .caption) are not read, since {table} gives the captions: "
                + $"{Checkpoints.ModelNotes.First(files.Captions)}.";
        foreach (string note in files.PassedOver(listed)) yield return note;
    }
}
