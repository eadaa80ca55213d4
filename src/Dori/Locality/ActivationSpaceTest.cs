using Dori.Diffusion;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>
/// Second test of method.md section 6: what embeddings excite in the network. The noise is fixed, one latent at the sampler's first time
/// step: there every embedding meets the very same z_T, so whatever differs is the embedding's doing.
/// </summary>
internal static class ActivationSpaceTest
{
    /// <param name="pictures">The pictures in question.</param>
    /// <param name="others">Pictures with one search each.</param>
    /// <param name="captions">M rows, M at least 3: captions of different audited pictures</param>
    /// <param name="generation">Whose first time step is taken.</param>
    /// <param name="onBatch">Told the share that is done.</param>
    /// <returns>The distances are by layer, in the result's order: triggers by picture, others' triggers, the triggers' starts,
    /// captions.</returns>
    public static (ActivationSpace Result, IReadOnlyList<DistanceMatrix> Distances) Run(DiffusionModel model,
        IReadOnlyList<SearchedPicture> pictures, IReadOnlyList<SearchedPicture> others,
        Conditioning captions, GenerationOptions generation, long seed, Action<double>? onBatch = null,
            CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        float timestep = Sampler.Timesteps(generation.Scheduler, generation.Steps)[0];
        SearchedPicture[] enough = [.. pictures.Where(p => p.Triggers.Length >= InputSpaceTest.FewestTriggers)],
            single = [.. others.Where(p => p.Triggers.Length > 0)];
        int m = (int)captions.Count;
        var result = new ActivationSpace { Verdict = LocalityVerdicts.Activation([]), Timestep = timestep, Captions = m, Layers = [] };
        if (enough.Length == 0) return (result, []);

        int[] sizes = [.. enough.Select(p => p.Triggers.Length), .. single.Select(_ => 1)];
        int[][] triggers = Consecutive(0, sizes), own = triggers[..enough.Length],
            starts = Consecutive(sizes.Sum(), sizes[..enough.Length]);
        int[] spoken = [.. Enumerable.Range(sizes.Sum() + starts.Sum(s => s.Length), m)];
        Conditioning embeddings =
            Conditioning.Cat(
            [.. enough.Select(p => p.TriggerEnds()), .. single.Select(p => p.TriggerEnds().Narrow(0, 1)),
            .. enough.Select(p => p.TriggerStarts()), captions.To(CPU)]);
        Tensor noise = Generation.Noise(model, RandomSource.For("locality activations", $"{seed}"), 1);
        IReadOnlyList<ActivationSite> sites = ActivationSite.Of(model.UNet);
        IReadOnlyList<DistanceMatrix> distances =
            Activations.Distances(model, sites, embeddings, noise, timestep, generation.Batch, onBatch, cancellation);
        ActivationLayer[] layers = [.. sites.Zip(distances, (site, d) =>
        {
            RandomSource random = RandomSource.For("locality activations", site.Method, site.Name, $"{seed}");
            return new ActivationLayer
            {
                Method = site.Method,
                Layer = site.Name,
                Triggers = own.Average(d.Mean),
                Starts = starts.Average(d.Mean),
                DifferentCaptions = d.Mean(spoken),
                AgainstCaptions = Dispersion.Against(d, own, spoken, random.Derive("captions").Next),
                AgainstOthers = triggers.Length > 1 ? Dispersion.WithinOverBetween(d, triggers, random.Derive("others").Next) : null,
                Pictures = enough.Select((p, i) => (p.Item.Id, Dispersion.Against(d, [own[i]], spoken, random.Derive(p.Item.Id).Next)))
                    .ToDictionary(pair => pair.Id, pair => pair.Item2),
            };
        })];
        return (result with { Layers = layers, Verdict = LocalityVerdicts.Activation(layers) }, distances);
    }

    private static int[][] Consecutive(int at, IReadOnlyList<int> sizes) =>
        [.. sizes.Select(size => Enumerable.Range((at += size) - size, size).ToArray())];
}
