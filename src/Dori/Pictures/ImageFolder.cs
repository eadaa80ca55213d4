namespace Dori.Pictures;

/// <summary>Reads a Hugging Face imagefolder.</summary>
internal static class ImageFolder
{
    private sealed record Entry(MetadataTable.Row Row, string File, string Caption, PictureKind Kind, PictureRole Role);

    private static readonly string[] Names = ["metadata.csv", "metadata.jsonl"];
    /// <summary>What captions are called, the name that is meant first.</summary>
    private static readonly string[] CaptionColumns = ["text", "caption", "prompt"];

    public static PictureSet Read(string folder)
    {
        if (!Directory.Exists(folder)) throw new DoriException($"{folder}: no such folder of pictures");
        string csv = Path.Combine(folder, "metadata.csv"), jsonLines = Path.Combine(folder, "metadata.jsonl");
        bool hasCsv = File.Exists(csv), hasJsonLines = File.Exists(jsonLines);
        if (hasCsv && hasJsonLines)
            throw new DoriException($"{folder}: holds both metadata.csv and metadata.jsonl; keep the one that is meant");
        if (!hasCsv && !hasJsonLines)
            throw new DoriException($"{folder}: holds no metadata.csv (or metadata.jsonl){WhatElse(folder)}; wanted is one line a "
                + "picture: file_name,text and, where wanted, item,kind,role, e.g. cat.png,\"a cat, asleep\",cat,verbatim,audit");
        string metadata = hasCsv ? csv : jsonLines;
        List<MetadataTable.Row> rows = hasCsv
            ? MetadataTable.ReadCsv(csv, ',', "file_name")
            : MetadataTable.ReadJsonLines(jsonLines, "file_name");
        if (rows.Count == 0) throw new DoriException($"{metadata}: lists no pictures");
        string caption = CaptionColumns.FirstOrDefault(column => rows.Any(row => row[column] is not null))
            ?? throw new DoriException($"{metadata}: no row has a \"text\" (nor caption or prompt): the captions' field must be named so; "
                + $"its columns are {string.Join(", ", rows[0].Fields.Keys.Select(column => $"\"{column}\""))}");

        List<(string Item, List<Entry> Rows)> groups = Grouped(folder, metadata, rows, caption);
        var ids = new ItemIds();
        var items = new List<PictureItem>();
        foreach ((string item, List<Entry> group) in groups)
        {
            string[] files = [.. group.Select(entry => entry.File)];
            items.Add(
                new PictureItem(ids.Unique(item[0] == '\0' ? Path.GetFileNameWithoutExtension(files[0]) : item), files, group[0].Caption,
                group[0].Kind, group[0].Role)
            {
                Folder = folder,
                Sha256 = [.. files.Select(file => InputFile.Sha256(Path.Combine(folder, file), InputKind.Picture))],
            });
        }
        PictureSet.RefuseAuditedControls(items);
        IEnumerable<string> named = caption == CaptionColumns[0] ? []
            : [$"{Path.GetFileName(metadata)} has no column \"text\"; its \"{caption}\" was taken for the captions."];
        string[] listed = [.. groups.SelectMany(group => group.Rows.Select(entry => entry.File))];
        return new PictureSet(items, [.. named, .. PictureSet.WarningsOf(items), .. Unlisted(folder, listed)], []);
    }

    /// <summary>What a folder of pictures holds in place of the metadata, for the message.</summary>
    private static string WhatElse(string folder)
    {
        const int most = 10_000;
        var options = new EnumerationOptions { IgnoreInaccessible = true };
        foreach (string sub in new[] { "train", "data" })
            if (Names.Any(name => File.Exists(Path.Combine(folder, sub, name))))
                return $"; its folder {sub}/ does: give {Path.Combine(folder, sub)}";
        string[] files = [.. Directory.EnumerateFiles(folder, "*", options).Take(most)];
        int texts = files.Count(file => Path.GetExtension(file) is ".txt" or ".caption");
        string? archive = files.Order(StringComparer.Ordinal).FirstOrDefault(file => Path.GetExtension(file) == ".tar");
        return archive is not null ? $"; it holds archives: give one of them, such as {archive}, where one is taken"
            : texts > 0 ? $"; its {texts} caption files (.txt, .caption) are not read: put their texts into metadata.csv" : "";
    }

    /// <summary>Rows by item, in the order of their first ones.</summary>
    private static List<(string Item, List<Entry> Rows)> Grouped(string folder, string metadata, List<MetadataTable.Row> rows,
        string caption)
    {
        var groups = new Dictionary<string, List<Entry>>();
        var order = new List<(string, List<Entry>)>();
        var seen = new Dictionary<string, int>();
        foreach (MetadataTable.Row row in rows)
        {
            Entry entry = Check(folder, metadata, row, caption);
            if (!seen.TryAdd(entry.File, row.Number))
                throw new DoriException($"{metadata}: row {row.Number}: {entry.File} is listed in row {seen[entry.File]} already");
            // A file's own item must not meet a named one: no named item begins with a zero character.
            string item = string.IsNullOrWhiteSpace(row["item"]) ? "\0" + entry.File : row["item"]!.Trim();
            if (!groups.TryGetValue(item, out List<Entry>? group))
            {
                groups[item] = group = [];
                order.Add((item, group));
            }
            else if (group[0] is var first && (first.Caption, first.Kind, first.Role) != (entry.Caption, entry.Kind, entry.Role))
            {
                string what = first.Caption != entry.Caption ? "caption" : first.Kind != entry.Kind ? "kind" : "role";
                throw new DoriException(
                    $"{metadata}: row {row.Number}: item \"{item}\" has another {what} in row {first.Row.Number}; the rows of one item are "
                    + $"references of one memory");
            }
            group.Add(entry);
        }
        return order;
    }

    private static Entry Check(string folder, string metadata, MetadataTable.Row row, string caption)
    {
        string place = $"{metadata}: row {row.Number}";
        string file = (row["file_name"] ?? "").Trim();
        if (file.Length == 0) throw new DoriException($"{place}: file_name is empty");
        string[] parts = file.Split('/', '\\');
        // Not only "..": a drive, a rooted path or an empty part also leads out of the folder or hides a second name for a file.
        if (Path.IsPathRooted(file) || file.Contains(':', StringComparison.Ordinal) || file.Contains('\\', StringComparison.Ordinal)
            || parts.Any(part => part is "" or "." or ".."))
            throw new DoriException($"{place}: \"{file}\" is not a path inside the folder; write it relative, with forward slashes");
        if (!File.Exists(Path.Combine(folder, file)))
            throw new DoriException($"{place}: there is no picture {file}; add it or take the row out");
        string kind = (row["kind"] ?? "").Trim(), role = (row["role"] ?? "").Trim();
        return new Entry(row, file, (row[caption] ?? "").Trim(),
            Word.Parse<PictureKind>(kind)
                ?? throw new DoriException($"{place}: unknown kind \"{kind}\"; known: {Word.All<PictureKind>()}, or empty"),
            role.Length == 0 ? PictureRole.Audit : Word.Parse<PictureRole>(role)
                ?? throw new DoriException($"{place}: unknown role \"{role}\"; known: audit (also where empty), control"));
    }

    private static IEnumerable<string> Unlisted(string folder, IReadOnlyCollection<string> listed)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true };
        string[] unlisted = [.. Directory.EnumerateFiles(folder, "*", options)
            .Where(path => PictureSet.Extensions.Contains(Path.GetExtension(path).ToLowerInvariant()))
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Except(listed)
            .Order(StringComparer.Ordinal)];
        if (unlisted.Length == 0) yield break;
        const int shown = 5;
        yield return $"{unlisted.Length} pictures have no row in the metadata and are left out: "
            + $"{string.Join(", ", unlisted.Take(shown))}{(unlisted.Length > shown ? ", ..." : "")}.";
    }
}
