using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Diffusion;

public class NoiseScheduleTests
{
    private static readonly SchedulerConfig StableDiffusion = SamplerTests.Base with { ClassName = "DDIMScheduler" };

    [Fact]
    public void Alpha_bar_is_the_golden_one()
    {
        float[] expected = [.. GoldenFile.Read("schedulers")["alphas_cumprod"].data<float>()];
        IReadOnlyList<float> actual = new NoiseSchedule(StableDiffusion).AlphasCumprod;
        Assert.Equal(1000, actual.Count);
        for (int t = 0; t < 1000; t++) Assert.Equal(1, actual[t] / expected[t], 1e-6);
    }

    [Fact]
    public void Noisy_latents_and_velocity_are_the_golden_ones()
    {
        Dictionary<string, Tensor> golden = GoldenFile.Read("schedulers");
        var schedule = new NoiseSchedule(StableDiffusion);
        Tensor x = Golden.Rand("clean", 4, 4, 8, 8), noise = Golden.Rand("noise", 4, 4, 8, 8);
        Assert.InRange(Golden.RelativeError(schedule.AddNoise(x, noise, golden["t"]), golden["noisy"]), 0, 1e-6);
        Assert.InRange(Golden.RelativeError(schedule.Velocity(x, noise, golden["t"]), golden["velocity"]), 0, 1e-6);
    }

    [Theory]
    [InlineData("epsilon")]
    [InlineData("v_prediction")]
    public void A_perfect_prediction_gives_back_latents_and_noise(string prediction)
    {
        var schedule = new NoiseSchedule(StableDiffusion with { PredictionType = prediction });
        Tensor x = Golden.Rand("x", 3, 4, 8, 8), noise = Golden.Rand("n", 3, 4, 8, 8), t = tensor(new long[] { 3, 500, 900 });
        Tensor noisy = schedule.AddNoise(x, noise, t), target = schedule.Target(x, noise, t);
        Assert.InRange(Golden.RelativeError(schedule.OriginalFromPrediction(target, noisy, t), x), 0, 1e-5);
        Assert.InRange(Golden.RelativeError(schedule.EpsilonFromPrediction(target, noisy, t), noise), 0, 1e-5);
        Assert.Equal(prediction == "epsilon", Golden.RelativeError(target, noise) == 0);
    }

    [Fact]
    public void One_latent_is_shared_by_many_time_steps()
    {
        var schedule = new NoiseSchedule(StableDiffusion);
        Tensor x = Golden.Rand("x", 1, 4, 8, 8), noise = Golden.Rand("n", 3, 4, 8, 8), t = tensor(new long[] { 0, 10, 999 });
        Assert.Equal(0, Golden.RelativeError(schedule.AddNoise(x, noise, t), schedule.AddNoise(x.expand(3, 4, 8, 8), noise, t)));
    }

    [Fact]
    public void Results_have_the_latents_type_and_float32_coefficients()
    {
        var schedule = new NoiseSchedule(StableDiffusion);
        Tensor x = Golden.Rand("x", 2, 4, 8, 8).to(bfloat16), noise = Golden.Rand("n", 2, 4, 8, 8).to(bfloat16),
            t = tensor(new long[] { 10, 900 });
        Tensor exact = schedule.AddNoise(x.to(float32), noise.to(float32), t);
        Tensor actual = schedule.AddNoise(x, noise, t);
        Assert.Equal(bfloat16, actual.dtype);
        Assert.Equal(0, Golden.RelativeError(actual, exact.to(bfloat16)));
    }

    [Fact]
    public void Zero_terminal_signal_keeps_the_start_and_ends_at_zero()
    {
        IReadOnlyList<float> plain = new NoiseSchedule(StableDiffusion).AlphasCumprod;
        IReadOnlyList<float> rescaled = new NoiseSchedule(StableDiffusion with { RescaleBetasZeroSnr = true }).AlphasCumprod;
        Assert.Equal(plain[0], rescaled[0], 1e-6f);
        Assert.Equal(0, rescaled[^1]);
        double first = Math.Sqrt(plain[0]), last = Math.Sqrt(plain[^1]);
        for (int t = 0; t < 1000; t += 100)
            Assert.Equal(Math.Pow((Math.Sqrt(plain[t]) - last) * first / (first - last), 2), rescaled[t], 1e-5);
    }

    [Fact]
    public void Linear_betas()
    {
        IReadOnlyList<float> alphas =
            new NoiseSchedule(
            StableDiffusion with { BetaSchedule = "linear", BetaStart = 0.1, BetaEnd = 0.3, NumTrainTimesteps = 3 }).AlphasCumprod;
        Assert.Equal([0.9f, 0.72f, 0.504f], alphas.Select(a => MathF.Round(a, 5)));
    }

    [Fact]
    public void Unsupported_values_are_named()
    {
        foreach ((SchedulerConfig config, string named) in new[]
        {
            (StableDiffusion with { BetaSchedule = "squaredcos_cap_v2" }, "squaredcos_cap_v2"),
            (StableDiffusion with { PredictionType = "sample" }, "\"sample\""),
            (StableDiffusion with { NumTrainTimesteps = 0 }, "num_train_timesteps"),
            (StableDiffusion with { BetaEnd = double.NaN }, "beta_end"),
        })
            Assert.Contains(named, Assert.Throws<DoriException>(() => new NoiseSchedule(config)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_native_memory_is_left_behind()
    {
        using var scope = NewDisposeScope();
        var schedule = new NoiseSchedule(StableDiffusion);
        Tensor x = Golden.Rand("x", 1, 4, 8, 8), t = tensor(new long[] { 5 });
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 3; i++)
        {
            schedule.AddNoise(x, x, t).Dispose();
            schedule.Target(x, x, t).Dispose();
            _ = new NoiseSchedule(StableDiffusion);
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
