using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// From noise to a latent in a few steps, along the deterministic path of the config's scheduler. Every sampler is a free function of
/// (model, noise, steps); all randomness comes in from outside, so everything can be repeated. Step for step what diffusers computes.
/// </summary>
public static class Sampler
{
    /// <summary>One line a sampler. Of those of one class, the first without Karras's levels is the plain one.</summary>
    private static SamplerKind[] s_known =
    [
        new("ddim", "DDIMScheduler", "leading", Ddim.Run) { Timesteps = Ddim.Timesteps },
        new("pndm", "PNDMScheduler", "leading", Pndm.Run) { Timesteps = Pndm.Timesteps },
        .. WithKarras(new("euler", "EulerDiscreteScheduler", "linspace", Euler.Run) { Timesteps = Euler.Timesteps }),
        .. WithKarras(new("heun", "HeunDiscreteScheduler", "linspace", Heun.Run) { Timesteps = Heun.Timesteps }),
        .. WithKarras(new("dpm-solver++", "DPMSolverMultistepScheduler", "linspace", DpmSolver.Run) { Timesteps = DpmSolver.Timesteps }),
        .. WithKarras(new("unipc", "UniPCMultistepScheduler", "linspace", UniPc.Run) { Timesteps = DpmSolver.Timesteps }),
    ];

    private static SamplerKind[] WithKarras(SamplerKind plain) => [plain, plain with { Name = plain.Name + "-karras", Karras = true }];

    /// <summary>Adds one, for this process: then every option and config may name it.</summary>
    /// <exception cref="ArgumentException">Its name or class is taken.</exception>
    public static void Add(SamplerKind kind) => s_known =
        s_known.Any(known => known.Name == kind.Name || (known.ClassName == kind.ClassName && known.Karras == kind.Karras))
            ? throw new ArgumentException($"there is a sampler {kind.Name} ({kind.ClassName}) already", nameof(kind)) : [.. s_known, kind];

    /// <summary>The name of a config's own sampler.</summary>
    internal static string NameOf(SchedulerConfig config) =>
        s_known.First(known => known.ClassName == config.ClassName && known.Karras == config.UseKarrasSigmas).Name;

    /// <summary>The names that <see cref="WithSampler"/> knows.</summary>
    public static IReadOnlyList<string> Names => [.. s_known.Select(known => known.Name)];

    /// <summary>
    /// The same noise schedule, sampled by another algorithm. Time steps are spaced as the new class does by default,
    /// unless the config departs from its own class's default.
    /// </summary>
    /// <exception cref="DoriException">No sampler of this name.</exception>
    public static SchedulerConfig WithSampler(SchedulerConfig config, string name)
    {
        SamplerKind kind = s_known.FirstOrDefault(known => known.Name == name)
            ?? throw new DoriException($"sampler \"{name}\" is not known; choose one of {string.Join(", ", Names)}");
        bool stated = s_known.FirstOrDefault(known => known.ClassName == config.ClassName)?.Spacing != config.TimestepSpacing;
        return config with
        {
            ClassName = kind.ClassName,
            UseKarrasSigmas = kind.Karras,
            TimestepSpacing = stated ? config.TimestepSpacing : kind.Spacing,
        };
    }

    /// <summary>The t of each call of the model, falling. PNDM calls it once more than it has steps.</summary>
    /// <param name="config">As for <see cref="Run"/>.</param>
    /// <param name="steps">1 .. NumTrainTimesteps.</param>
    /// <exception cref="DoriException">More steps than the schedule has, or an unsupported scheduler or spacing.</exception>
    public static float[] Timesteps(SchedulerConfig config, int steps)
    {
        SamplerTimesteps.Check(config, steps);
        return Of(config).Timesteps(new NoiseSchedule(config), config, steps);
    }

    /// <summary>Runs the config's sampler. No gradient is recorded.</summary>
    /// <param name="config">Decides the algorithm and the time steps; see <see cref="WithSampler"/>.</param>
    /// <param name="schedule">The noise schedule that the model was trained with.</param>
    /// <param name="steps">1 .. NumTrainTimesteps; DPM-Solver++ wants fewer than that.</param>
    /// <param name="predict"> (z_t scaled as the model expects it, (N, C, H, W), float32; t) -> the guided model output of the schedule's
    /// prediction type, any floating type. The sampler disposes what it returns.
    /// </param>
    /// <param name="noise">Unit variance, (N, C, H, W), any floating type; left as it is.</param>
    /// <param name="onStep">Told the call's number (from 0) and the latents after it. Tensors live until it returns; what it keeps it must
    /// detach.</param>
    /// <param name="cancellation">Looked at before each call of the model.</param>
    /// <returns>z_0, (N, C, H, W), float32, on the noise's device.</returns>
    public static Tensor Run(
        SchedulerConfig config, NoiseSchedule schedule, int steps, Func<Tensor, float, Tensor> predict, Tensor noise,
        Action<int, Tensor>? onStep = null, CancellationToken cancellation = default)
    {
        SamplerTimesteps.Check(config, steps);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var run = new SamplerRun(config, schedule, steps, predict, onStep, cancellation);
        Tensor latents = noise.to(float32).clone();
        return Of(config).Run(run, latents).MoveToOuterDisposeScope();
    }

    private static SamplerKind Of(SchedulerConfig config) =>
        s_known.FirstOrDefault(known => known.ClassName == config.ClassName) ?? throw Unknown(config);

    private static DoriException Unknown(SchedulerConfig config) => new(
        $"scheduler_config.json: the scheduler \"{config.ClassName}\" is not supported; choose a sampler by name instead: "
        + string.Join(", ", Names));
}
