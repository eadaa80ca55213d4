using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Diffusion;

/// <summary>A sampler of one's own is one function in one file: no file of the library knows it.</summary>
[Collection("samplers")] // beside tests that list all samplers
public sealed class OwnSamplerTests
{
    /// <summary>Straight to z_0 as the first call predicts it, however many steps are asked for: closed form below.</summary>
    private static readonly SamplerKind s_leap = new("leap", "LeapScheduler", "leading", (run, latents) =>
    {
        int t = (int)Sampler.Timesteps(run.Config, run.Steps)[0];
        double alpha = run.AlphaBar(t);
        return run.Step(0, latents, t, 1, (z, epsilon) => (z - epsilon * (float)Math.Sqrt(1 - alpha)) / (float)Math.Sqrt(alpha));
    });

    [Fact]
    public void It_is_named_spaced_and_run_like_the_others()
    {
        if (!Sampler.Names.Contains("leap")) Sampler.Add(s_leap);
        SchedulerConfig config = Sampler.WithSampler(SamplerTests.Base with { StepsOffset = 0 }, "leap");
        Assert.Equal(("LeapScheduler", "leading"), (config.ClassName, config.TimestepSpacing));
        Assert.Equal([750f, 500f, 250f, 0f], Sampler.Timesteps(config, 4));

        var schedule = new NoiseSchedule(config);
        using Tensor noise = Golden.Rand("z0", 1, 4, 2, 2);
        int calls = 0;
        using Tensor end = Sampler.Run(config, schedule, 4, (z, _) => { calls++; return z * 0.5f; }, noise);
        double alpha = schedule.AlphasCumprod[750];
        using Tensor expected = noise * (float)((1 - 0.5 * Math.Sqrt(1 - alpha)) / Math.Sqrt(alpha));
        Assert.Equal(1, calls);
        Assert.InRange(Golden.RelativeError(end, expected), 0, 1e-6);
    }

    [Fact]
    public void A_name_that_is_taken_is_refused() =>
        Assert.Throws<ArgumentException>(() => Sampler.Add(s_leap with { Name = "ddim" }));
}
