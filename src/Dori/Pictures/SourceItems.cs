using Dori.Pictures.Sources;

namespace Dori.Pictures;

/// <summary>From pictures as a set lists them to items: rows of one item are references of one memory.</summary>
internal static class SourceItems
{
    /// <exception cref="DoriException">Rows of one item that say different things of it.</exception>
    public static IReadOnlyList<PictureItem> Of(PictureSource source)
    {
        var ids = new ItemIds();
        return [.. Grouped(source).Select(group => Item(source, group, ids))];
    }

    private static PictureItem Item(PictureSource source, List<int> group, ItemIds ids)
    {
        SourcePicture first = source.Pictures[group[0]];
        return new PictureItem(ids.Unique(first.Item ?? Stem(first.Name)), [.. group.Select(index => source.Pictures[index].Name)],
            first.Caption, first.Kind, first.Role)
        {
            Folder = source.Path,
            Sha256 = [.. group.Select(source.Sha256Of)],
            Repeats = first.Repeats,
            OtherCaptions = first.OtherCaptions,
            Origin = (source, group),
        };
    }

    /// <summary>A picture's name without folder and extension; a row's with its file.</summary>
    private static string Stem(string name) => name.Contains(".parquet#", StringComparison.Ordinal) ? Path.GetFileName(name)
        : Path.GetFileNameWithoutExtension(name);

    /// <summary>Indices by item, in the order of their first ones.</summary>
    private static List<List<int>> Grouped(PictureSource source)
    {
        var groups = new Dictionary<string, List<int>>();
        var order = new List<List<int>>();
        for (int index = 0; index < source.Pictures.Count; index++)
        {
            SourcePicture picture = source.Pictures[index];
            if (picture.Item is null) order.Add([index]);
            else if (!groups.TryGetValue(picture.Item, out List<int>? group)) order.Add(groups[picture.Item] = [index]);
            else
            {
                SourcePicture first = source.Pictures[group[0]];
                if ((first.Caption, first.Kind, first.Role) != (picture.Caption, picture.Kind, picture.Role))
                {
                    string what = first.Caption != picture.Caption ? "caption" : first.Kind != picture.Kind ? "kind" : "role";
                    throw new DoriException($"{picture.Row}: item \"{picture.Item}\" has another {what} in {RowOf(first)}; the rows of one "
                        + "item are references of one memory");
                }
                group.Add(index);
            }
        }
        return order;
    }

    /// <summary>"row 3" of "metadata.csv: row 3".</summary>
    private static string RowOf(SourcePicture picture) => picture.Row is not { } row ? picture.Name
        : row[(row.LastIndexOf(": ", StringComparison.Ordinal) + 2)..];
}
