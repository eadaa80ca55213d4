using Dori.Diffusion;
using Dori.Measures;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>
/// Noise differences of a prompt, and how similar they are (method.md section 4, steps 2 and 3). A memorized prompt pulls every seed's
/// latents to one picture, so its differences resemble each other. The published code does not move the latents between its two time steps:
/// the second prediction, the only one that it reads, is made at the second time step from the initial latents, and d = prediction -
/// initial latents. So one call of the UNet is enough.
/// </summary>
internal sealed class NemoProbe : IDisposable
{
    private const int ScheduleSteps = 50;
    private readonly DiffusionModel _model;
    private readonly Tensor _noise, _timestep;
    private readonly Ssim _ssim;
    private readonly IReadOnlyList<double> _betas;

    /// <param name="noise">(n, 4, h, w): the seeds' latents</param>
    public NemoProbe(DiffusionModel model, Tensor noise)
    {
        _model = model;
        _noise = noise.to(model.Device).alias().DetachFromDisposeScope();
        float t = Sampler.Timesteps(Sampler.WithSampler(model.Scheduler, "ddim"), ScheduleSteps)[1];
        _timestep = tensor(new[] { t }).to(model.Device).DetachFromDisposeScope();
        (_ssim, _betas) = Measure(noise.shape[2], noise.shape[3]);
    }

    /// <summary>
    /// The published measure, three scales with a window of 11, where the latents can take it (44 x 44). On smaller ones the window shrinks
    /// as the latents do, 11 of 64 being the published share: the largest odd side up to that, at least 3; and there are as many of the
    /// three scales as then fit. 16 x 16 gives three scales with a window of 3. Figures of two sizes are not comparable: thresholds are
    /// measured anew.
    /// </summary>
    public static (Ssim Ssim, IReadOnlyList<double> Betas) Measure(long height, long width)
    {
        const int window = 11, published = 64;
        long side = Math.Min(height, width);
        int kernel = window;
        if (new Ssim(window).MaxScales(height, width) < Ssim.NemoBetas.Count)
        {
            kernel = Math.Max(3, (int)(window * side / published));
            if (kernel % 2 == 0) kernel--;
        }
        var ssim = new Ssim(kernel);
        int scales = Math.Min(Ssim.NemoBetas.Count, ssim.MaxScales(height, width));
        if (scales == 0)
            throw new DoriException($"NeMo: latents of {height} x {width} are too small for its memorization test; at least 3 x 3 are "
                + $"needed");
        return (ssim, [.. Ssim.NemoBetas.Take(scales)]);
    }

    /// <param name="y">One row</param>
    /// <param name="seeds">Numbers of the seeds that are wanted; null for all.</param>
    /// <returns>(seeds, 4, h, w) in [0, 1], scaled by each channel's smallest and largest value</returns>
    public Tensor Differences(Conditioning y, NemoNeurons? blocked = null, IReadOnlyList<int>? seeds = null)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using LayerHooks hooks = Block(blocked);
        Tensor latents = seeds is null ? _noise.alias()
            : _noise.index_select(0, tensor([.. seeds.Select(s => (long)s)], int64).to(_model.Device));
        Tensor output = _model.Predict(latents, _timestep, y.To(_model.Device)); // y is shared: its keys and values are projected once
        Tensor prediction = _model.Schedule.EpsilonFromPrediction(output, latents, _timestep.to(int64).expand(latents.shape[0]));
        return Scaled(prediction.Plus(latents, -1)).MoveToOuterDisposeScope();
    }

    /// <summary>Min-max of every channel to [0, 1]; a constant channel becomes 0.</summary>
    /// <param name="d">(N, C, H, W)</param>
    internal static Tensor Scaled(Tensor d)
    {
        using var scope = NewDisposeScope();
        Tensor low = d.amin([2L, 3], keepdim: true), high = d.amax([2L, 3], keepdim: true); // (N, C, 1, 1)
        return (d.Plus(low, -1) / high.Plus(low, -1).clamp_min(TensorMath.Kept(1e-12))).MoveToOuterDisposeScope();
    }

    /// <summary>Similarity of two sets of differences, seed by seed.</summary>
    /// <returns>
    /// n values; where the measure is undefined (contrasts of opposite sign) they are dissimilar: 0, as no comparison with NaN holds in the
    /// published code either.
    /// </returns>
    public double[] Similarities(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return [.. _ssim.MultiScale(a, b, _betas).cpu().data<float>().ToArray().Select(s => float.IsNaN(s) ? 0.0 : s)];
    }

    /// <summary>For each difference, its largest similarity to another one.</summary>
    /// <param name="differences">(n, 4, h, w), n at least 2</param>
    public double[] LargestPairwise(Tensor differences)
    {
        int n = (int)differences.shape[0];
        using var scope = NewDisposeScope();
        (int I, int J)[] pairs = [.. from i in Enumerable.Range(0, n) from j in Enumerable.Range(i + 1, n - i - 1) select (i, j)];
        double[] similarities = Similarities(Pick(pair => pair.I), Pick(pair => pair.J));
        var largest = new double[n];
        Array.Fill(largest, double.NegativeInfinity);
        for (int p = 0; p < pairs.Length; p++)
        {
            largest[pairs[p].I] = Math.Max(largest[pairs[p].I], similarities[p]);
            largest[pairs[p].J] = Math.Max(largest[pairs[p].J], similarities[p]);
        }
        return largest;

        Tensor Pick(Func<(int I, int J), int> side) =>
            differences.index_select(0, tensor([.. pairs.Select(pair => (long)side(pair))], int64).to(differences.device));
    }

    /// <summary>
    /// Multiplies the value layers' outputs by 0 at the blocked neurons until disposed. Layers without any are not hooked.
    /// </summary>
    private LayerHooks Block(NemoNeurons? blocked)
    {
        var hooks = new LayerHooks();
        if (blocked is null) return hooks;
        IReadOnlyList<(string Name, Linear Layer)> layers = Nemo.Layers(_model.UNet);
        for (int l = 0; l < layers.Count; l++)
        {
            if (blocked.Layers[l].Count == 0) continue;
            Linear layer = layers[l].Layer;
            var factors = new float[layer.weight.shape[0]];
            Array.Fill(factors, 1);
            foreach (int neuron in blocked.Layers[l]) factors[neuron] = 0;
            Tensor scale = tensor(factors).to(layer.weight.dtype).to(layer.weight.device);
            hooks.Add(layer, (_, input, forward) =>
            {
                using Tensor output = forward(input);
                return output * scale;
            });
        }
        return hooks;
    }

    public void Dispose()
    {
        _noise.Dispose();
        _timestep.Dispose();
    }
}
