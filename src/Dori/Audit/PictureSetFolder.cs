namespace Dori.Audit;

/// <summary>Reads a Hugging Face imagefolder.</summary>
internal static class ImageFolder
{
    private sealed record Entry(MetadataTable.Row Row, string File, string Caption, string Kind, string Role);

    public static PictureSet Read(string folder)
    {
        if (!Directory.Exists(folder)) throw new DoriException($"{folder}: no such folder of pictures");
        string csv = Path.Combine(folder, "metadata.csv"), jsonLines = Path.Combine(folder, "metadata.jsonl");
        bool hasCsv = File.Exists(csv), hasJsonLines = File.Exists(jsonLines);
        if (hasCsv && hasJsonLines) throw new DoriException($"{folder}: holds both metadata.csv and metadata.jsonl; keep the one that is meant");
        if (!hasCsv && !hasJsonLines)
            throw new DoriException($"{folder}: holds no metadata.csv (or metadata.jsonl); wanted is one line a picture: file_name,text and, where wanted, item,kind,role, e.g. cat.png,\"a cat, asleep\",cat,verbatim,audit");
        string metadata = hasCsv ? csv : jsonLines;
        List<MetadataTable.Row> rows = hasCsv
            ? MetadataTable.ReadCsv(csv, ',', "file_name", "text")
            : MetadataTable.ReadJsonLines(jsonLines, "file_name");
        if (rows.Count == 0) throw new DoriException($"{metadata}: lists no pictures");
        if (rows.All(row => row["text"] is null)) throw new DoriException($"{metadata}: no row has a \"text\": the captions' field must be named so");

        var groups = new Dictionary<string, List<Entry>>();
        var order = new List<string>();
        var seen = new Dictionary<string, int>();
        foreach (MetadataTable.Row row in rows)
        {
            Entry entry = Check(folder, metadata, row);
            if (!seen.TryAdd(entry.File, row.Number)) throw new DoriException($"{metadata}: row {row.Number}: {entry.File} is listed in row {seen[entry.File]} already");
            // A file's own item must not meet a named one: no named item begins with a zero character.
            string item = string.IsNullOrWhiteSpace(row["item"]) ? "\0" + entry.File : row["item"]!.Trim();
            if (!groups.TryGetValue(item, out List<Entry>? group))
            {
                groups[item] = group = [];
                order.Add(item);
            }
            else if (group[0] is var first && (first.Caption, first.Kind, first.Role) != (entry.Caption, entry.Kind, entry.Role))
            {
                string what = first.Caption != entry.Caption ? "caption" : first.Kind != entry.Kind ? "kind" : "role";
                throw new DoriException($"{metadata}: row {row.Number}: item \"{item}\" has another {what} in row {first.Row.Number}; the rows of one item are references of one memory");
            }
            group.Add(entry);
        }

        var ids = new ItemIds();
        var items = new List<PictureItem>();
        foreach (string item in order)
        {
            List<Entry> group = groups[item];
            string[] files = [.. group.Select(entry => entry.File)];
            items.Add(new PictureItem(ids.Unique(item[0] == '\0' ? Path.GetFileNameWithoutExtension(files[0]) : item), files, group[0].Caption, group[0].Kind, group[0].Role)
            {
                Folder = folder,
                Sha256 = [.. files.Select(file => PictureSet.HashOfFile(Path.Combine(folder, file)))],
            });
        }
        PictureSet.RefuseAuditedControls(items);
        return new PictureSet(items, [.. PictureSet.WarningsOf(items), .. Unlisted(folder, seen.Keys)], []);
    }

    private static Entry Check(string folder, string metadata, MetadataTable.Row row)
    {
        string place = $"{metadata}: row {row.Number}";
        string file = (row["file_name"] ?? "").Trim();
        if (file.Length == 0) throw new DoriException($"{place}: file_name is empty");
        string[] parts = file.Split('/', '\\');
        // Not only "..": a drive, a rooted path or an empty part also leads out of the folder or hides a second name for a file.
        if (Path.IsPathRooted(file) || file.Contains(':', StringComparison.Ordinal) || file.Contains('\\', StringComparison.Ordinal) || parts.Any(part => part is "" or "." or ".."))
            throw new DoriException($"{place}: \"{file}\" is not a path inside the folder; write it relative, with forward slashes");
        if (!File.Exists(Path.Combine(folder, file))) throw new DoriException($"{place}: there is no picture {file}; add it or take the row out");
        string kind = (row["kind"] ?? "").Trim(), role = (row["role"] ?? "").Trim();
        if (role.Length == 0) role = "audit";
        if (!PictureSet.Kinds.Contains(kind)) throw new DoriException($"{place}: unknown kind \"{kind}\"; known: verbatim, template, or empty");
        if (!PictureSet.Roles.Contains(role)) throw new DoriException($"{place}: unknown role \"{role}\"; known: audit (also where empty), control");
        return new Entry(row, file, (row["text"] ?? "").Trim(), kind, role);
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
        yield return $"{unlisted.Length} pictures have no row in the metadata and are left out: {string.Join(", ", unlisted.Take(shown))}{(unlisted.Length > shown ? ", ..." : "")}.";
    }
}
