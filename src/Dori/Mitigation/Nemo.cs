using System.Globalization;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>Settings of NeMo.</summary>
internal sealed record NemoOptions
{
    /// <summary>n: seeds whose noise differences are compared; 2 to 100.</summary>
    public int Latents { get; init; } = 10;
    /// <summary>
    /// Similarity above which differences resemble each other. Null: as published where the latents are of Stable Diffusion's size, else
    /// measured from controls.
    /// </summary>
    public double? Threshold { get; init; }
    public long Seed { get; init; }

    /// <exception cref="DoriException">A value out of range.</exception>
    public void Check()
    {
        if (Latents is < 2 or > 100) throw new DoriException($"NeMo: {Latents} seeds; 2 to 100 are possible");
        if (Threshold is { } threshold
            && !(threshold > 0 && threshold < 1)) throw new DoriException($"NeMo: the threshold {threshold} is not between 0 and 1");
    }
}

/// <summary>What NeMo found for one prompt.</summary>
/// <param name="Pairwise">Each seed's largest similarity to another one, before.</param>
/// <param name="Selected">Null where no seed passes the threshold: the prompt is not memorized by this test, and nothing is marked.</param>
/// <param name="PairwiseAfter">The same with the neurons blocked; empty where skipped.</param>
internal sealed record NemoFinding(IReadOnlyList<double> Pairwise, NemoSelected? Selected, IReadOnlyList<double> PairwiseAfter);

/// <summary>
/// Localising memorization in the neurons of the cross-attention's value layers (Hintersdorf et al. 2024, "Finding NeMo"; method.md section
/// 4). The model is hooked meanwhile: one thread at a time.
/// </summary>
internal sealed class Nemo : IDisposable
{
    /// <summary>Mean + 1 deviation on LAION prompts that are not memorized, for Stable Diffusion 1.4's latents of 64 x 64.</summary>
    public const double PublishedThreshold = 0.428;
    private const int PublishedSide = 64;

    private readonly DiffusionModel _model;
    private readonly NemoProbe _probe;

    /// <summary>
    /// Measures what the method rests on: the neurons' statistics and, where it is neither given nor published, the threshold.
    /// </summary>
    /// <param name="heldOut">y of captions that are not memorized, one row each; at least 2</param>
    /// <exception cref="DoriException">Too few captions, or a threshold that cannot be measured.</exception>
    public Nemo(DiffusionModel model, IReadOnlyList<Conditioning> heldOut, NemoOptions options, Action<int>? onCaption = null,
        CancellationToken cancellation = default)
    {
        options.Check();
        _model = model;
        Statistics = NemoStatistics.Of([.. heldOut.Select(y => Activations(model, y))]);
        using var scope = NewDisposeScope();
        // As published, all prompts are judged from the same latents.
        _probe = new NemoProbe(model,
            Generation.Noise(model, RandomSource.For("nemo", options.Seed.ToString(CultureInfo.InvariantCulture)), options.Latents));
        try
        {
            ThresholdMeasured = options.Threshold is null && model.UNet.Config.SampleSize < PublishedSide;
            Threshold = ThresholdMeasured ? MeasureThreshold(heldOut, onCaption, cancellation) : options.Threshold ?? PublishedThreshold;
        }
        catch
        {
            _probe.Dispose();
            throw;
        }
    }

    public NemoStatistics Statistics { get; }
    public double Threshold { get; }
    /// <summary>The threshold comes from the held-out captions.</summary>
    public bool ThresholdMeasured { get; }

    /// <summary>The value layers of the down blocks and the mid block, numbered in the network's order.</summary>
    public static IReadOnlyList<(string Name, Linear Layer)> Layers(UNet2DConditionModel unet) =>
        [.. LayerHooks.LinearLayers(unet).Where(layer => layer.Name.EndsWith(".attn2.to_v", StringComparison.Ordinal)
            && (layer.Name.StartsWith("down_blocks.", StringComparison.Ordinal)
                || layer.Name.StartsWith("mid_block.", StringComparison.Ordinal)))];

