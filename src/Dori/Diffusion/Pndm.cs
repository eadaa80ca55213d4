using Dori.Checkpoints;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// Liu et al. 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds", without the Runge-Kutta start (as Stable Diffusion uses it):
/// the first step is taken twice, then linear multistep of up to four model outputs.
/// </summary>
internal static class Pndm
{
    public static float[] Timesteps(SchedulerConfig config, int steps) => [.. Calls(config, steps).Select(t => (float)t)];

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
                if (k == 1) return Transfer(run, start, (output + outputs[^1]) / 2, t, next);
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
        2 => (3 * e[^1] - e[^2]) / 2,
        3 => (23 * e[^1] - 16 * e[^2] + 5 * e[^3]) / 12,
        _ => (55 * e[^1] - 59 * e[^2] + 37 * e[^3] - 9 * e[^4]) / 24,
    };

    /// <summary>Equation 9, from time t to an earlier one.</summary>
    private static Tensor Transfer(SamplerRun run, Tensor z, Tensor output, int t, int next)
    {
        double alpha = run.AlphaBar(t), previous = run.AlphaBar(next);
        double signal = Math.Sqrt(alpha), sigma = Math.Sqrt(1 - alpha);
        Tensor epsilon = run.Schedule.Prediction == PredictionType.Velocity ? signal * output + sigma * z : output;
        double denominator = alpha * Math.Sqrt(1 - previous) + Math.Sqrt(alpha * (1 - alpha) * previous);
        return Math.Sqrt(previous / alpha) * z - (previous - alpha) / denominator * epsilon;
    }
}
