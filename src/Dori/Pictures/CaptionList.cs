using Dori.Pictures.Sources;

namespace Dori.Pictures;

/// <summary>Reads the published lists of memorized captions, whose pictures the user brings.</summary>
internal static class CaptionList
{
    internal sealed record Entry(string Index, string Caption, string Url, PictureKind Kind);

    public static PictureSet Read(string listFile, string folder)
    {
        List<Entry> entries = Entries(listFile);
        if (!Directory.Exists(folder)) throw new DoriException($"{folder}: no such folder of pictures");

        // Two pictures of one URL name cannot be told apart: they need their index.
        HashSet<string> urlNames =
            [.. entries.Select(UrlName).Where(name => name.Length > 0).GroupBy(name => name).Where(group => group.Count() == 1)
            .Select(group => group.Key)];
        var ids = new ItemIds();
        var items = new List<PictureItem>();
        var missing = new List<MissingPicture>();
        foreach (Entry entry in entries)
        {
            string[] files = Files(listFile, folder, entry, urlNames);
            if (files.Length == 0)
            {
                missing.Add(new MissingPicture(entry.Index, entry.Caption, entry.Url));
                continue;
            }
            items.Add(new PictureItem(ids.Unique(entry.Index), files, entry.Caption, entry.Kind, PictureRole.Audit)
            {
                Folder = folder,
                Sha256 = [.. files.Select(file => InputFile.Sha256(Path.Combine(folder, file), InputKind.Picture))],
            });
        }
        if (items.Count == 0)
            throw new DoriException(
                $"{folder}: holds none of the {entries.Count} pictures of {listFile}; name each after its index, such as "
                + $"{entries[0].Index}.png");
        IEnumerable<string> remains = missing.Count == 0 ? [] :
            [$"{items.Count} of the list's {entries.Count} captions have a picture; {missing.Count} are missing, such as "
                + $"{missing[0].Index} ({missing[0].Url}), and every rate is over the {items.Count}."];
        return new PictureSet(items, [.. remains, .. PictureSet.WarningsOf(items)], missing);
    }

    /// <summary>What the list itself says.</summary>
    internal static List<Entry> Entries(string listFile)
    {
        if (!File.Exists(listFile)) throw new DoriException($"{listFile}: no such list");
        bool json = Path.GetExtension(listFile).ToLowerInvariant() is ".jsonl" or ".json" or ".ndjson";
        List<MetadataTable.Row> rows = json
            ? MetadataTable.ReadJsonLines(listFile, "caption", "index", "url")
            : MetadataTable.ReadCsv(listFile, ';', "Caption", "URL", "type", "Index");
        if (rows.Count == 0) throw new DoriException($"{listFile}: lists no captions");
        var seen = new Dictionary<string, int>();
        var entries = new List<Entry>();
        foreach (MetadataTable.Row row in rows)
        {
            string index = row[json ? "index" : "Index"]!.Trim();
            if (index.Length is 0 or > 32 || !index.All(char.IsAsciiDigit))
                throw new DoriException($"{listFile}: row {row.Number}: the index \"{index}\" is not a number");
            if (!seen.TryAdd(index, row.Number))
                throw new DoriException($"{listFile}: row {row.Number}: index {index} is in row {seen[index]} already");
            PictureKind kind = json ? PictureKind.None : row["type"]!.Trim() switch
            {
                "VM" => PictureKind.Verbatim,
                "TM" => PictureKind.Template,
                string other =>
                    throw new DoriException($"{listFile}: row {row.Number}: unknown type \"{other}\"; known: VM (verbatim), TM (template)"),
            };
            entries.Add(new Entry(index, row[json ? "caption" : "Caption"]!, row[json ? "url" : "URL"]!, kind));
        }
        return entries;
    }

    private static string[] Files(string listFile, string folder, Entry entry, HashSet<string> urlNames)
    {
        string references = Path.Combine(folder, entry.Index);
        if (Directory.Exists(references))
        {
            string[] inside =
                [.. Directory.EnumerateFiles(references).Select(path => Path.GetFileName(path)!).Where(IsPicture)
                .Order(StringComparer.Ordinal)];
            if (inside.Length > 0) return [.. inside.Select(name => $"{entry.Index}/{name}")];
        }
        string[] named =
            [.. PictureSet.Extensions.Select(extension => entry.Index + extension).Where(name => File.Exists(Path.Combine(folder, name)))];
        if (named.Length > 1)
            throw new DoriException(
            $"{folder}: holds {string.Join(" and ", named)} for index {entry.Index} of {listFile}; keep one, or put several references "
            + $"into a folder {entry.Index}");
        if (named.Length == 1) return named;
        string urlName = UrlName(entry);
        return urlNames.Contains(urlName) && File.Exists(Path.Combine(folder, urlName)) ? [urlName] : [];
    }

    /// <summary>The URL's file name where it is a picture's, or empty.</summary>
    private static string UrlName(Entry entry)
    {
        if (!Uri.TryCreate(entry.Url, UriKind.Absolute, out Uri? url)) return "";
        string name = Uri.UnescapeDataString(url.AbsolutePath[(url.AbsolutePath.LastIndexOf('/') + 1)..]);
        return IsPicture(name) && name.IndexOfAny(['/', '\\', ':', '\0']) < 0 ? name : "";
    }

    private static bool IsPicture(string name) => PictureSet.Extensions.Contains(Path.GetExtension(name).ToLowerInvariant());
}
