using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Pictures;

/// <summary>
/// Ordinary pictures with captions, as a model should go on drawing them: the reference of quality, and what fine-tuning keeps a model
/// alive with. Captions are in memory, pictures are read when asked for. Reading from several threads at once is safe.
/// </summary>
internal sealed class OrdinaryPictures : IDisposable
{
    private readonly IOrdinarySource _source;
    private readonly Lazy<string> _sha256;

    private OrdinaryPictures(string path, IOrdinarySource source, IReadOnlyList<string> captions) =>
        (Path, _source, Captions, _sha256) = (path, source, captions, new Lazy<string>(source.Sha256));

    public string Path { get; }
    public int Count => Captions.Count;
    /// <summary>Of picture 0, 1, ...: none is empty.</summary>
    public IReadOnlyList<string> Captions { get; }
    /// <summary>What was left out, one sentence each.</summary>
    public IReadOnlyList<string> Warnings => _source.Warnings;
    /// <summary>Of the whole set, not only its first pictures; lower-case hexadecimal.</summary>
    public string Sha256 => _sha256.Value;

    /// <param name="path"> A webdataset, <c>.tar</c>: pictures (.png, .jpg, .jpeg, .webp) each with a caption of the same name (.txt, else
    /// caption, prompt or text of a .json), other files being passed over; or an imagefolder as <see cref="PictureSet.Load"/> reads it,
    /// whose pictures must not be of a memorized kind. Pictures without a caption are left out and counted.
    /// </param>
    /// <param name="limit">The first so many pictures; null for all.</param>
    /// <exception cref="DoriException">Nothing there, cut off, a picture without a caption, and whatever else cannot be trusted, by
    /// name.</exception>
    public static OrdinaryPictures Load(string path, int? limit = null)
    {
        if (limit < 1) throw new DoriException($"{path}: {limit} ordinary pictures; at least 1 is wanted");
        IOrdinarySource source = Directory.Exists(path) ? new OrdinaryFolder(path)
            : File.Exists(path) ? OrdinaryTar.Open(path)
            : throw new DoriException(
                $"{path}: no such file or folder; ordinary pictures come as a webdataset (.tar of NNNNN.png and NNNNN.txt) or an "
                + $"imagefolder");
        string[] captions = [.. source.Captions.Take(limit ?? int.MaxValue)];
        return new OrdinaryPictures(path, source, captions);
    }

    /// <summary>A picture's file: PNG, JPEG or WebP.</summary>
    public byte[] Bytes(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        return _source.Read(index);
    }

    /// <returns>(3, H, W) in [0, 1]</returns>
    /// <exception cref="DoriException">Not a picture, or damaged.</exception>
    public Tensor Picture(int index) => Pictures.Picture.Decode(Bytes(index), _source.NameOf(index));

    /// <summary>As training shows it: shorter side to <paramref name="side"/>, centre cropped.</summary>
    /// <returns>(3, side, side) in [0, 1]</returns>
    public Tensor Picture(int index, int side)
    {
        using var scope = NewDisposeScope();
        return Pictures.Picture.ResizeAndCrop(Picture(index), side, side, side).MoveToOuterDisposeScope();
    }

    /// <summary>A caption and what to call it.</summary>
    public (string Name, string Caption) Named(int index) => (_source.NameOf(index), Captions[index]);

    /// <summary>Reads pictures once, before the work that needs them: what their files say that is not in the pixels.</summary>
    /// <exception cref="DoriException">Pictures that cannot be used: all of them, by name.</exception>
    public IReadOnlyList<string> Losses(IReadOnlyList<int> indices) =>
        PictureLosses.Of(indices, index => (_source.NameOf(index), Bytes(index)), _source.NameOf);

    public void Dispose() => _source.Dispose();
}

/// <summary>Where ordinary pictures come from: an archive or a folder.</summary>
internal interface IOrdinarySource : IDisposable
{
    IReadOnlyList<string> Warnings { get; }
    IReadOnlyList<string> Captions { get; }
    byte[] Read(int index);
    /// <summary>What an error calls a picture.</summary>
    string NameOf(int index);
    string Sha256();
}

/// <summary>An imagefolder's pictures, one pair for each file.</summary>
internal sealed class OrdinaryFolder : IOrdinarySource
{
    private readonly List<(string Path, string Caption)> _pairs = [];
    private readonly PictureSet _set;

    public OrdinaryFolder(string folder)
    {
        var silent = new List<string>();
        _set = PictureSet.Load(folder);
        foreach (PictureItem item in _set.Items)
        {
            if (item.Kind != PictureKind.None)
                throw new DoriException(
                $"{folder}: {item.Files[0]} is of kind {item.Kind.Text()}, a memorized picture; ordinary pictures are those that a model "
                + $"should go on drawing: leave it out of the set");
            if (item.Caption.Length == 0) silent.AddRange(item.Files);
            else _pairs.AddRange(item.Paths.Select(path => (path, item.Caption)));
        }
        if (_pairs.Count == 0) throw new DoriException($"{folder}: none of its pictures has a caption; ordinary pictures need one each");
        Captions = [.. _pairs.Select(pair => pair.Caption)];
        // The set's own warning of empty captions speaks of a search.
        Warnings = [.. _set.Warnings.Where(warning => !warning.Contains("have no caption", StringComparison.Ordinal)),
            .. WithoutCaption(silent)];
    }

    internal static IEnumerable<string> WithoutCaption(IReadOnlyCollection<string> names)
    {
        if (names.Count > 0)
            yield return $"{names.Count} ordinary pictures without a caption are left out: {Checkpoints.ModelNotes.First(names)}.";
    }

    public IReadOnlyList<string> Warnings { get; }

    public IReadOnlyList<string> Captions { get; }

    public byte[] Read(int index) => InputFile.ReadBytes(_pairs[index].Path, InputKind.Picture);

    public string NameOf(int index) => _pairs[index].Path;

    public string Sha256() => _set.Sha256;

    public void Dispose() { }
}
