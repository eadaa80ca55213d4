using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>How pictures are drawn from an embedding.</summary>
public sealed record GenerationOptions
{
    /// <summary>w in e_null + w (e_y - e_null); at 1 or less the model is asked for e_y alone.</summary>
    public required double Guidance { get; init; }
    /// <summary>Algorithm and time steps.</summary>
    public required SchedulerConfig Scheduler { get; init; }
    public required int Steps { get; init; }
    /// <summary>Latents that go through the UNet at once (twice as many with guidance). Kernels round differently with another batch, so it
    /// is part of what decides the bytes.</summary>
    public required int Batch { get; init; }

    /// <summary>What the model's folder says.</summary>
    public static GenerationOptions For(DiffusionModel model, int batch = 10) => new()
    {
        Guidance = model.Defaults.Guidance,
        Scheduler = model.SchedulerWith(model.Defaults.Sampler),
        Steps = model.Defaults.SamplerSteps,
        Batch = batch,
    };
}

/// <summary>Pictures from an embedding.</summary>
public static class Generation
{
    /// <param name="y">One row, shared by all generations; or a row for each</param>
    /// <param name="yNull">The empty prompt's, as many rows</param>
    /// <param name="noise">(N, 4, h, w), unit variance: one row a generation</param>
    /// <param name="cancellation">Looked at before every call of the UNet.</param>
    /// <returns>z0: (N, 4, h, w), float32, scaled</returns>
    public static Tensor Latents(DiffusionModel model, Conditioning y, Conditioning yNull, Tensor noise, GenerationOptions options,
        CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        bool guided = options.Guidance > 1;
        Conditioning context = guided ? Conditioning.Cat(yNull.To(model.Device), y.To(model.Device)) : y.To(model.Device); // 2 or 1 rows
        var parts = new List<Tensor>();
        for (long at = 0; at < noise.shape[0]; at += options.Batch)
        {
            Tensor part = noise.narrow(0, at, Math.Min(options.Batch, noise.shape[0] - at)).to(model.Device);
            parts.Add(Sampler.Run(options.Scheduler, model.Schedule, options.Steps, Predict, part, cancellation: cancellation));
        }
        return cat(parts, 0).MoveToOuterDisposeScope();

        Tensor Predict(Tensor latents, float t)
        {
            using var inner = NewDisposeScope();
            Tensor timestep = tensor(new[] { t }).to(model.Device);
            if (!guided) return model.Predict(latents, timestep, context).MoveToOuterDisposeScope();
            Tensor both = model.Predict(cat([latents, latents], 0), timestep, context); // (2 N, 4, h, w)
            (Tensor empty, Tensor own) = both.Halves(0);
            return empty.Times(1 - options.Guidance).Plus(own, options.Guidance).MoveToOuterDisposeScope();
        }
    }

    /// <returns>(N, 3, H, W) in [0, 1]</returns>
    /// <inheritdoc cref="Latents"/>
    public static Tensor Pictures(DiffusionModel model, Conditioning y, Conditioning yNull, Tensor noise, GenerationOptions options,
        CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        Tensor latents = Latents(model, y, yNull, noise, options, cancellation);
        var pictures = new List<Tensor>();
        for (long at = 0; at < latents.shape[0]; at += options.Batch)
            pictures.Add(model.Decode(latents.narrow(0, at, Math.Min(options.Batch, latents.shape[0] - at))));
        return cat(pictures, 0).MoveToOuterDisposeScope();
    }

    /// <summary>Starting noise of generations 0 .. count - 1; number k is the same whatever the count.</summary>
    public static Tensor Noise(DiffusionModel model, RandomSource source, int count)
    {
        using var scope = NewDisposeScope();
        Tensor[] rows = [.. Enumerable.Range(0, count).Select(k => source.Derive("generation", k).Normal([1, .. model.LatentShape]))];
        return cat(rows, 0).MoveToOuterDisposeScope();
    }
}
