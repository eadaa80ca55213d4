using static TorchSharp.torch;

namespace Dori.Pictures;

/// <summary>One memory to look for: a caption and the pictures that are references of it.</summary>
/// <param name="Id">Safe as a file's name, unique in its set also where case does not count.</param>
/// <param name="Files">At least one, relative to <see cref="Folder"/>, with forward slashes; the first stands for the item.</param>
/// <param name="Caption">May be empty.</param>
public sealed record PictureItem(string Id, IReadOnlyList<string> Files, string Caption, PictureKind Kind, PictureRole Role)
{
    /// <summary>Where the files lie: controls may come from another folder than what is audited.</summary>
    public required string Folder { get; init; }

    /// <summary>SHA-256 of each file, lower-case hexadecimal, in the order of <see cref="Files"/>.</summary>
    public required IReadOnlyList<string> Sha256 { get; init; }

    /// <summary>Full paths, in the order of <see cref="Files"/>.</summary>
    public IEnumerable<string> Paths => Files.Select(file => Path.Combine(Folder, file));

    /// <summary>The pictures as training would have shown them.</summary>
    /// <param name="side">The model's picture size in pixels.</param>
    /// <returns>(R, 3, S, S) in [0, 1]</returns>
    public Tensor Originals(int side)
    {
        using var scope = NewDisposeScope();
        return stack([.. Paths.Select(path => Original(path, side))], 0).MoveToOuterDisposeScope();
    }

    /// <summary>Shorter side to the model's size, centre cropped.</summary>
    /// <returns>(3, S, S) in [0, 1]</returns>
    internal static Tensor Original(string path, int side)
    {
        using var scope = NewDisposeScope();
        return Picture.ResizeAndCrop(Picture.Load(path), side, side, side).MoveToOuterDisposeScope();
    }
}

/// <summary>An entry of a published list whose picture is not there.</summary>
internal sealed record MissingPicture(string Index, string Caption, string Url);
