using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models", algorithm 2 (2M, midpoint):
/// a multistep solver of second order for the predicted z_0, of first order in the first step and, where that ends without noise or there
/// are few, in the last.
/// </summary>
internal static class DpmSolver
{
    public static float[] Timesteps(NoiseSchedule schedule, SchedulerConfig config, int steps) =>
        [.. Levels(schedule, config, steps).Timesteps.Select(t => (float)t)];

    public static Tensor Run(SamplerRun run, Tensor latents)
    {
        (int[] timesteps, double[] sigmas) = Levels(run.Schedule, run.Config, run.Steps);
        const int few = 15;
        bool lastIsFirstOrder = sigmas[^1] == 0 || run.Config.EulerAtFinal || run.Steps < few;
        Tensor? previous = null; // z_0 as predicted one step earlier; in the run's scope
        for (int k = 0; k < timesteps.Length; k++)
        {
            (double signal, double noise) = SamplerTimesteps.Split(sigmas[k]);
            (double nextSignal, double nextNoise) = SamplerTimesteps.Split(sigmas[k + 1]);
            // lambda = log(signal / noise) = -log(sigma); the last step ends at infinity, where e^-h = 0.
            double h = Math.Log(sigmas[k] / sigmas[k + 1]);
            double weight = nextSignal * (1 - Math.Exp(-h));
            bool second = k > 0 && (k < timesteps.Length - 1 || !lastIsFirstOrder);
            double ratio = second ? Math.Log(sigmas[k - 1] / sigmas[k]) / h : 0;

            Tensor? current = null;
            latents = run.Step(k, latents, timesteps[k], 1, (z, output) =>
            {
                Tensor original = run.Schedule.Prediction == PredictionType.Velocity
                    ? z.Times(signal) - output.Times(noise)
                    : (z - output.Times(noise)).Over(signal);
                current = original.MoveToOuterDisposeScope();
                Tensor direction = second ? original.Plus((original - previous!).Over(2 * ratio)) : original;
                return z.Times(nextNoise / noise).Plus(direction.Times(weight));
            });
            previous?.Dispose();
            previous = current;
        }
        return latents;
    }

    /// <summary>
    /// Time steps, and their sigmas with the final one. Unlike the other samplers the multistep ones divide the schedule for one step more
    /// and leave the last out. Karras's levels keep their sigmas though their time steps are rounded, and may share one.
    /// </summary>
    public static (int[] Timesteps, double[] Sigmas) Levels(NoiseSchedule schedule, SchedulerConfig config, int steps)
    {
        double[] all = SamplerTimesteps.Sigmas(schedule);
        int[] timesteps;
        double[] sigmas;
        if (config.UseKarrasSigmas)
        {
            sigmas = SamplerTimesteps.Karras(all[^1], all[0], steps);
            timesteps = [.. sigmas.Select(sigma => SamplerTimesteps.Round(SamplerTimesteps.TimestepOf(all, sigma)))];
        }
        else
        {
            timesteps = SamplerTimesteps.Checked(config, steps, config.TimestepSpacing switch
            {
                "linspace" => [.. SamplerTimesteps.Linspace(all.Length - 1, steps + 1).Skip(1).Reverse().Select(SamplerTimesteps.Round)],
                "leading" => [.. Enumerable.Range(1, steps).Reverse().Select(i => i * (all.Length / (steps + 1)) + config.StepsOffset)],
                "trailing" => SamplerTimesteps.Trailing(all.Length, steps),
                _ => throw SamplerTimesteps.Unknown(config),
            });
            sigmas = [.. timesteps.Select(t => all[t])];
        }
        for (int k = 1; k < steps; k++)
        {
            if ((float)sigmas[k] >= (float)sigmas[k - 1])
                throw new DoriException(
                    $"sampler steps: {steps} steps are too many for DPM-Solver++ and UniPC, whose levels would repeat; choose fewer steps");
        }
        return (timesteps, SamplerTimesteps.WithFinal(config, all, sigmas));
    }
}
