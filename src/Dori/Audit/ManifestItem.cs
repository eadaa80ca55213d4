using Dori.Pictures;

namespace Dori.Audit;

/// <param name="Folder">Where its pictures lay; for people.</param>
internal sealed record ManifestItem(string Id, string Folder, IReadOnlyList<string> Files, IReadOnlyList<string> Sha256, string Caption,
    PictureKind Kind, PictureRole Role)
{
    internal PictureItem ToPictureItem() => new(Id, Files, Caption, Kind, Role) { Folder = Folder, Sha256 = Sha256 };

    internal string? Problem()
    {
        if (Files.Count == 0 || Files.Count != Sha256.Count || Files.Any(string.IsNullOrEmpty))
            return "its files and their hashes do not match";
        return Sha256.All(RunFolder.IsHash) ? null : "a hash is none";
    }
}
