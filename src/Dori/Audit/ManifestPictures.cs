using Dori.Pictures;

namespace Dori.Audit;

/// <param name="Path">Where the originals lay; for people, nothing is read there again.</param>
/// <param name="Missing">Entries of a caption list that have no picture.</param>
internal sealed record ManifestPictures(string Path, string Sha256, IReadOnlyList<ManifestItem> Items, IReadOnlyList<string> Missing)
{
    internal static ManifestPictures Of(PictureSet set) => new(System.IO.Path.GetFullPath(set.Path.Length > 0 ? set.Path : "."), set.Sha256,
        [.. set.Items.Select(ManifestItem.Of)],
        [.. set.Missing.Select(m => $"{m.Index}: {m.Caption}")]);

    internal string ItemsKey => string.Join('\n', Items.Select(item => $"{item.Id} {item.Role.Text()} {string.Join(' ', item.Sha256)}"));
}
