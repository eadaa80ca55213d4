
namespace Dori.Pictures.Sources;

/// <summary>
/// Pictures with captions in whatever form they lie about (docs/pictures.md): read once for names and captions, a picture's bytes when
/// asked for. Audited pictures, controls and ordinary pictures all come through here. Reading from several threads at once is safe, and
/// nothing stays open.
/// </summary>
internal abstract class PictureSource
{
    protected PictureSource(string path, IReadOnlyList<SourcePicture> pictures, IReadOnlyList<string> notes, PictureReading reading)
    {
        int filled = reading.Caption is not { Length: > 0 } ? 0 : pictures.Count(picture => picture.Caption.Length == 0);
        Path = path;
        Pictures = filled == 0 ? pictures
            : [.. pictures.Select(picture => picture.Caption.Length > 0 ? picture : picture with { Caption = reading.Caption!.Trim() })];
        IEnumerable<string> given = filled == 0 ? []
            : [$"{filled} of {pictures.Count} pictures have no caption of their own: their prompt is the one given, "
                + $"\"{reading.Caption}\"."];
        Notes = [.. notes, .. given, .. CaptionMarks.Of(Pictures)];
    }

    /// <summary>The folder or archive, as it was given.</summary>
    public string Path { get; }

    public IReadOnlyList<SourcePicture> Pictures { get; }

    /// <summary>What was passed over, or read otherwise than it is written: one sentence each.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>A picture's file, undecoded.</summary>
    public abstract byte[] Read(int index);

    /// <summary>What an error calls a picture.</summary>
    public abstract string PlaceOf(int index);

    /// <summary>One hash for all of it where its files are few; null where it is a folder of pictures.</summary>
    public virtual string? Sha256() => null;

    /// <summary>SHA-256 of a picture's file, lower-case hexadecimal.</summary>
    public virtual string Sha256Of(int index) => Pictures[index].Sha256 ?? Sha256Text.Of(Read(index));

    /// <summary>Reads a set in the form that it has.</summary>
    /// <exception cref="DoriException">There is nothing, or something that is not read: says what, and what to do.</exception>
    public static PictureSource Open(string path, PictureReading reading)
    {
        if (Directory.Exists(path)) return SourceFolder.Open(path, reading);
        if (!File.Exists(path))
            throw new DoriException($"{path}: no such folder of pictures, and no such file (.tar, .parquet) of them");
        return System.IO.Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".parquet" => ParquetSource.Open(path, [path], [], reading),
            ".json" => throw SourceFolder.Refused(path),
            ".arrow" => throw SourceFolder.Arrow(path),
            ".csv" or ".tsv" or ".jsonl" or ".txt" => throw new DoriException(
                $"{path}: a list of captions; name the folder that its pictures lie in (and the list in it metadata.csv or "
                + "metadata.jsonl)"),
            string picture when PictureSet.Extensions.Contains(picture) =>
                throw new DoriException($"{path}: one picture; name the folder that it lies in"),
            _ => TarSource.Open(path, [path], [], reading),
        };
    }

    /// <summary>One file's hash, or that of several files' hashes in their order.</summary>
    protected static string HashOf(IReadOnlyList<string> files, InputKind kind) => files is [var only] ? InputFile.Sha256(only, kind)
        : Sha256Text.Of(string.Concat(files.Select(file => InputFile.Sha256(file, kind) + "\n")));
}
