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
        latents = Begin(run, latents, sigmas[0]);
        for (int k = 0; k < timesteps.Length; k++)
        {
            double sigma = sigmas[k], change = sigmas[k + 1] - sigma;
            latents = run.Step(k, latents, timesteps[k], InputScale(sigma),
                (x, output) => x.Plus(Derivative(run, x, output, sigma).Times(change)));
        }
        return latents;
    }

    /// <summary>Unit variance at the first noise level. A start in the middle of the schedule has signal too, hence the variance of
    /// both.</summary>
    public static Tensor Begin(SamplerRun run, Tensor latents, double largest) =>
        latents.Times_(run.Config.TimestepSpacing == "leading" ? Math.Sqrt(largest * largest + 1) : largest);

    public static double InputScale(double sigma) => 1 / Math.Sqrt(sigma * sigma + 1);

    /// <summary>dx/dsigma = (x - x0) / sigma, where v = (x - x0 (sigma^2 + 1)) / (sigma sqrt(sigma^2 + 1)).</summary>
    public static Tensor Derivative(SamplerRun run, Tensor x, Tensor output, double sigma) =>
        run.Schedule.Prediction == PredictionType.Velocity
            ? output.Times(InputScale(sigma)).Plus(x.Times(sigma / (sigma * sigma + 1)))
            : output;

    /// <summary>Time steps (between whole ones for linspace and Karras), and their sigmas with the final one.</summary>
    public static (float[] Timesteps, double[] Sigmas) Levels(NoiseSchedule schedule, SchedulerConfig config, int steps)
    {
        double[] all = SamplerTimesteps.Sigmas(schedule);
        double[] timesteps = config.TimestepSpacing == "linspace"
            ? [.. SamplerTimesteps.Linspace(all.Length - 1, steps).Reverse().Select(t => (double)(float)t)]
            : [.. SamplerTimesteps.Whole(config, steps).Select(t => (double)t)];
        double[] sigmas = [.. timesteps.Select(t => SamplerTimesteps.Interpolate(all, t))];
        if (config.UseKarrasSigmas)
        {
            // between the levels that the spacing begins and ends at, and not the schedule's own
            sigmas = SamplerTimesteps.Karras(sigmas[0], sigmas[^1], steps);
            timesteps = [.. sigmas.Select(sigma => SamplerTimesteps.TimestepOf(all, sigma))];
        }
        return ([.. timesteps.Select(t => (float)t)], SamplerTimesteps.WithFinal(config, all, sigmas));
    }
}
