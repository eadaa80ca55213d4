
namespace Dori.Pictures.Sources;

/// <summary>
/// A Hugging Face data set: pictures and captions in the rows of Parquet files. Pictures are bytes, alone or in a struct with a path, or
/// paths of files that lie beside.
/// </summary>
internal sealed class ParquetSource : PictureSource
{
    /// <summary>A picture's place: a row's bytes, or a file.</summary>
    private sealed record Place(ParquetTable Table, ParquetColumn? Column, int Group, int Row, string Shown, string? File);

    private static readonly string[] s_pictures = ["image", "jpg", "jpeg", "png", "webp", "img", "picture"];
    private static readonly string[] s_captions = [.. PictureReading.CaptionNames, "txt", "json.caption", "json.prompt", "json.text"];

    private readonly IReadOnlyList<Place> _places;
    private readonly IReadOnlyList<string> _files;
    private readonly Lock _lock = new();
    private (ParquetTable Table, int Group, byte[]?[] Bytes)? _last;

    private ParquetSource(string path, IReadOnlyList<string> files, IReadOnlyList<Place> places, IReadOnlyList<SourcePicture> pictures,
        IReadOnlyList<string> notes, PictureReading reading) : base(path, pictures, notes, reading) => (_files, _places) = (files, places);

    /// <param name="path">The file, or the folder that the files lie in.</param>
    /// <param name="files">In the order of their rows.</param>
    /// <param name="before">Notes of what led here.</param>
    public static ParquetSource Open(string path, IReadOnlyList<string> files, IReadOnlyList<string> before, PictureReading reading)
    {
        var found = new List<(Place Place, string? Path, SourcePicture Picture)>();
        List<string> lost = [], said = [];
        foreach (string file in files) Rows(new ParquetTable(file), reading, found, lost, said);
        if (found.Count == 0) throw new DoriException($"{path}: no row of its .parquet files holds a picture");
        if (reading.Caption is null && found.All(row => row.Picture.Caption.Length == 0))
            throw new DoriException($"{path}: no row of its .parquet files has a caption; name their column with `CaptionColumn`, or give "
                + "the prompt of all as `Caption` TEXT");
        // A path is a name where it is one in the whole set.
        HashSet<string> names = [.. found.Select(row => row.Path).OfType<string>().GroupBy(name => name).Where(group => group.Count() == 1)
            .Select(group => group.Key)];
        SourcePicture[] pictures = [.. found.Select(row => row.Path is { } name && names.Contains(name)
            ? row.Picture with { Name = name } : row.Picture)];
        IEnumerable<string> without = lost.Count == 0 ? []
            : [$"{lost.Count} row{(lost.Count == 1 ? " has" : "s have")} no picture and {(lost.Count == 1 ? "is" : "are")} left out: "
                + $"{Checkpoints.ModelNotes.First(lost)}."];
        return new ParquetSource(path, files, [.. found.Select(row => row.Place)], pictures, [.. before, .. said.Distinct(), .. without],
            reading);
    }

    private static void Rows(ParquetTable table, PictureReading reading, List<(Place, string?, SourcePicture)> found, List<string> lost,
        List<string> said)
    {
        string file = System.IO.Path.GetFileName(table.Path), folder = System.IO.Path.GetDirectoryName(table.Path) ?? "";
        (ParquetColumn? bytes, ParquetColumn? path) = PictureColumns(table);
        ParquetColumn? caption = CaptionColumn(table, reading);
        if (caption is not null) said.AddRange(reading.Said(file, caption.Name));
        ParquetColumn?[] further = [.. new[] { "item", "kind", "role" }.Select(name => table.Columns.FirstOrDefault(column =>
            column.Name == name && column.Type == ParquetType.Text && !column.IsList))];
        int before = 0;
        for (int group = 0; group < table.Groups.Count; before += table.Groups[group++])
        {
            byte[]?[]? files = bytes is null ? null : table.Bytes(group, bytes);
            string?[]? paths = path is null ? null : table.Texts(group, path), texts = caption is null ? null : table.Texts(group, caption);
            string?[]?[] words = [.. further.Select(column => column is null ? null : table.Texts(group, column))];
            for (int row = 0; row < table.Groups[group]; row++)
            {
                string name = $"{file}#{before + row}", place = $"{table.Path}: row {before + row}";
                string? own = paths?[row]?.Trim() is { Length: > 0 } inside && MetadataFolder.IsInside(inside) ? inside : null;
                bool stored = files?[row] is { Length: > 0 };
                string? beside = !stored && own is not null && File.Exists(System.IO.Path.Combine(folder, own))
                    ? System.IO.Path.Combine(folder, own) : null;
                if (!stored && beside is null)
                {
                    lost.Add(name);
                    continue;
                }
                var picture = new SourcePicture(name, (texts?[row] ?? "").Trim())
                {
                    Row = place,
                    Sha256 = stored ? Sha256Text.Of(files![row]!) : null,
                };
                found.Add((new Place(table, bytes, group, row, place, beside), own,
                    Told(picture, place, [.. words.Select(column => (column?[row] ?? "").Trim())])));
            }
        }
    }

