using System.Security.Cryptography;
using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>
/// A_CLIP: cosine between a picture's CLIP embedding and its caption's, mean over pictures (Hessel et al. 2021, without their factor 2.5).
/// Figures of different CLIP models do not compare: each carries <see cref="Name"/>. Usable from several threads at once.
/// </summary>
internal sealed class ClipScore : IDisposable
{
    private const string Preprocessor = "preprocessor_config.json";
    private readonly ClipModel _model;
    private readonly ClipTokenizer _tokenizer;
    private readonly float[] _mean, _std;
    private readonly Device _device;

    private ClipScore(string name, string sha256, ClipModel model, ClipTokenizer tokenizer, (float[] Mean, float[] Std) normalization,
        Device device) =>
        (Name, Sha256, _model, _tokenizer, (_mean, _std), _device) = (name, sha256, model, tokenizer, normalization, device);

    /// <summary>The folder's name, or its parent's where the folder is a model's <c>clip</c>: <c>emoji/clip</c>.</summary>
    public string Name { get; }
    /// <summary>Over the hashes of the folder's JSON and weight files; lower-case hexadecimal.</summary>
    public string Sha256 { get; }
    /// <summary>Values of an embedding.</summary>
    public int Dimension => _model.Text.ProjectionDim;

    /// <param name="folder"> <c>config.json</c> and <c>model.safetensors</c> of a whole CLIP, with its tokenizer's <c>vocab.json</c> and
    /// <c>merges.txt</c> in the same folder, in its <c>tokenizer</c> folder or in a <c>tokenizer</c> folder beside it; and, where its
    /// pictures are not normalised as OpenAI's are, <c>preprocessor_config.json</c>.
    /// </param>
    /// <exception cref="DoriException">Whatever the folder lacks or has wrong, by name.</exception>
    public static ClipScore Load(string folder, Device? device = null)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (!Directory.Exists(full))
            throw new DoriException(
            $"{folder}: no such folder; wanted is a CLIP model (config.json, model.safetensors, vocab.json, merges.txt), such as "
            + $"openai/clip-vit-large-patch14");
        string parent = Path.GetDirectoryName(full) ?? full;
        string[] places = [full, Path.Combine(full, "tokenizer"), Path.Combine(parent, "tokenizer")];
        string tokenizerFolder = places.FirstOrDefault(place => File.Exists(Path.Combine(place, "vocab.json")))
            ?? places.FirstOrDefault(place => File.Exists(Path.Combine(place, "tokenizer.json")))
            ?? throw new DoriException($"{folder}: this CLIP has no tokenizer; put its vocab.json and merges.txt beside config.json");
        ClipTokenizer tokenizer = ClipTokenizer.Load(tokenizerFolder);
        string preprocessor = Path.Combine(full, Preprocessor);
        (float[] Mean, float[] Std) normalization = File.Exists(preprocessor) ? ConfigFiles.ReadClipNormalization(preprocessor)
            : ([.. ConfigFiles.ClipMean.Select(x => (float)x)], [.. ConfigFiles.ClipStd.Select(x => (float)x)]);
        ClipModel model = ModelParts.Clip(full, device);
        if (tokenizer.VocabularySize > model.Text.VocabSize || tokenizer.MaxLength > model.Text.MaxPositionEmbeddings)
        {
            model.Dispose();
            throw new DoriException(
                $"{tokenizerFolder}: has {tokenizer.VocabularySize} tokens and length {tokenizer.MaxLength}, the CLIP in {folder} takes "
                + $"{model.Text.VocabSize} and {model.Text.MaxPositionEmbeddings}; this is another model's tokenizer");
        }
        string name = Path.GetFileName(full) == "clip" ? $"{Path.GetFileName(parent)}/clip" : Path.GetFileName(full);
        return new ClipScore(name, HashOf(full), model, tokenizer, normalization, device ?? CPU);
    }

    /// <returns>(N, <see cref="Dimension"/>) float32 of unit length, on the CPU.</returns>
    public Tensor EmbedCaptions(IReadOnlyList<string> captions)
    {
        using var scope = NewDisposeScope();
        long[] ids = [.. captions.SelectMany(caption => _tokenizer.EncodePadded(caption)).Select(id => (long)id)];
        return _model.EmbedText(tensor(ids, [captions.Count, _tokenizer.MaxLength]).to(_device)).cpu().MoveToOuterDisposeScope();
    }

    /// <param name="pictures">(N, 3, H, W) in [0, 1]; brought to CLIP's size by bicubic resampling of the shorter side and a centre
    /// crop.</param>
    /// <returns>(N, <see cref="Dimension"/>) float32 of unit length, on the CPU.</returns>
    public Tensor EmbedPictures(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        int side = _model.Vision.ImageSize;
        Tensor x = pictures.detach().to(_device).to(float32);
        x = Picture.ResizeAndCrop(x, side, side, side, ResizeFilter.Bicubic).Clamp(0, 1); // the cubic kernel overshoots
        x = x.Plus(PerChannel(_mean), -1) / PerChannel(_std);
        return _model.EmbedPixels(x).cpu().MoveToOuterDisposeScope();
    }

    /// <summary>The score of each picture with the caption of its row.</summary>
    /// <param name="pictures">(N, D), unit length.</param>
    /// <param name="captions">(N, D), unit length.</param>
    /// <returns>N cosines in [-1, 1].</returns>
    /// <exception cref="DoriException">A score that is not a number: the model or a picture is broken.</exception>
    public static double[] Between(Tensor pictures, Tensor captions)
    {
        if (!pictures.shape.SequenceEqual(captions.shape) || pictures.dim() != 2)
            throw new ArgumentException(
                $"One caption a picture is wanted, not ({string.Join(", ", pictures.shape)}) and ({string.Join(", ", captions.shape)}).",
                nameof(captions));
        using var scope = NewDisposeScope();
        double[] scores = (pictures.to(float64) * captions.to(float64)).sum(1).cpu().contiguous().data<double>().ToArray();
        if (Array.Exists(scores, double.IsNaN))
            throw new DoriException(
            "CLIP score: a score is not a number; the model's pictures hold values that are not numbers, or CLIP's weights are broken");
        return [.. scores.Select(score => Math.Clamp(score, -1, 1))];
    }

    public void Dispose() => _model.Dispose();

    private Tensor PerChannel(float[] values) => tensor(values, [1, 3, 1, 1]).to(_device);

    private static string HashOf(string folder)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string file in Directory.EnumerateFiles(folder).Where(file => Path.GetExtension(file) is ".json" or ".safetensors")
            .Order(StringComparer.Ordinal))
            hash.AppendData(Convert.FromHexString(InputFile.Sha256(file, InputKind.Any)));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
