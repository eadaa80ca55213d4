using System.Text;
using Dori.Pictures.Sources;

namespace Dori.Pictures;

/// <summary>Pictures with captions, kinds and roles: what an audit looks for, and its controls.</summary>
public sealed class PictureSet
{
    internal static readonly string[] Extensions = [".png", ".jpg", ".jpeg", ".webp", ".bmp"];

    internal PictureSet(IReadOnlyList<PictureItem> items, IReadOnlyList<string> warnings, IReadOnlyList<MissingPicture> missing)
    {
        Items = items;
        Warnings = warnings;
        Missing = missing;
        Sha256 = HashOf(items);
    }

    /// <summary>The folder or archive that it was read from, as it was given; for people.</summary>
    public string Path { get; private init; } = "";

    /// <summary>In the order of their first rows.</summary>
    public IReadOnlyList<PictureItem> Items { get; }

    /// <summary>What a reader of the audit should know, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>Entries of a published list without a picture; empty for a folder with metadata, where that is an error.</summary>
    internal IReadOnlyList<MissingPicture> Missing { get; }

    /// <summary>
    /// SHA-256 over every item's id, caption, kind, role, file names and picture bytes, items sorted by id; lower-case hexadecimal.
    /// Neither the folder's place nor the metadata's format counts.
    /// </summary>
    public string Sha256 { get; }

    /// <summary>
    /// Reads pictures in any of the forms of docs/pictures.md: a folder with <c>metadata.csv</c> or <c>metadata.jsonl</c>
    /// (<c>file_name</c>, <c>text</c> and, where wanted, <c>item</c>: rows of one item are references of the same memory, <c>kind</c>:
    /// verbatim, template, <c>role</c>: audit, the default, or control), one with captions in <c>.txt</c> or <c>.caption</c> files,
    /// webdatasets (.tar) and Parquet files.
    /// </summary>
    /// <param name="path">A folder, an archive, or a Parquet file.</param>
    /// <param name="captionColumn">The column that holds the captions; null: the first of the usual names.</param>
    /// <param name="caption">The prompt of pictures that have no caption of their own; empty where none has one, and that is
    /// meant.</param>
    /// <exception cref="DoriException">What is wrong, with the row's number (the header of a CSV is row 1).</exception>
    public static PictureSet Load(string path, string? captionColumn = null, string? caption = null) =>
        Load(path, new PictureReading(captionColumn, caption));

    /// <inheritdoc cref="Load(string, string, string)"/>
    internal static PictureSet Load(string path, PictureReading reading) => Of(PictureSource.Open(path, reading));

    /// <summary>A source's pictures as items, each file with its hash.</summary>
    internal static PictureSet Of(PictureSource source)
    {
        IReadOnlyList<PictureItem> items = SourceItems.Of(source);
        RefuseAuditedControls(items);
        return new PictureSet(items, [.. source.Notes, .. WarningsOf(items)], []) { Path = source.Path };
    }

    /// <summary>One picture that somebody asks about.</summary>
    /// <param name="caption">What it was trained with.</param>
    /// <exception cref="DoriException">No such picture, or no caption.</exception>
    internal static PictureSet OfFile(string path, string? caption)
    {
        if (caption is null)
            throw new DoriException($"{path}: give the caption that it was trained with, or what describes it best: `Caption` TEXT");
        var item =
            new PictureItem(new ItemIds().Unique(System.IO.Path.GetFileNameWithoutExtension(path)), [System.IO.Path.GetFileName(path)],
            caption, PictureKind.None, PictureRole.Audit)
        {
            Folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!,
            Sha256 = [InputFile.Sha256(path, InputKind.Picture)],
        };
        return new PictureSet([item], [.. WarningsOf([item])], []) { Path = path };
    }

    /// <summary>
    /// Reads a published list of memorized captions: NeMo's CSV (<c>Caption;URL;type;Index</c>, type VM or TM) or Wen's JSON lines
    /// (<c>caption</c>, <c>index</c>, <c>url</c>; no kinds). A picture belongs to an entry where the folder holds <c>INDEX.png</c> (.jpg,
    /// .jpeg, .webp), a folder <c>INDEX</c> of several references, or a file named as the URL's, where no other entry's URL has that name.
    /// </summary>
    /// <exception cref="DoriException">The list cannot be read, or none of its pictures is there.</exception>
    public static PictureSet FromCaptionList(string listFile, string picturesFolder) =>
        CaptionList.Read(listFile, picturesFolder).At(picturesFolder);

