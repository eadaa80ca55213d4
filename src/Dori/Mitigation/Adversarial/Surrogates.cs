using System.Globalization;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>Pictures of the same meaning as one to forget.</summary>
/// <param name="Latents">z0: (K, 4, h, w), scaled, K at least 1</param>
/// <param name="Similarities">Of each to the picture to forget.</param>
/// <param name="Sparsities">Wanda's sparsity that each was made at.</param>
/// <param name="Mask">
/// What Wanda marked at the largest of them: the model without it is the one that answers the caption with such pictures.
/// </param>
internal sealed record SurrogateSet(Tensor Latents, IReadOnlyList<float> Similarities, IReadOnlyList<double> Sparsities, WeightMask Mask)
    : IDisposable
{
    public void Dispose() => Latents.Dispose();
}

/// <summary>
/// Makes surrogates (method.md section 7): generations from a picture's own caption by the model that Wanda pruned for that caption,
/// rejected where they are too similar to the picture. Made once, before training, and kept in a folder. The model is pruned for the while
/// and left as it was.
/// </summary>
/// <param name="folder">Where they are kept: <c>ID.safetensors</c>, and <c>ID-k.png</c> for people; null: nowhere.</param>
internal sealed class Surrogates(DiffusionModel model, ICopyDetector detector, SurrogateOptions options, long seed, Workers workers,
    string? folder) : IDisposable
{
    private const string Identity = "identity";
    private readonly RandomSource _random = RandomSource.For("surrogates", seed.ToString());
    private readonly WandaOptions _wanda = new() { Seed = seed, Generation = GenerationOptions.For(model) };
    private WandaNorms? _empty;
    private Conditioning? _yNull;
    private Tensor? _wandaNoise;

    /// <summary>A picture's surrogates, from the folder where they are there.</summary>
    /// <param name="identity">
    /// What they were made from, such as a hash of model and picture: what stands in the folder under another is made anew.
    /// </param>
    /// <exception cref="DoriException">None of the generations is different enough.</exception>
    public SurrogateSet For(MemorizedPicture picture, string identity, CancellationToken cancellation = default)
    {
        options.Check();
        // 2: with the mask; what an earlier version wrote has none, and is made anew.
        identity = string.Create(CultureInfo.InvariantCulture,
            $"2 {identity} {options.Count} {options.LargestSimilarity} {string.Join(',', options.Sparsities)} {options.Attempts} "
                + $"{options.Batch} {seed}");
        string? file = folder is null ? null : Path.Combine(folder, picture.Id + ".safetensors");
        if (file is not null && Read(file, identity) is { } kept) return kept;
        set_num_threads(workers.ThreadsEach); // the same bits whatever the number of workers
        using var scope = NewDisposeScope();
        (List<Candidate> accepted, WeightMask mask) = Make(picture, cancellation);
        Tensor pictures = stack([.. accepted.Select(c => c.Picture)], 0); // (K, 3, S, S)
        var set = new SurrogateSet(model.Encode(pictures).DetachFromDisposeScope(), [.. accepted.Select(c => c.Similarity)],
            [.. accepted.Select(c => c.Sparsity)], mask);
        if (file is not null) Write(file, identity, picture.Id, pictures, set);
        return set;
    }

    private readonly record struct Candidate(Tensor Picture, float Similarity, double Sparsity);

    private (List<Candidate> Accepted, WeightMask Mask) Make(MemorizedPicture picture, CancellationToken cancellation)
    {
        _yNull ??= model.EmbedNothing().DetachFromDisposeScope();
        _wandaNoise ??= Wanda.Noise(model, _wanda).DetachFromDisposeScope();
        _empty ??= Wanda.RecordEmpty(model, _yNull, _wandaNoise, _wanda, cancellation);
        WandaNorms norms = Wanda.Record(model, picture.Y, _yNull, _wandaNoise, _wanda, cancellation);
        RandomSource random = _random.Derive(picture.Id);
        var accepted = new List<Candidate>();
        float least = float.PositiveInfinity;
        WeightMask? mask = null;
        for (int level = 0; level < options.Sparsities.Count && accepted.Count < options.Count; level++)
        {
            double sparsity = options.Sparsities[level];
            WeightMask marked = Wanda.Mark(model.UNet, norms, _empty, sparsity);
            using IDisposable pruned = marked.PruneForNow(model.UNet);
            int before = accepted.Count;
            RandomSource seeds = random.Derive("sparsity", level);
            // As many at a time as are still wanted, whatever the number of workers: the bytes must not depend on it.
            for (int tried = 0; tried < options.Attempts && accepted.Count < options.Count;)
            {
                int count = Math.Min(options.Count - accepted.Count, options.Attempts - tried), from = tried;
                workers.Run((count + options.Batch - 1) / options.Batch, piece =>
                    Generate(picture, seeds, from + piece * options.Batch, Math.Min(options.Batch, count - piece * options.Batch),
                    cancellation), Take, cancellation);
                tried += count;
            }
            if (accepted.Count > before) mask = marked;

            void Take((Tensor Pictures, float[] Similarities) generated)
            {
                using Tensor pictures = generated.Pictures;
                least = Math.Min(least, generated.Similarities.Min());
                foreach (int i in Accepted(generated.Similarities,
                    options.LargestSimilarity)) accepted.Add(new Candidate(pictures[i].clone(), generated.Similarities[i], sparsity));
            }
        }
        if (mask is not null) return (accepted, mask);
        throw new DoriException(string.Create(CultureInfo.InvariantCulture,
            $"{picture.Id}: no surrogate: {options.Attempts} generations of \"{picture.Caption}\" at each sparsity of "
                + $"{string.Join(", ", options.Sparsities)} are all more similar to the picture than {options.LargestSimilarity} (the "
                + $"least: {least:0.00}); allow a higher sparsity or similarity"));
    }

    /// <summary>Which generations are different enough from the picture; not those whose similarity is no number.</summary>
    internal static IEnumerable<int> Accepted(IReadOnlyList<float> similarities, double largest) =>
        Enumerable.Range(0, similarities.Count).Where(i => similarities[i] <= largest);

    private (Tensor Pictures, float[] Similarities) Generate(MemorizedPicture picture, RandomSource seeds, int from, int count,
        CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        Tensor noise = cat([.. Enumerable.Range(from, count).Select(k =>
            seeds.Derive("generation", k).Normal([1, .. model.LatentShape]))], 0);
        Tensor pictures = Generation.Pictures(model, picture.Y, _yNull!, noise, GenerationOptions.For(model, options.Batch), cancellation);
        return (pictures.cpu().DetachFromDisposeScope(), Similarity.ToReferences(detector.Describe(pictures), picture.Descriptors));
    }

    private void Write(string file, string identity, string id, Tensor pictures, SurrogateSet set)
    {
        AtomicFile.MakeFolder(folder!);
        for (int k = 0; k < set.Similarities.Count; k++)
        {
            using Tensor one = pictures[k];
            Picture.Save(Path.Combine(folder!, string.Create(CultureInfo.InvariantCulture, $"{id}-{k}.png")), one);
        }
        SafetensorsWriter.Write(file,
            [("latents", set.Latents), ("similarities", tensor(set.Similarities.ToArray())),
            ("sparsities", tensor(set.Sparsities.ToArray())),
            .. set.Mask.Layers.Select(layer => (MaskKey(layer.Layer), layer.Packed()))],
            new Dictionary<string, string> { [Identity] = identity });
    }

    private SurrogateSet? Read(string file, string identity)
    {
        if (!File.Exists(file)) return null;
        using SafetensorsFile stored = SafetensorsFile.Open(file);
        if (stored.Metadata.GetValueOrDefault(Identity) != identity) return null;
        using var scope = NewDisposeScope();
        WeightMask mask = new([.. Wanda.Layers(model.UNet).Select(layer =>
            LayerMask.Unpacked(layer.Name, (int)layer.Layer.weight.shape[0], (int)layer.Layer.weight.shape[1],
            stored.Read(MaskKey(layer.Name))))]);
        return new SurrogateSet(stored.Read("latents").to(model.Device).DetachFromDisposeScope(),
            stored.Read("similarities").data<float>().ToArray(), stored.Read("sparsities").data<double>().ToArray(), mask);
    }

    private static string MaskKey(string layer) => "mask." + layer;

    public void Dispose()
    {
        _yNull?.Dispose();
        _wandaNoise?.Dispose();
    }
}
