using Dori.Diffusion;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>Settings of Wanda; the defaults are the published ones.</summary>
internal sealed record WandaOptions
{
    /// <summary>Share of each output row that a step may mark, above 0 to 1.</summary>
    public double Sparsity { get; init; } = 0.01;
    /// <summary>Calls of the UNet, from the first on, whose marks are united.</summary>
    public int Steps { get; init; } = 10;
    /// <summary>
    /// Latents sampled from each prompt. Published is 1, of 64 x 64 places; a small latent has few tokens, and 4 give steadier norms.
    /// </summary>
    public int Latents { get; init; } = 4;
    /// <summary>Prompts whose norms are accumulated before marking; the marks of all such chunks are united.</summary>
    public int Pool { get; init; } = 1;
    public long Seed { get; init; }
    public required GenerationOptions Generation { get; init; }

    /// <summary>As a model wants it.</summary>
    /// <param name="batch">Latents sampled at once.</param>
    public static WandaOptions For(DiffusionModel model, int batch = 4) =>
        new() { Sparsity = model.Defaults.WandaSparsity, Generation = GenerationOptions.For(model, batch) };

    /// <summary>For a test of locality: a sampler of fewer calls is looked at for as many.</summary>
    internal static WandaOptions For(MarkingInputs inputs) => new()
    {
        Generation = inputs.Generation, Sparsity = inputs.Sparsity, Seed = inputs.Seed,
        Steps = Math.Min(10, Sampler.Timesteps(inputs.Generation.Scheduler, inputs.Generation.Steps).Length),
    };

    /// <exception cref="DoriException">A value out of range.</exception>
    public void Check()
    {
        if (!(Sparsity > 0 && Sparsity <= 1))
            throw new DoriException($"Wanda: sparsity {Sparsity} is not a share; above 0 to 1 is possible, such as 0.01");
        if (Latents is < 1 or > 1000
            || Pool < 1)
            throw new DoriException($"Wanda: {Latents} latents a prompt, pooled over {Pool} prompts; 1 to 1000 and at least 1 are "
                + $"possible");
        int calls = Sampler.Timesteps(Generation.Scheduler, Generation.Steps).Length;
        if (Steps < 1 || Steps > calls)
            throw new DoriException($"Wanda: marks of {Steps} steps are to be united and the sampler takes {calls}; take more sampler "
                + $"steps");
    }
}

/// <summary>
/// Pruning of the weights that a memorized prompt uses most (Chavhan et al. 2024, "Memorized Images in Diffusion Models share a Subspace
/// that can be Located and Deleted"; method.md section 5), in the second linear layer of every feed-forward block.
/// The model is hooked meanwhile: one thread at a time.
/// </summary>
internal static class Wanda
{
    /// <summary>The layers that it prunes, in the network's order.</summary>
    public static IReadOnlyList<(string Name, Linear Layer)> Layers(UNet2DConditionModel unet) =>
        [.. LayerHooks.LinearLayers(unet).Where(layer => layer.Name.EndsWith(".ff.net.2", StringComparison.Ordinal))];

