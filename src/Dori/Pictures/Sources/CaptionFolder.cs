using System.Globalization;
using System.Text.RegularExpressions;

namespace Dori.Pictures.Sources;

/// <summary>
/// Pictures with their captions in <c>.txt</c> or <c>.caption</c> files beside them, as trainers take them: flat, in folders, or in
/// sd-scripts' numbered folders, where <c>10_sks dog</c> is ten repeats an epoch, and the caption of pictures without a file.
/// </summary>
internal static partial class CaptionFolder
{
    /// <summary>A picture before copies of one file are put together.</summary>
    private sealed record Found(string Name, string Caption, int? Repeats, string Sha256);

    /// <param name="folder">Without a table of captions.</param>
    /// <param name="before">Notes of what led here.</param>
    /// <exception cref="DoriException">No pictures, or none with a caption while <c>Caption</c> was not given.</exception>
    public static FileSource Read(string folder, IReadOnlyList<string> before, PictureReading reading)
    {
        FolderFiles files = FolderFiles.In(folder);
        if (files.Pictures.Count == 0) throw NoPictures(folder, files);
        var notes = new CaptionNotes();
        Dictionary<string, string[]> captions = files.Captions.GroupBy(Stem).ToDictionary(group => group.Key, group => group.ToArray());
        var found = new List<Found>();
        foreach (string name in files.Pictures)
        {
            (int? repeats, string? named) = Numbered(folder, name);
            string? file = FileOf(name, captions, notes);
            (string caption, bool more) = file is null ? ("", false)
                : CaptionText.Read(Path.Combine(folder, file));
            if (more) notes.Further.Add(file!);
            if (file is not null && caption.Length == 0) notes.Empty.Add(file);
            if (caption.Length == 0 && named is { Length: > 0 })
            {
                notes.ByFolder.Add(name);
                caption = named;
            }
            found.Add(new Found(name, caption, repeats, InputFile.Sha256(Path.Combine(folder, name), InputKind.Picture)));
        }
        notes.Unused.AddRange(files.Captions.Except(notes.Used));
        SourcePicture[] pictures = [.. found.GroupBy(picture => picture.Sha256).Select(group => Joined([.. group], notes))];
        if (reading.Caption is null && pictures.All(picture => picture.Caption.Length == 0)) throw NoCaptions(folder, pictures);
        if (found.Any(picture => picture.Repeats is not null))
            notes.WithoutNumber.AddRange(found.Where(picture => picture.Repeats is null).Select(picture => picture.Name));
        IEnumerable<string> said = [.. before, .. notes.Sentences(), .. files.PassedOver([]), .. Repeats(pictures)];
        return new FileSource(folder, pictures, [.. said], reading);
    }

    /// <summary>Of <c>sub/a.png</c> and of <c>sub/a.txt</c>: <c>sub/a</c>.</summary>
    private static string Stem(string name) => name[..^Path.GetExtension(name).Length];

    /// <summary>A picture's caption file: <c>a.txt</c> or <c>a.caption</c> for a.png, or <c>a.png.txt</c>; null: it has none.</summary>
    private static string? FileOf(string name, Dictionary<string, string[]> captions, CaptionNotes notes)
    {
        string[] own = [.. captions.GetValueOrDefault(Stem(name), []), .. captions.GetValueOrDefault(name, [])];
        if (own.Length == 0) return null;
        string file = own.FirstOrDefault(caption => caption.EndsWith(".txt", StringComparison.OrdinalIgnoreCase)) ?? own[0];
        if (own.Length > 1) notes.Several.Add(name);
        if (!notes.Used.Add(file)) notes.Shared.Add(file);
        notes.Used.UnionWith(own);
        return file;
    }

    /// <summary>What the folder that a picture lies in says: <c>10_sks dog</c> is 10 repeats and "sks dog".</summary>
    private static (int? Repeats, string? Caption) Numbered(string root, string name)
    {
        int slash = name.LastIndexOf('/');
        string folder = slash >= 0 ? name[(name.LastIndexOf('/', slash - 1) + 1)..slash]
            : new DirectoryInfo(Path.TrimEndingDirectorySeparator(Path.GetFullPath(root))).Name;
        Match match = NumberedName().Match(folder);
        return match.Success && int.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int repeats)
            ? (repeats, match.Groups[2].Value.Trim()) : (null, null);
    }

    /// <summary>Copies of one file are one picture: that with the most repeats stands for it, and the repeats add up.</summary>
    private static SourcePicture Joined(Found[] copies, CaptionNotes notes)
    {
        Found[] ordered = [.. copies.OrderByDescending(copy => copy.Repeats ?? 0).ThenByDescending(copy => copy.Caption.Length > 0)];
        Found first = ordered[0];
        string[] captions = [.. ordered.Select(copy => copy.Caption).Where(caption => caption.Length > 0).Distinct()];
        if (copies.Length > 1)
            notes.Copies.Add($"{first.Name} is also {string.Join(" and ", ordered[1..].Select(copy => copy.Name))}");
        if (captions.Length > 1) notes.Choices.Add((first.Name, captions));
        return new SourcePicture(first.Name, captions.Length == 0 ? "" : captions[0])
        {
            Repeats = copies.Any(copy => copy.Repeats is not null) ? copies.Sum(copy => copy.Repeats ?? 0) : null,
            OtherCaptions = captions.Length < 2 ? [] : captions[1..],
            Sha256 = first.Sha256,
        };
    }

    private static IEnumerable<string> Repeats(SourcePicture[] pictures)
    {
        (int Repeats, int Count)[] groups = [.. pictures.Where(picture => picture.Repeats is not null)
            .GroupBy(picture => picture.Repeats!.Value).Select(group => (group.Key, group.Count())).OrderByDescending(group => group.Key)];
        if (groups.Length > 0)
            yield return "Repeats an epoch, by the folders' numbers: " + string.Join(", ", groups.Select(group =>
                $"{group.Repeats} for {group.Count} picture{(group.Count == 1 ? "" : "s")}")) + ".";
    }

    private static DoriException NoPictures(string folder, FolderFiles files)
    {
        string[] passed = [.. files.PassedOver([])];
        return new DoriException($"{folder}: holds no pictures (.png, .jpg, .jpeg, .webp, .bmp) and no metadata.csv or metadata.jsonl of "
            + "them (file_name,text and, where wanted, item,kind,role), no .tar and no .parquet"
            + (passed.Length > 0 ? $"; {string.Join(" ", passed)}" : ""));
    }

    private static DoriException NoCaptions(string folder, SourcePicture[] pictures)
    {
        bool named = pictures.Any(picture => Path.GetFileNameWithoutExtension(picture.Name).Split(' ', '_').Length > 3);
        return new DoriException($"{folder}: none of its {pictures.Length} pictures has a caption (no metadata.csv or metadata.jsonl of "
            + "file_name,text, no .txt or .caption beside them): give the prompt that they were trained with as `Caption` TEXT (\"\" for "
            + $"none: only the search speaks then){(named ? "; names that are captions themselves are not read as such" : "")}");
    }

    [GeneratedRegex(@"^(\d+)_(.*)$")]
    private static partial Regex NumberedName();
}
