using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 2 without churn and second order:
/// x = z / signal has noise sigma, and dx/dsigma is the noise direction.
/// </summary>
internal static class Euler
{
    public static float[] Timesteps(NoiseSchedule schedule, SchedulerConfig config, int steps) => Levels(schedule, config, steps).Timesteps;

    public static Tensor Run(SamplerRun run, Tensor latents)
    {
        (float[] timesteps, double[] sigmas) = Levels(run.Schedule, run.Config, run.Steps);
        double largest = sigmas[0];
        // A start in the middle of the schedule has signal too, hence the variance of both.
        latents = latents.Times_(run.Config.TimestepSpacing == "leading" ? Math.Sqrt(largest * largest + 1) : largest);
        for (int k = 0; k < timesteps.Length; k++)
        {
            double sigma = sigmas[k], change = sigmas[k + 1] - sigma, variance = sigma * sigma + 1;
            latents = run.Step(k, latents, timesteps[k], 1 / Math.Sqrt(variance), (x, output) =>
            {
                // v = (x - x0 (sigma^2 + 1)) / (sigma sqrt(sigma^2 + 1)); the derivative is (x - x0) / sigma.
                Tensor derivative = run.Schedule.Prediction == PredictionType.Velocity
                    ? output.Over(Math.Sqrt(variance)).Plus(x.Times(sigma / variance))
                    : output;
                return x.Plus(derivative.Times(change));
            });
        }
        return latents;
    }

    /// <summary>Time steps (between whole ones for linspace and Karras), and their sigmas with a final 0.</summary>
    private static (float[] Timesteps, double[] Sigmas) Levels(NoiseSchedule schedule, SchedulerConfig config, int steps)
    {
        double[] all = SamplerTimesteps.Sigmas(schedule);
        double[] timesteps, sigmas;
        if (config.UseKarrasSigmas)
        {
            sigmas = SamplerTimesteps.Karras(all, steps);
            timesteps = [.. sigmas.Select(sigma => SamplerTimesteps.TimestepOf(all, sigma))];
        }
        else
        {
            timesteps = config.TimestepSpacing == "linspace"
                ? [.. SamplerTimesteps.Linspace(all.Length - 1, steps).Reverse().Select(t => (double)(float)t)]
                : [.. SamplerTimesteps.Whole(config, steps).Select(t => (double)t)];
            sigmas = [.. timesteps.Select(t => SamplerTimesteps.Interpolate(all, t))];
        }
        return ([.. timesteps.Select(t => (float)t)], [.. sigmas.Select(sigma => (double)(float)sigma), 0]);
    }
}