    /// <summary>The noise that every prompt starts from: (latents, 4, h, w).</summary>
    public static Tensor Noise(DiffusionModel model, WandaOptions options) =>
        Generation.Noise(model, RandomSource.For("wanda", options.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            options.Latents);

    /// <summary>X of one prompt, while sampling from it with guidance.</summary>
    /// <param name="y">One row</param>
    /// <param name="yNull">One row, the empty prompt's</param>
    /// <param name="noise">(N, 4, h, w)</param>
    public static WandaNorms Record(DiffusionModel model, Conditioning y, Conditioning yNull, Tensor noise, WandaOptions options,
        CancellationToken cancellation = default)
    {
        var norms = new WandaNorms([.. Layers(model.UNet).Select(layer => (layer.Name, (int)layer.Layer.weight.shape[1]))], options.Steps);
        for (long at = 0; at < noise.shape[0]; at += options.Generation.Batch)
        {
            long rows = Math.Min(options.Generation.Batch, noise.shape[0] - at);
            using var scope = NewDisposeScope();
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            using var recorder = new WandaRecorder(model.UNet, norms, rows, enough.Cancel);
            try
            {
                Generation.Latents(model, y, yNull, noise.narrow(0, at, rows), options.Generation, enough.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                // All steps are recorded: the rest of the path, four fifths of it at 50 steps, would say nothing more.
            }
            norms.Latents += (int)rows;
        }
        return norms;
    }

    /// <summary>X0: the same of the empty prompt. Guidance from it towards itself changes nothing, so half of the work is saved.</summary>
    /// <inheritdoc cref="Record"/>
    public static WandaNorms RecordEmpty(DiffusionModel model, Conditioning yNull, Tensor noise, WandaOptions options,
        CancellationToken cancellation = default) =>
        Record(model, yNull, yNull, noise, options with { Generation = options.Generation with { Guidance = 1 } }, cancellation);

    /// <summary>
    /// The weights that are among the top share of their own output row in S = |W| X and whose S exceeds S0 = |W| X0, at any of the steps.
    /// </summary>
    /// <param name="prompts">X</param>
    /// <param name="empty">X0, with as many steps</param>
    /// <param name="sparsity">Share of a row's inputs; rounded down, at least one.</param>
    public static WeightMask Mark(UNet2DConditionModel unet, WandaNorms prompts, WandaNorms empty, double sparsity)
    {
        IReadOnlyList<(string Name, Linear Layer)> layers = Layers(unet);
        return new WeightMask([.. layers.Select((layer, i) =>
        {
            using Tensor marked = Mark(layer.Layer.weight, [.. Steps(prompts, i)], [.. Steps(empty, i)], sparsity);
            return LayerMask.Of(layer.Name, marked);
        })]);

        static IEnumerable<double[]> Steps(WandaNorms norms, int layer) =>
            Enumerable.Range(0, norms.Steps).Select(step => norms.PerLatent(step, layer));
    }

    /// <param name="weight">(rows, columns)</param>
    /// <param name="x">X by step</param>
    /// <param name="x0">X0 by step</param>
    /// <returns>(rows, columns), bool</returns>
    internal static Tensor Mark(Tensor weight, IReadOnlyList<double[]> x, IReadOnlyList<double[]> x0, double sparsity)
    {
        if (x.Count != x0.Count) throw new ArgumentException($"{x.Count} and {x0.Count} steps", nameof(x0));
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor size = weight.to(float32).abs();
        Tensor marked = zeros(weight.shape, ScalarType.Bool, device: weight.device);
        for (int step = 0; step < x.Count; step++)
        {
            using var inner = NewDisposeScope();
            Tensor scores = size * Row(x[step]), scores0 = size * Row(x0[step]);
            Tensor top = zeros(weight.shape, ScalarType.Bool, device: weight.device).scatter_(1, Top(scores, sparsity),
                ones(1, ScalarType.Bool, device: weight.device).expand(scores.shape[0], scores.shape[1]));
            marked.bitwise_or_(top.bitwise_and_(scores.gt(scores0))); // of bool
        }
        return marked.MoveToOuterDisposeScope();

        Tensor Row(double[] values) => tensor(values, [1, values.Length]).to(float32).to(weight.device);
    }

    /// <summary>Columns of the largest scores of each row: (rows, floor(sparsity x columns), at least 1), largest first.</summary>
    internal static Tensor Top(Tensor scores, double sparsity)
    {
        long columns = scores.shape[1];
        int count = (int)Math.Clamp(Math.Floor(sparsity * columns + 1e-9), 1, columns); // 0.29 x 100 must be 29
        using var scope = NewDisposeScope();
        return scores.topk(count, 1).indexes.MoveToOuterDisposeScope();
    }
}
