using System.Text.Json.Serialization;
using Dori.Pictures;

namespace Dori.Audit;

/// <param name="Folder">Where its pictures lay; for people.</param>
internal sealed record ManifestItem(string Id, string Folder, IReadOnlyList<string> Files, IReadOnlyList<string> Sha256, string Caption,
    PictureKind Kind, PictureRole Role)
{
    /// <summary>How often an epoch of the training showed it; null where its folder does not say.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Repeats { get; init; }

    /// <summary>Captions beside the first, of copies of the same file; null where there are none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? OtherCaptions { get; init; }

    internal static ManifestItem Of(PictureItem item) => new(item.Id, Path.GetFullPath(item.Folder), item.Files, item.Sha256, item.Caption,
        item.Kind, item.Role)
    {
        Repeats = item.Repeats,
        OtherCaptions = item.OtherCaptions.Count == 0 ? null : item.OtherCaptions,
    };

    internal PictureItem ToPictureItem() => new(Id, Files, Caption, Kind, Role)
    {
        Folder = Folder,
        Sha256 = Sha256,
        Repeats = Repeats,
        OtherCaptions = OtherCaptions ?? [],
    };

    internal string? Problem()
    {
        if (Files.Count == 0 || Files.Count != Sha256.Count || Files.Any(string.IsNullOrEmpty))
            return "its files and their hashes do not match";
        return Sha256.All(RunFolder.IsHash) ? null : "a hash is none";
    }
}
