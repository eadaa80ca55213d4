using Dori.Models;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>A sampler: one function, and what configs and options call it.</summary>
/// <param name="Name">As options name it: <c>ddim</c>.</param>
/// <param name="ClassName">As <c>scheduler_config.json</c> names it: <c>DDIMScheduler</c>.</param>
/// <param name="Spacing">Of its time steps, where nothing else is said: leading, linspace or trailing.</param>
/// <param name="Run">
/// From starting noise, (N, C, H, W), unit variance, float32, which it may change, to z_0: calls <see cref="SamplerRun.Step"/> for every
/// call of the model.
/// </param>
public sealed record SamplerKind(string Name, string ClassName, string Spacing, Func<SamplerRun, Tensor, Tensor> Run)
{
    /// <summary>Whether this name means noise levels spaced as Karras et al. do.</summary>
    public bool Karras { get; init; }

    /// <summary>The t of each call of the model, falling; steps are in range. Whole ones by the spacing, where nothing else is
    /// said.</summary>
    public Func<NoiseSchedule, SchedulerConfig, int, float[]> Timesteps { get; init; } = Ddim.Timesteps;
}
