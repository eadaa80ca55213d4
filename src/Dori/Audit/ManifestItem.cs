using Dori.Pictures;

namespace Dori.Audit;

/// <param name="Folder">Where its pictures lay; for people.</param>
public sealed record ManifestItem(string Id, string Folder, IReadOnlyList<string> Files, IReadOnlyList<string> Sha256, string Caption,
    string Kind, string Role)
{
    internal PictureItem ToPictureItem() => new(Id, Files, Caption, Kind, Role) { Folder = Folder, Sha256 = Sha256 };

    internal string? Problem()
    {
        if (Files.Count == 0 || Files.Count != Sha256.Count || Files.Any(string.IsNullOrEmpty))
            return "its files and their hashes do not match";
        if (!Sha256.All(RunFolder.IsHash)) return "a hash is none";
        if (!PictureSet.Roles.Contains(Role)) return $"its role is \"{Role}\"";
        return PictureSet.Kinds.Contains(Kind) ? null : $"its kind is \"{Kind}\"";
    }
}
