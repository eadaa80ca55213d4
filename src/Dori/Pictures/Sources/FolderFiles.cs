using System.Text.RegularExpressions;

namespace Dori.Pictures.Sources;

/// <summary>What lies in a folder and below it, by what it is. Names are relative, with forward slashes, sorted.</summary>
internal sealed partial class FolderFiles
{
    private const int Deepest = 8, Most = 1_000_000;

    /// <summary>Folders beside a training's pictures that hold no pictures it was shown as its own.</summary>
    private static readonly Dictionary<string, string> s_passed = new(StringComparer.OrdinalIgnoreCase)
    {
        ["reg"] = Ordinary, ["regularization"] = Ordinary, ["regularisation"] = Ordinary, ["reg_images"] = Ordinary,
        ["class_images"] = Ordinary, ["log"] = Traces, ["logs"] = Traces, ["model"] = Traces, ["models"] = Traces, ["sample"] = Samples,
        ["samples"] = Samples, ["mask"] = Masks, ["masks"] = Masks, ["conditioning"] = Masks, ["conditioning_images"] = Masks,
        ["conditioning_data"] = Masks, ["__pycache__"] = Traces,
    };

    /// <summary>Splits that a training does not see.</summary>
    private static readonly string[] s_otherSplits = ["test", "validation", "val", "valid"];

    private const string Ordinary = "ordinary pictures of a training", Traces = "traces of a training",
        Samples = "pictures that a model drew", Masks = "masks", OtherSplit = "another split than train/";

    private static readonly string[] s_unread = [".avif", ".jxl", ".gif", ".tif", ".tiff", ".heic", ".heif", ".jp2", ".svg"];

    private readonly SortedDictionary<string, (string What, int Pictures)> _folders = new(StringComparer.Ordinal);

    public List<string> Pictures { get; } = [];
    /// <summary>.txt and .caption</summary>
    public List<string> Captions { get; } = [];
    /// <summary>Pictures of formats that are not decoded.</summary>
    public List<string> Unread { get; } = [];
    /// <summary>Latents and lists that a trainer keeps for itself.</summary>
    public List<string> Caches { get; } = [];
    public List<string> Masked { get; } = [];
    /// <summary>Links to folders, and what is too deep.</summary>
    public List<string> NotEntered { get; } = [];

    public static FolderFiles In(string folder)
    {
        var files = new FolderFiles();
        files.Walk(folder, "", 0);
        return files;
    }

    private void Walk(string root, string below, int depth)
    {
        var options = new EnumerationOptions { IgnoreInaccessible = true }; // hidden ones are left out
        string folder = Path.Combine(root, below);
        foreach (string path in Directory.EnumerateFiles(folder, "*", options).Order(StringComparer.Ordinal))
        {
            if (Pictures.Count == Most) throw new DoriException($"{root}: holds more than {Most} pictures; split it");
            Take(below + Path.GetFileName(path));
        }
        string[] folders = [.. Directory.EnumerateDirectories(folder, "*", options).Select(path => Path.GetFileName(path)!)
            .Order(StringComparer.Ordinal)];
        bool splits = folders.Contains("train", StringComparer.OrdinalIgnoreCase);
        foreach (string name in folders)
        {
            string inside = $"{below}{name}/";
            string? passed = s_passed.GetValueOrDefault(name)
                ?? (splits && s_otherSplits.Contains(name, StringComparer.OrdinalIgnoreCase) ? OtherSplit : null);
            if (passed is not null) _folders[inside] = (passed, Count(Path.Combine(folder, name)));
            else if (depth == Deepest || new DirectoryInfo(Path.Combine(folder, name)).LinkTarget is not null) NotEntered.Add(inside);
            else Walk(root, inside, depth + 1);
        }
    }

    private static int Count(string folder) => Directory.EnumerateFiles(folder, "*",
        new EnumerationOptions { IgnoreInaccessible = true, RecurseSubdirectories = true, MaxRecursionDepth = Deepest }).Count(IsPicture);

    private static bool IsPicture(string path) => PictureSet.Extensions.Contains(Path.GetExtension(path).ToLowerInvariant());

    private void Take(string name)
    {
        string extension = Path.GetExtension(name).ToLowerInvariant(), stem = Path.GetFileNameWithoutExtension(name);
        List<string>? list = 0 switch
        {
            _ when IsPicture(name) => MaskName().IsMatch(stem) ? Masked : Pictures,
            _ when extension is ".txt" or ".caption" => Captions,
            _ when s_unread.Contains(extension) => Unread,
            _ when extension is ".npz" or ".npy" || stem.EndsWith("_cache", StringComparison.Ordinal) => Caches,
            _ => null,
        };
        list?.Add(name);
    }

    /// <summary>What was found and is not read, a sentence each.</summary>
    /// <param name="listed">Names that are read all the same, since a table lists them.</param>
    public IEnumerable<string> PassedOver(IReadOnlyCollection<string> listed)
    {
        foreach ((string folder, (string what, int pictures)) in _folders)
            if (pictures > 0 && !listed.Any(name => name.StartsWith(folder, StringComparison.Ordinal)))
                yield return $"{folder} is passed over ({what}; {(pictures == 1 ? "1 picture" : $"{pictures} pictures")}).";
        foreach ((List<string> all, string what) in new[]
        {
            (Unread, "pictures are of a format that is not read (PNG, JPEG, WebP and BMP are) and are left out"),
            (Masked, "masks (-masklabel, -condlabel) are passed over"), (Caches, "caches of a trainer are passed over"),
            (NotEntered, "folders are links, or too deep, and not entered"),
        })
            if (all.Except(listed).ToArray() is { Length: > 0 } names)
                yield return $"{names.Length} {what}: {Checkpoints.ModelNotes.First(names)}.";
    }

    [GeneratedRegex(@"-(mask|cond)label\d*$", RegexOptions.IgnoreCase)]
    private static partial Regex MaskName();
}
