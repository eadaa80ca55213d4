using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models", algorithms 1 and 2 for the
/// predicted z_0 with B(h) = e^h - 1 and order 2: each call of the model first corrects the step that led to it, then predicts the next.
/// </summary>
internal static class UniPc
{
    private const int Order = 2;

    public static Tensor Run(SamplerRun run, Tensor latents)
    {
        (int[] timesteps, double[] sigmas) = DpmSolver.Levels(run.Schedule, run.Config, run.Steps);
        // As predicted at the last call and the one before it, and the latents that the last step began from; in the run's scope.
        Tensor? last = null, beforeLast = null, from = null;
        int order = 0; // of the last step
        for (int k = 0; k < timesteps.Length; k++)
        {
            (double signal, double noise) = SamplerTimesteps.Split(sigmas[k]);
            int next = Math.Min(Math.Min(Order, timesteps.Length - k), k + 1);
            Tensor? current = null, corrected = null;
            latents = run.Step(k, latents, timesteps[k], 1, (z, output) =>
            {
                Tensor original = run.Schedule.Prediction == PredictionType.Velocity
                    ? z.Times(signal) - output.Times(noise)
                    : (z - output.Times(noise)).Over(signal);
                Tensor x = k == 0 ? z.alias() : Correct(sigmas, k, order, from!, last!, beforeLast, original);
                (current, corrected) = (original.MoveToOuterDisposeScope(), x.MoveToOuterDisposeScope());
                return Predict(sigmas, k, next, x, original, last);
            });
            beforeLast?.Dispose();
            from?.Dispose();
            (beforeLast, last, from, order) = (last, current, corrected, next);
        }
        return latents;
    }

    /// <summary>From level k to k + 1.</summary>
    private static Tensor Predict(double[] sigmas, int k, int order, Tensor x, Tensor original, Tensor? before)
    {
        (Tensor next, double scale, double h) = Exponential(sigmas, k, x, original);
        if (order < Order) return next;
        double ratio = Lambda(sigmas, k - 1, k) / h;
        return next - (before! - original).Times(0.5 * scale / ratio);
    }

    /// <summary>The step from level k - 1 to k again, with what the model says at its end.</summary>
    private static Tensor Correct(double[] sigmas, int k, int order, Tensor from, Tensor last, Tensor? beforeLast, Tensor now)
    {
        (Tensor next, double scale, double h) = Exponential(sigmas, k - 1, from, last);
        if (order < Order) return next - (now - last).Times(0.5 * scale);
        double ratio = Lambda(sigmas, k - 2, k - 1) / h, phi = Math.Exp(-h) - 1;
        // b_1 and b_2 of equation 7; the two weights solve a system of two equations
        double first = phi / -h - 1, second = first / -h - 0.5;
        (double b1, double b2) = (first / phi, 2 * second / phi);
        double weight = (b1 - b2) / (1 - ratio);
        return next - (beforeLast! - last).Times(weight / ratio * scale) - (now - last).Times((b1 - weight) * scale);
    }

    /// <summary>The exponential integrator's step of first order, the factor of its corrections, and h.</summary>
    private static (Tensor Next, double Scale, double H) Exponential(double[] sigmas, int k, Tensor x, Tensor original)
    {
        (double _, double noise) = SamplerTimesteps.Split(sigmas[k]);
        (double nextSignal, double nextNoise) = SamplerTimesteps.Split(sigmas[k + 1]);
        double h = Lambda(sigmas, k + 1, k);
        double scale = nextSignal * (Math.Exp(-h) - 1);
        return (x.Times(nextNoise / noise) - original.Times(scale), scale, h);
    }

    /// <summary>lambda of level a minus that of level b, lambda = log(signal / noise) = -log(sigma). Infinite where a has no
    /// noise.</summary>
    private static double Lambda(double[] sigmas, int a, int b) => Math.Log(sigmas[b] / sigmas[a]);
}
