using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>Song et al. 2021, "Denoising Diffusion Implicit Models", equation 12 with sigma = 0.</summary>
internal static class Ddim
{
    public static float[] Timesteps(NoiseSchedule _, SchedulerConfig config, int steps) =>
        [.. SamplerTimesteps.Whole(config, steps).Select(t => (float)t)];

    public static Tensor Run(SamplerRun run, Tensor latents)
    {
        int[] timesteps = SamplerTimesteps.Whole(run.Config, run.Steps);
        int stride = run.Schedule.NumTrainTimesteps / run.Steps;
        for (int k = 0; k < timesteps.Length; k++)
        {
            double alpha = run.AlphaBar(timesteps[k]), previous = run.AlphaBar(timesteps[k] - stride);
            double signal = Math.Sqrt(alpha), sigma = Math.Sqrt(1 - alpha);
            latents = run.Step(k, latents, timesteps[k], 1, (z, output) =>
            {
                (Tensor original, Tensor epsilon) = run.Schedule.Prediction == PredictionType.Velocity
                    ? (z.Times(signal) - output.Times(sigma), output.Times(signal).Plus(z.Times(sigma)))
                    : ((z - output.Times(sigma)).Over(signal), output);
                if (run.Config.ClipSampleRange is { } most) original = original.Clamp(-most, most);
                return original.Times(Math.Sqrt(previous)).Plus(epsilon.Times(Math.Sqrt(1 - previous)));
            });
        }
        return latents;
    }
}
