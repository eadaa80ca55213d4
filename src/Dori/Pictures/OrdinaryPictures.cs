using Dori.Pictures.Sources;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Pictures;

/// <summary>
/// Ordinary pictures with captions, as a model should go on drawing them: the reference of quality, and what fine-tuning keeps a model
/// alive with. Captions are in memory, pictures are read when asked for. Reading from several threads at once is safe.
/// </summary>
internal sealed class OrdinaryPictures
{
    private readonly PictureSource _source;
    /// <summary>Of those with a caption: which pictures of the source.</summary>
    private readonly IReadOnlyList<int> _indices;
    private readonly Lazy<string> _sha256;

    private OrdinaryPictures(string path, PictureSource source, IReadOnlyList<int> indices, IReadOnlyList<string> warnings,
        Func<string> sha256)
    {
        (Path, _source, _indices, Warnings) = (path, source, indices, warnings);
        Captions = [.. indices.Select(index => source.Pictures[index].Caption)];
        _sha256 = new Lazy<string>(sha256);
    }

    public string Path { get; }
    public int Count => Captions.Count;
    /// <summary>Of picture 0, 1, ...: none is empty.</summary>
    public IReadOnlyList<string> Captions { get; }
    /// <summary>What was left out, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; }
    /// <summary>Of the whole set, not only its first pictures; lower-case hexadecimal.</summary>
    public string Sha256 => _sha256.Value;

    /// <param name="path">Pictures in any of the forms of docs/pictures.md, as <see cref="PictureSet.Load(string, string, string)"/> reads
    /// them; none may be of a memorized kind. Those without a caption are left out and counted.
    /// </param>
    /// <param name="limit">The first so many pictures; null for all.</param>
    /// <exception cref="DoriException">Nothing there, cut off, no picture with a caption, and whatever else cannot be trusted, by
    /// name.</exception>
    public static OrdinaryPictures Load(string path, int? limit = null, PictureReading? reading = null)
    {
        if (limit < 1) throw new DoriException($"{path}: {limit} ordinary pictures; at least 1 is wanted");
        PictureSource source = PictureSource.Open(path, reading ?? new PictureReading());
        int[] all = [.. Enumerable.Range(0, source.Pictures.Count)];
        if (source.Pictures.FirstOrDefault(picture => picture.Kind != PictureKind.None) is { } memorized)
            throw new DoriException($"{path}: {memorized.Name} is of kind {memorized.Kind.Text()}, a memorized picture; ordinary pictures "
                + "are those that a model should go on drawing: leave it out of the set");
        int[] captioned = [.. all.Where(index => source.Pictures[index].Caption.Length > 0)];
        if (captioned.Length == 0) throw new DoriException($"{path}: none of its pictures has a caption; ordinary pictures need one each");
        IEnumerable<string> without = captioned.Length == all.Length ? []
            : [$"{all.Length - captioned.Length} ordinary pictures without a caption are left out: "
                + $"{Checkpoints.ModelNotes.First([.. all.Except(captioned).Select(index => source.Pictures[index].Name)])}."];
        return new OrdinaryPictures(path, source, [.. captioned.Take(limit ?? int.MaxValue)], [.. source.Notes, .. without],
            () => source.Sha256() ?? PictureSet.Of(source).Sha256);
    }

    /// <summary>A picture's file, undecoded.</summary>
    public byte[] Bytes(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        return _source.Read(_indices[index]);
    }

    /// <returns>(3, H, W) in [0, 1]</returns>
    /// <exception cref="DoriException">Not a picture, or damaged.</exception>
    public Tensor Picture(int index) => Pictures.Picture.Decode(Bytes(index), NameOf(index));

    /// <summary>As training shows it: shorter side to <paramref name="side"/>, centre cropped.</summary>
    /// <returns>(3, side, side) in [0, 1]</returns>
    public Tensor Picture(int index, int side)
    {
        using var scope = NewDisposeScope();
        return Pictures.Picture.ResizeAndCrop(Picture(index), side, side, side).MoveToOuterDisposeScope();
    }

    /// <summary>A caption and what to call it.</summary>
    public (string Name, string Caption) Named(int index) => (NameOf(index), Captions[index]);

    /// <summary>Reads pictures once, before the work that needs them: what their files say that is not in the pixels.</summary>
    /// <exception cref="DoriException">Pictures that cannot be used: all of them, by name.</exception>
    public IReadOnlyList<string> Losses(IReadOnlyList<int> indices) =>
        PictureLosses.Of(indices, index => (NameOf(index), Bytes(index)), NameOf);

    private string NameOf(int index) => _source.PlaceOf(_indices[index]);
}
