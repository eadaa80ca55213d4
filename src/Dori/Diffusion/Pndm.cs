using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds", without the Runge-Kutta start (as Stable Diffusion uses
/// it): the first step is taken twice, then linear multistep of up to four model outputs.
/// </summary>
internal static class Pndm
{
    public static float[] Timesteps(NoiseSchedule _, SchedulerConfig config, int steps) =>
        [.. Calls(config, steps).Select(t => (float)t)];

    public static Tensor Run(SamplerRun run, Tensor latents)
    {
        int[] timesteps = Calls(run.Config, run.Steps);
        int stride = run.Schedule.NumTrainTimesteps / run.Steps;
        var outputs = new List<Tensor>(); // newest last, at most four; in the run's scope
        Tensor start = latents.alias();
        for (int k = 0; k < timesteps.Length; k++)
        {
            // The second call corrects the first step: it starts anew from where the first did.
            (int t, int next) = k == 1 ? (timesteps[k] + stride, timesteps[k]) : (timesteps[k], timesteps[k] - stride);
            latents = run.Step(k, latents, timesteps[k], 1, (z, output) =>
            {
                if (k == 1) return Transfer(run, start, output.Plus(outputs[^1]).Over(2), t, next);
                outputs.Add(output.alias().MoveToOuterDisposeScope());
                return Transfer(run, z, Multistep(outputs), t, next);
            });
            if (outputs.Count < 4) continue;
            outputs[0].Dispose();
            outputs.RemoveAt(0);
        }
        return latents;
    }

    private static int[] Calls(SchedulerConfig config, int steps)
    {
        int[] whole = SamplerTimesteps.Whole(config, steps);
        return steps == 1 ? whole : [whole[0], whole[1], .. whole[1..]];
    }

    /// <summary>Adams-Bashforth over the outputs there are.</summary>
    private static Tensor Multistep(List<Tensor> e) => e.Count switch
    {
        1 => e[^1],
        2 => (e[^1].Times(3) - e[^2]).Over(2),
        3 => (e[^1].Times(23) - e[^2].Times(16)).Plus(e[^3].Times(5)).Over(12),
        _ => ((e[^1].Times(55) - e[^2].Times(59)).Plus(e[^3].Times(37)) - e[^4].Times(9)).Over(24),
    };

    /// <summary>Equation 9, from time t to an earlier one.</summary>
    private static Tensor Transfer(SamplerRun run, Tensor z, Tensor output, int t, int next)
    {
        double alpha = run.AlphaBar(t), previous = run.AlphaBar(next);
        double signal = Math.Sqrt(alpha), sigma = Math.Sqrt(1 - alpha);
        Tensor epsilon = run.Schedule.Prediction == PredictionType.Velocity ? output.Times(signal).Plus(z.Times(sigma)) : output;
        double denominator = alpha * Math.Sqrt(1 - previous) + Math.Sqrt(alpha * (1 - alpha) * previous);
        return z.Times(Math.Sqrt(previous / alpha)) - epsilon.Times((previous - alpha) / denominator);
    }
}
