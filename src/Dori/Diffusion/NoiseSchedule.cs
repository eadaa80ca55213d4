using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// How much noise a latent holds at each training time step: z_t = sqrt(a_t) z_0 + sqrt(1 - a_t) eps (Ho et al. 2020), with a_t =
/// <see cref="AlphasCumprod"/>. Immutable; holds no native memory. Tensors may be on any device and of any floating type: coefficients are
/// float32, sums are taken in float32, and the result has the latents' type.
/// </summary>
public sealed class NoiseSchedule
{
    private readonly float[] alphasCumprod;

    /// <exception cref="DoriException">A value of the config that is not supported or makes no schedule.</exception>
    public NoiseSchedule(SchedulerConfig config)
    {
        if (config.NumTrainTimesteps is < 2 or > 100_000)
            throw new DoriException($"scheduler_config.json: num_train_timesteps is {config.NumTrainTimesteps}; it must be 2 to 100000");
        if (!(config.BetaStart > 0 && config.BetaStart < 1 && config.BetaEnd > 0 && config.BetaEnd < 1))
            throw new DoriException(
                $"scheduler_config.json: beta_start and beta_end are {config.BetaStart} and {config.BetaEnd}; "
                + $"both must lie between 0 and 1");
        Prediction = config.PredictionType switch
        {
            "epsilon" => PredictionType.Epsilon,
            "v_prediction" => PredictionType.Velocity,
            _ => throw new DoriException(
                $"scheduler_config.json: prediction_type \"{config.PredictionType}\" is not supported; epsilon and v_prediction are"),
        };

        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor betas = config.BetaSchedule switch
        {
            "scaled_linear" =>
                linspace(Math.Sqrt(config.BetaStart), Math.Sqrt(config.BetaEnd), config.NumTrainTimesteps, float32).Squared(),
            "linear" => linspace(config.BetaStart, config.BetaEnd, config.NumTrainTimesteps, float32),
            _ => throw new DoriException(
                $"scheduler_config.json: beta_schedule \"{config.BetaSchedule}\" is not supported; scaled_linear and linear are"),
        };
        if (config.RescaleBetasZeroSnr) betas = RescaleToZeroTerminalSnr(betas);
        alphasCumprod = [.. betas.SubtractedFrom(1).cumprod(0).data<float>()];
    }

    /// <summary>a_t for t = 0 .. NumTrainTimesteps - 1, falling; the last is 0 where the config rescales to zero terminal signal.</summary>
    public IReadOnlyList<float> AlphasCumprod => alphasCumprod;

    public int NumTrainTimesteps => alphasCumprod.Length;

    /// <summary>What the UNet's output means.</summary>
    public PredictionType Prediction { get; }

    /// <summary>z_t = sqrt(a_t) z_0 + sqrt(1 - a_t) eps.</summary>
    /// <param name="latents">z_0, (N, C, H, W), or anything that N x C x H x W broadcasts with.</param>
    /// <param name="noise">eps, (N, C, H, W), unit variance.</param>
    /// <param name="timesteps">(N), int64, 0 .. NumTrainTimesteps - 1.</param>
    public Tensor AddNoise(Tensor latents, Tensor noise, Tensor timesteps) =>
        Mix(latents, noise, timesteps, static (z, eps, signal, sigma) => (signal * z).Plus(sigma * eps));

    /// <summary>v = sqrt(a_t) eps - sqrt(1 - a_t) z_0 (Salimans and Ho 2022). Shapes as in <see cref="AddNoise"/>.</summary>
    public Tensor Velocity(Tensor latents, Tensor noise, Tensor timesteps) =>
        Mix(latents, noise, timesteps, static (z, eps, signal, sigma) => signal * eps - sigma * z);

    /// <summary>What the UNet is trained to give: the noise, or the velocity. Never the argument itself. Shapes as in <see
    /// cref="AddNoise"/>.</summary>
    public Tensor Target(Tensor latents, Tensor noise, Tensor timesteps) =>
        Prediction == PredictionType.Velocity ? Velocity(latents, noise, timesteps) : noise.alias();

    /// <summary>The z_0 that a prediction at z_t stands for. Diverges for an epsilon prediction where a_t is 0.</summary>
    /// <param name="prediction">The UNet's output, (N, C, H, W).</param>
    /// <param name="noisy">z_t, (N, C, H, W).</param>
    /// <param name="timesteps">(N), int64.</param>
    public Tensor OriginalFromPrediction(Tensor prediction, Tensor noisy, Tensor timesteps) => Prediction == PredictionType.Velocity
        ? Mix(noisy, prediction, timesteps, static (z, v, signal, sigma) => signal * z - sigma * v)
        : Mix(noisy, prediction, timesteps, static (z, eps, signal, sigma) => (z - sigma * eps) / signal);

    /// <summary>The noise that a prediction at z_t stands for. Never the argument itself. Shapes as in <see
    /// cref="OriginalFromPrediction"/>.</summary>
    public Tensor EpsilonFromPrediction(Tensor prediction, Tensor noisy, Tensor timesteps) => Prediction == PredictionType.Velocity
        ? Mix(noisy, prediction, timesteps, static (z, v, signal, sigma) => (signal * v).Plus(sigma * z))
        : prediction.alias();

    private Tensor Mix(Tensor latents, Tensor other, Tensor timesteps, Func<Tensor, Tensor, Tensor, Tensor, Tensor> mix)
    {
        using var scope = NewDisposeScope();
        long[] perExample = [-1, .. Enumerable.Repeat(1L, (int)Math.Max(latents.dim(), other.dim()) - 1)];
        // (N, 1, 1, 1); one example's a_t is taken from a small table, so that the device need not wait for the CPU
        Tensor alpha = tensor(alphasCumprod).to(latents.device).index_select(0, timesteps.to(latents.device)).reshape(perExample);
        Tensor mixed = mix(latents.to(float32), other.to(float32), alpha.sqrt(), alpha.SubtractedFrom(1).sqrt());
        return mixed.to(latents.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1.</summary>
    private static Tensor RescaleToZeroTerminalSnr(Tensor betas)
    {
        Tensor root = betas.SubtractedFrom(1).cumprod(0).sqrt();
        Tensor first = root[0], last = root[-1];
        Tensor alphaBar = ((root - last) * (first / (first - last))).Squared();
        Tensor ratios = alphaBar[TensorIndex.Slice(1)] / alphaBar[TensorIndex.Slice(0, -1)];
        return cat([alphaBar[TensorIndex.Slice(0, 1)], ratios]).SubtractedFrom(1);
    }
}

/// <summary>What a UNet's output stands for.</summary>
public enum PredictionType
{
    /// <summary>The noise in z_t.</summary>
    Epsilon,

    /// <summary>v = sqrt(a_t) eps - sqrt(1 - a_t) z_0.</summary>
    Velocity,
}
