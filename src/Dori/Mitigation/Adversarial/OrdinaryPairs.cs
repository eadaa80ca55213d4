using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>Ordinary pictures with captions, as latents: what holds a model where it was while something is taken out of it.</summary>
internal sealed class OrdinaryPairs : IDisposable
{
    private const int EncodeBatch = 32;

    /// <param name="latents">z0: (P, 4, h, w), scaled, float32. The pairs own it.</param>
    /// <param name="captions">P of them.</param>
    /// <exception cref="DoriException">No pair, or not one caption a latent.</exception>
    public OrdinaryPairs(Tensor latents, IReadOnlyList<string> captions)
    {
        if (captions.Count == 0)
            throw new DoriException("no ordinary picture-caption pairs: fine-tuning needs some (at least a few hundred) to keep what "
                + "the model can do");
        if (latents.shape[0] != captions.Count)
            throw new DoriException($"{latents.shape[0]} ordinary pictures and {captions.Count} captions: one caption a picture is wanted");
        (Latents, Captions) = (latents.DetachFromDisposeScope(), captions);
    }

    /// <summary>(P, 4, h, w), scaled.</summary>
    public Tensor Latents { get; }
    public IReadOnlyList<string> Captions { get; }
    /// <summary>Pictures left out because they are copies of one to be forgotten.</summary>
    public int Dropped { get; private init; }
    /// <summary>
    /// Indices of the pairs whose captions share words with those to be forgotten (<see cref="RelatedCaptions"/>), ascending.
    /// </summary>
    public IReadOnlyList<int> Related { get; private init; } = [];

    /// <summary>
    /// Encodes pictures, and leaves out copies of those that are to be forgotten: training on them as ordinary pairs would put back what
    /// the adversarial part takes out.
    /// </summary>
    /// <param name="pictures">
    /// (3, S, S) in [0, 1] each, read one after the other, with captions; a picture is disposed once it is encoded.
    /// </param>
    /// <param name="forget">Pictures to be forgotten.</param>
    /// <param name="cancellation">Looked at before every batch.</param>
    public static OrdinaryPairs Encode(DiffusionModel model, ICopyDetector detector, IEnumerable<(Tensor Picture, string Caption)> pictures,
        IReadOnlyList<MemorizedPicture> forget, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        Tensor references = cat([.. forget.Select(picture => picture.Descriptors)], 0); // (all R, D)
        var latents = new List<Tensor>();
        var captions = new List<string>();
        int dropped = 0;
        foreach ((Tensor Picture, string Caption)[] chunk in pictures.Chunk(EncodeBatch))
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            Tensor batch = stack([.. chunk.Select(pair => pair.Picture)], 0); // (N, 3, S, S)
            float[] copies = Similarity.ToReferences(detector.Describe(batch), references);
            long[] kept = [.. Enumerable.Range(0, chunk.Length).Where(i => copies[i] <= detector.Preset.Threshold).Select(i => (long)i)];
            dropped += chunk.Length - kept.Length;
            foreach ((Tensor picture, string _) in chunk) picture.Dispose();
            if (kept.Length == 0) continue;
            latents.Add(model.Encode(batch.index_select(0, tensor(kept))).MoveToOuterDisposeScope());
            captions.AddRange(kept.Select(i => chunk[i].Caption));
        }
        if (latents.Count == 0) return new OrdinaryPairs(zeros(0), []); // says what is wrong
        return new OrdinaryPairs(cat(latents, 0), captions)
        {
            Dropped = dropped,
            Related = [.. RelatedCaptions.Of(forget.Select(picture => picture.Caption), captions, captions.Count).Select(related =>
                related.Index).Order()],
        };
    }

    /// <summary>Pairs drawn with replacement.</summary>
    /// <param name="emptyCaptionShare">
    /// Probability that a pair comes with the empty prompt: trains the unconditional side of guidance along.
    /// </param>
    /// <param name="relatedShare">
    /// Probability that a pair is drawn from <see cref="Related"/>, where there are any, and not from all.
    /// </param>
    /// <returns>z0 (count, 4, h, w) and y, as many rows</returns>
    public (Tensor Latents, Conditioning Y) Draw(DiffusionModel model, RandomSource random, int count, double emptyCaptionShare,
        double relatedShare = 0)
    {
        using var scope = NewDisposeScope();
        var rows = new long[count];
        var captions = new string[count];
        for (int i = 0; i < count; i++)
        {
            bool related = Related.Count > 0 && relatedShare > 0 && random.NextDouble() < relatedShare;
            rows[i] = related ? Related[random.Next(Related.Count)] : random.Next(Captions.Count);
            captions[i] = random.NextDouble() < emptyCaptionShare ? "" : Captions[(int)rows[i]];
        }
        Tensor latents = Latents.index_select(0, tensor(rows).to(Latents.device)).to(model.Device);
        return (latents.MoveToOuterDisposeScope(), model.Embed(captions).MoveToOuterDisposeScope());
    }

    public void Dispose() => Latents.Dispose();
}
