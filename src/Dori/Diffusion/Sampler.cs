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
    private static readonly (string Name, string ClassName, string Spacing, bool Karras)[] Known =
    [
        ("ddim", "DDIMScheduler", "leading", false),
        ("pndm", "PNDMScheduler", "leading", false),
        ("euler", "EulerDiscreteScheduler", "linspace", false),
        ("dpm-solver++", "DPMSolverMultistepScheduler", "linspace", false),
        ("dpm-solver++-karras", "DPMSolverMultistepScheduler", "linspace", true),
    ];

    /// <summary>The name of a config's own sampler.</summary>
    internal static string NameOf(SchedulerConfig config) =>
        Known.First(known => known.ClassName == config.ClassName && known.Karras == config.UseKarrasSigmas).Name;

    /// <summary>The names that <see cref="WithSampler"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Known.Select(known => known.Name)];

    /// <summary>
    /// The same noise schedule, sampled by another algorithm. Time steps are spaced as the new class does by default,
    /// unless the config departs from its own class's default.
    /// </summary>
    /// <exception cref="DoriException">No sampler of this name.</exception>
    public static SchedulerConfig WithSampler(SchedulerConfig config, string name)
    {
        (string _, string className, string spacing, bool karras) = Known.FirstOrDefault(known => known.Name == name);
        if (className is null) throw new DoriException($"sampler \"{name}\" is not known; choose one of {string.Join(", ", Names)}");
        bool stated = Known.FirstOrDefault(known => known.ClassName == config.ClassName).Spacing != config.TimestepSpacing;
        return config with { ClassName = className, UseKarrasSigmas = karras, TimestepSpacing = stated ? config.TimestepSpacing : spacing };
    }

    /// <summary>The t of each call of the model, falling. PNDM calls it once more than it has steps.</summary>
    /// <param name="config">As for <see cref="Run"/>.</param>
    /// <param name="steps">1 .. NumTrainTimesteps.</param>
    /// <exception cref="DoriException">More steps than the schedule has, or an unsupported scheduler or spacing.</exception>
    public static float[] Timesteps(SchedulerConfig config, int steps)
    {
        SamplerTimesteps.Check(config, steps);
        return config.ClassName switch
        {
            "DDIMScheduler" => Ddim.Timesteps(config, steps),
            "PNDMScheduler" => Pndm.Timesteps(config, steps),
            "EulerDiscreteScheduler" => Euler.Timesteps(new NoiseSchedule(config), config, steps),
            "DPMSolverMultistepScheduler" => DpmSolver.Timesteps(new NoiseSchedule(config), config, steps),
            _ => throw Unknown(config),
        };
    }

    /// <summary>Runs the config's sampler. No gradient is recorded.</summary>
    /// <param name="config">Decides the algorithm and the time steps; see <see cref="WithSampler"/>.</param>
    /// <param name="schedule">The noise schedule that the model was trained with.</param>
    /// <param name="steps">1 .. NumTrainTimesteps; DPM-Solver++ wants fewer than that.</param>
    /// <param name="predict">
    /// (z_t scaled as the model expects it, (N, C, H, W), float32; t) -> the guided model output of the schedule's prediction type, any floating type.
    /// The sampler disposes what it returns.
    /// </param>
    /// <param name="noise">Unit variance, (N, C, H, W), any floating type; left as it is.</param>
    /// <param name="onStep">Told the call's number (from 0) and the latents after it. Tensors live until it returns; what it keeps it must detach.</param>
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
        latents = config.ClassName switch
        {
            "DDIMScheduler" => Ddim.Run(run, latents),
            "PNDMScheduler" => Pndm.Run(run, latents),
            "EulerDiscreteScheduler" => Euler.Run(run, latents),
            "DPMSolverMultistepScheduler" => DpmSolver.Run(run, latents),
            _ => throw Unknown(config),
        };
        return latents.MoveToOuterDisposeScope();
    }

    private static DoriException Unknown(SchedulerConfig config) => new(
        $"scheduler_config.json: the scheduler \"{config.ClassName}\" is not supported; choose a sampler by name instead: {string.Join(", ", Names)}");
}

/// <summary>What every sampler is a function of, and the part of a step that they share.</summary>
internal sealed record SamplerRun(
    SchedulerConfig Config, NoiseSchedule Schedule, int Steps, Func<Tensor, float, Tensor> Predict, Action<int, Tensor>? OnStep, CancellationToken Cancellation)
{
    /// <summary>
    /// One call of the model and the update that follows it, in a dispose scope of their own. Disposes <paramref name="latents"/>.
    /// What an update keeps for later steps it moves to the outer scope itself.
    /// </summary>
    /// <param name="call">Number of the call, from 0.</param>
    /// <param name="latents">z, (N, C, H, W), float32.</param>
    /// <param name="t">What the model is told.</param>
    /// <param name="inputScale">The model sees z times this.</param>
    /// <param name="update">(z, model output in float32) -> the next z, a new tensor.</param>
    public Tensor Step(int call, Tensor latents, float t, double inputScale, Func<Tensor, Tensor, Tensor> update)
    {
        Cancellation.ThrowIfCancellationRequested();
        Tensor next;
        using (NewDisposeScope())
        {
            Tensor input = inputScale == 1 ? latents.alias() : latents.Times(inputScale);
            using Tensor output = Predict(input, t);
            next = update(latents, output.to(float32)).MoveToOuterDisposeScope();
        }
        latents.Dispose();
        if (OnStep is not null)
        {
            using var scope = NewDisposeScope();
            OnStep(call, next);
        }
        return next;
    }

    /// <summary>a at a time step, and past the last one what the config says: 1, or a_0.</summary>
    public double AlphaBar(int t) => t >= 0 ? Schedule.AlphasCumprod[t] : Config.SetAlphaToOne ? 1 : Schedule.AlphasCumprod[0];
}
