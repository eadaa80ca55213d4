using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 2 without churn: Euler's step, then
/// the same step by the mean of the derivatives at both its ends. Two calls of the model a step, one for the last.
/// </summary>
internal static class Heun
{
    public static float[] Timesteps(NoiseSchedule schedule, SchedulerConfig config, int steps)
    {
        float[] once = Euler.Levels(schedule, config, steps).Timesteps;
        return [once[0], .. once.Skip(1).SelectMany(t => new[] { t, t })];
    }

    public static Tensor Run(SamplerRun run, Tensor latents)
    {
        (float[] timesteps, double[] sigmas) = Euler.Levels(run.Schedule, run.Config, run.Steps);
        latents = Euler.Begin(run, latents, sigmas[0]);
        for (int k = 0; k < timesteps.Length; k++)
        {
            (double sigma, double next) = (sigmas[k], sigmas[k + 1]);
            bool last = k == timesteps.Length - 1;
            Tensor? start = null, first = null; // of a step, until its second call; in the run's scope
            latents = run.Step(2 * k, latents, timesteps[k], Euler.InputScale(sigma), (x, output) =>
            {
                Tensor derivative = Euler.Derivative(run, x, output, sigma);
                if (!last) (start, first) = (x.clone().MoveToOuterDisposeScope(), derivative.clone().MoveToOuterDisposeScope());
                return x.Plus(derivative.Times(next - sigma));
            });
            if (last) continue;
            latents = run.Step(2 * k + 1, latents, timesteps[k + 1], Euler.InputScale(next), (x, output) =>
                start!.Plus(first!.Plus(Euler.Derivative(run, x, output, next)).Times((next - sigma) / 2)));
            start!.Dispose();
            first!.Dispose();
        }
        return latents;
    }
}