    /// <summary>Mean over tokens of the absolute value projection, [layer][neuron].</summary>
    /// <param name="y">One row</param>
    public static double[][] Activations(DiffusionModel model, Conditioning y)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor input = y.Tokens.to(model.Device).to(model.Dtype);
        return [.. Layers(model.UNet).Select(layer =>
            layer.Layer.call(input).to(float32).abs().mean([0L, 1]).to(float64).cpu().data<double>().ToArray())];
    }

    /// <summary>Whether a prompt is memorized by this test, and which neurons do it.</summary>
    /// <param name="y">One row</param>
    /// <param name="cancellation">Looked at before every set of neurons that is tried.</param>
    public NemoFinding Find(Conditioning y, CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        using var scope = NewDisposeScope();
        Tensor unblocked = _probe.Differences(y);
        double[] pairwise = _probe.LargestPairwise(unblocked);
        int[] seeds = [.. Enumerable.Range(0, pairwise.Length).Where(s => pairwise[s] > Threshold)];
        if (seeds.Length == 0) return new NemoFinding(pairwise, null, []);
        Tensor kept = unblocked.index_select(0, tensor([.. seeds.Select(s => (long)s)], int64).to(unblocked.device));
        double[][] activations = Activations(_model, y);
        int likeliest = 0;
        NemoSelected selected = new NemoSelection(activations, Statistics.Outliers(activations), Similarity, Threshold).Run();
        return new NemoFinding(pairwise, selected, _probe.LargestPairwise(_probe.Differences(y, selected.Refined)));

        // The largest over seeds. What one seed refuses needs no look at the others, and the one that was most similar before is the
        // likeliest to.
        double Similarity(NemoNeurons blocked, double enough)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!double.IsPositiveInfinity(enough) && Of([likeliest])[0] is var first && first >= enough) return first;
            double[] similarities = Of([.. Enumerable.Range(0, seeds.Length)]);
            likeliest = Array.IndexOf(similarities, similarities.Max());
            return similarities[likeliest];

            double[] Of(int[] some)
            {
                using var inner = NewDisposeScope();
                Tensor before = kept.index_select(0, tensor([.. some.Select(s => (long)s)], int64).to(kept.device));
                return _probe.Similarities(before, _probe.Differences(y, blocked, [.. some.Select(s => seeds[s])]));
            }
        }
    }

    /// <summary>Pruning what is blocked: all weights of the neurons' rows.</summary>
    public static WeightMask Mask(UNet2DConditionModel unet, NemoNeurons neurons) => new([.. Layers(unet).Select((layer, l) =>
        LayerMask.OfRows(layer.Name, (int)layer.Layer.weight.shape[0], (int)layer.Layer.weight.shape[1], neurons.Layers[l]))]);

    /// <summary>
    /// Mean + 1 deviation, over captions, of the largest similarity of two seeds: the figure that decides whether a prompt is skipped.
    /// </summary>
    private double MeasureThreshold(IReadOnlyList<Conditioning> heldOut, Action<int>? onCaption, CancellationToken cancellation)
    {
        var figures = new List<double>();
        foreach (Conditioning y in heldOut)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            figures.Add(_probe.LargestPairwise(_probe.Differences(y)).Max());
            onCaption?.Invoke(figures.Count);
        }
        double mean = figures.Average(), deviation = Math.Sqrt(figures.Sum(f => (f - mean) * (f - mean)) / (figures.Count - 1));
        double threshold = mean + deviation;
        return threshold < 1 ? threshold
            : throw new DoriException($"NeMo: the held-out captions' noise differences are as similar as can be ({mean:0.000} +/- "
                + $"{deviation:0.000}), so no threshold separates memorized prompts; give one, or other held-out captions");
    }

    public void Dispose() => _probe.Dispose();
}
