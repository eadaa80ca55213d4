using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>What every sampler is a function of, and the part of a step that they share.</summary>
public sealed record SamplerRun(SchedulerConfig Config, NoiseSchedule Schedule, int Steps, Func<Tensor, float, Tensor> Predict,
    Action<int, Tensor>? OnStep, CancellationToken Cancellation)
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
