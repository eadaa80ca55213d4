using Dori.Pictures.Sources;
using static TorchSharp.torch;

namespace Dori.Pictures;

/// <summary>One memory to look for: a caption and the pictures that are references of it.</summary>
/// <param name="Id">Safe as a file's name, unique in its set also where case does not count.</param>
/// <param name="Files">At least one, relative to <see cref="Folder"/>, with forward slashes; the first stands for the item.</param>
/// <param name="Caption">May be empty.</param>
public sealed record PictureItem(string Id, IReadOnlyList<string> Files, string Caption, PictureKind Kind, PictureRole Role)
{
    /// <summary>Where the files lie, a folder or an archive: controls may come from another one than what is audited.</summary>
    public required string Folder { get; init; }

    /// <summary>SHA-256 of each file, lower-case hexadecimal, in the order of <see cref="Files"/>.</summary>
    public required IReadOnlyList<string> Sha256 { get; init; }

    /// <summary>How often an epoch of the training showed the picture, where its folder says so.</summary>
    public int? Repeats { get; init; }

    /// <summary>Captions that the picture has beside the first: of copies of the same file.</summary>
    public IReadOnlyList<string> OtherCaptions { get; init; } = [];

    /// <summary>Where the files' bytes come from, and their places there; null: from files in the folder.</summary>
    internal (PictureSource Source, IReadOnlyList<int> Indices)? Origin { get; init; }

    /// <summary>What messages call a reference: its path, or its archive and the name in it.</summary>
    internal string PlaceOf(int reference) => Origin is var (source, indices) ? source.PlaceOf(indices[reference])
        : Path.Combine(Folder, Files[reference]);

    /// <summary>Full paths, in the order of <see cref="Files"/>; in an archive: its path and the name in it.</summary>
    public IEnumerable<string> Paths => Enumerable.Range(0, Files.Count).Select(PlaceOf);

    /// <summary>A reference's file, undecoded.</summary>
    internal byte[] Read(int reference) => Origin is var (source, indices) ? source.Read(indices[reference])
        : InputFile.ReadBytes(PlaceOf(reference), InputKind.Picture);

    /// <summary>A reference as its file has it.</summary>
    /// <returns>(3, H, W) in [0, 1]</returns>
    internal Tensor Picture(int reference) => Pictures.Picture.Decode(Read(reference), PlaceOf(reference));

    /// <summary>The pictures as training would have shown them.</summary>
    /// <param name="side">The model's picture size in pixels.</param>
    /// <returns>(R, 3, S, S) in [0, 1]</returns>
    public Tensor Originals(int side)
    {
        using var scope = NewDisposeScope();
        return stack([.. Enumerable.Range(0, Files.Count).Select(reference => Original(reference, side))], 0).MoveToOuterDisposeScope();
    }

    /// <summary>Shorter side to the model's size, centre cropped.</summary>
    /// <returns>(3, S, S) in [0, 1]</returns>
    internal Tensor Original(int reference, int side)
    {
        using var scope = NewDisposeScope();
        return Pictures.Picture.ResizeAndCrop(Picture(reference), side, side, side).MoveToOuterDisposeScope();
    }
}

/// <summary>An entry of a published list whose picture is not there.</summary>
internal sealed record MissingPicture(string Index, string Caption, string Url);