    /// <summary>With what further columns say: item, kind, role.</summary>
    private static SourcePicture Told(SourcePicture picture, string place, string[] words) => picture with
    {
        Item = words[0].Length > 0 ? words[0] : null,
        Kind = MetadataFolder.KindOf(place, words[1]),
        Role = MetadataFolder.RoleOf(place, words[2]),
    };

    /// <summary>The columns of the pictures' bytes and of their paths.</summary>
    private static (ParquetColumn? Bytes, ParquetColumn? Path) PictureColumns(ParquetTable table)
    {
        foreach (string name in s_pictures)
        {
            ParquetColumn? bytes = table.Columns.FirstOrDefault(column => !column.IsList && column.Type == ParquetType.Bytes
                && (column.Name == name || column.Name == $"{name}.bytes"));
            if (bytes is null) continue;
            string? path = bytes.Name == name ? "__key__" : $"{name}.path";
            return (bytes, table.Columns.FirstOrDefault(column =>
                !column.IsList && column.Type == ParquetType.Text && column.Name == path));
        }
        return PictureReading.FileNames.Select(name => table.Columns.FirstOrDefault(column => column.Name == name && !column.IsList
            && column.Type == ParquetType.Text)).OfType<ParquetColumn>().FirstOrDefault() is { } files ? (null, files)
            : throw new DoriException($"{table.Path}: has no column of pictures (image, as bytes or as a struct of bytes and path); "
                + PictureReading.Named([.. table.Columns.Select(column => column.Name)]));
    }

    private static ParquetColumn? CaptionColumn(ParquetTable table, PictureReading reading)
    {
        string? name = reading.CaptionColumn ?? s_captions.FirstOrDefault(name => table.Columns.Any(column => Belongs(column, name)));
        if (name is null) return null;
        ParquetColumn column = table.Columns.FirstOrDefault(column => Belongs(column, name)) ?? throw new DoriException($"{table.Path}: "
            + $"has no column \"{name}\" (`CaptionColumn`); {PictureReading.Named([.. table.Columns.Select(column => column.Name)])}");
        return column is { IsList: false, Type: ParquetType.Text or ParquetType.Bytes } && column.Name == name ? column
            : throw new DoriException($"{table.Path}: row 0: \"{name}\" is {(column.IsList ? "a list of captions" : "no text")}; one "
                + "caption a picture, as text, is wanted: name another column with `CaptionColumn`");
    }

    /// <summary>A column itself, or what is in it.</summary>
    private static bool Belongs(ParquetColumn column, string name) =>
        column.Name == name || column.Name.StartsWith(name + ".", StringComparison.Ordinal);

    public override byte[] Read(int index)
    {
        Place place = _places[index];
        if (place.File is { } file) return InputFile.ReadBytes(file, InputKind.Picture);
        lock (_lock) // a group of rows is decoded as a whole, and mostly asked for row by row
        {
            if (_last is not { } last || last.Table != place.Table || last.Group != place.Group)
                _last = last = (place.Table, place.Group, place.Table.Bytes(place.Group, place.Column!));
            return last.Bytes[place.Row] ?? throw new DoriException($"{place.Shown}: the file has changed since it was opened");
        }
    }

    public override string PlaceOf(int index) => _places[index].File ?? _places[index].Shown;

    /// <summary>Null where pictures lie beside: the tables' hash is not theirs.</summary>
    public override string? Sha256() => _places.Any(place => place.File is not null) ? null : HashOf(_files, InputKind.Archive);
}