    private PictureSet At(string path) => new(Items, Warnings, Missing) { Path = path };

    /// <summary>The first <paramref name="count"/> items of each role and kind.</summary>
    public PictureSet Limit(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var kept = Items.GroupBy(item => (item.Role, item.Kind)).SelectMany(group => group.Take(count)).ToHashSet();
        return Where(kept.Contains);
    }

    /// <summary>The items that a filter keeps.</summary>
    public PictureSet Where(Func<PictureItem, bool> keep) => 
        new([.. Items.Where(keep)], Warnings, Missing) { Path = Path };

    /// <summary>This set with every item of another as its controls, in place of its own.</summary>
    /// <exception cref="DoriException">A picture is in both: it cannot be its own control.</exception>
    public PictureSet WithControls(PictureSet other)
    {
        PictureItem[] audited = [.. Items.Where(item => item.Role != PictureRole.Control)];
        int replaced = Items.Count - audited.Length;
        var ids = new ItemIds();
        List<PictureItem> items = [.. audited.Select(item => item with { Id = ids.Unique(item.Id) })];
        items.AddRange(other.Items.Select(item => item with { Id = ids.Unique(item.Id), Role = PictureRole.Control }));
        RefuseAuditedControls(items);
        IEnumerable<string> own = replaced == 0 ? [] : [$"The set's own {replaced} controls are replaced by those of the second set."];
        return new PictureSet(items, [.. Warnings, .. own, .. other.Warnings], [.. Missing, .. other.Missing]) { Path = Path };
    }

    /// <summary>
    /// A control that is itself audited would be found as often as the model holds it, and so would excuse what it should accuse.
    /// </summary>
    internal static void RefuseAuditedControls(IReadOnlyList<PictureItem> items)
    {
        var audited = new Dictionary<string, string>();
        foreach (PictureItem item in items.Where(item => item.Role != PictureRole.Control))
            foreach ((string hash, string path) in item.Sha256.Zip(item.Paths)) audited.TryAdd(hash, path);
        foreach (PictureItem control in items.Where(item => item.Role == PictureRole.Control))
            foreach ((string hash, string path) in control.Sha256.Zip(control.Paths))
                if (audited.TryGetValue(hash, out string? same))
                {
                    PictureLosses.RefuseDamaged(items); // many files that were lost in one way are alike
                    throw new DoriException(
                        $"{path}: this control is the same picture as {same}, which is to be audited; take it out of one of the two");
                }
    }

    /// <summary>Warnings that need all items: no captions, and one picture in several items.</summary>
    internal static IEnumerable<string> WarningsOf(IReadOnlyList<PictureItem> items)
    {
        PictureItem[] silent = [.. items.Where(item => item.Caption.Length == 0)];
        if (silent.Length > 0)
            yield return $"{silent.Length} items have no caption (the first: {silent[0].Files[0]}): their prompt is empty, so only the "
                + $"search speaks for them.";
        var twice = items.SelectMany(item => item.Sha256.Distinct().Select(hash => (hash, item))).GroupBy(pair => pair.hash)
            .Where(group => group.Count() > 1).ToArray();
        if (twice.Length > 0)
            yield return $"{twice.Length} pictures are in several items, such as {twice[0].First().item.Id} and {twice[0].Last().item.Id}: "
                + $"rates count them more than once.";
    }

    private static string HashOf(IReadOnlyList<PictureItem> items)
    {
        using var bytes = new MemoryStream();
        using (var writer = new BinaryWriter(bytes, Encoding.UTF8, leaveOpen: true))
        {
            // Every string carries its length, so that no two sets write the same bytes.
            foreach (PictureItem item in items.OrderBy(item => item.Id, StringComparer.Ordinal))
            {
                foreach (string field in new[] { item.Id, item.Caption, item.Kind.Text(), item.Role.Text() }) writer.Write(field);
                writer.Write(item.Files.Count);
                foreach ((string file, string hash) in item.Files.Zip(item.Sha256))
                {
                    writer.Write(file);
                    writer.Write(hash);
                }
            }
        }
        return Sha256Text.Of(bytes.ToArray());
    }
}
