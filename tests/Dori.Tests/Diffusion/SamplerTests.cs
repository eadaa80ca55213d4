using System.Text.Json;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Diffusion;

[Collection("samplers")]
public class SamplerTests
{
    internal static readonly SchedulerConfig Base = new()
    {
        ClassName = "PNDMScheduler", NumTrainTimesteps = 1000, BetaStart = 0.00085, BetaEnd = 0.012, BetaSchedule = "scaled_linear",
        PredictionType = "epsilon", SetAlphaToOne = false, StepsOffset = 1, TimestepSpacing = "leading", RescaleBetasZeroSnr = false,
            UseKarrasSigmas = false,
    };

    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (string file in new[] { "schedulers", "schedulers_more" })
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Golden.PathOf(file + ".json")));
            foreach (JsonProperty entry in json.RootElement.GetProperty("cases").EnumerateObject()) cases.Add(file, entry.Name);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_golden_path_is_followed(string file, string name)
    {
        (SchedulerConfig config, int steps) = Case(file, name);
        Dictionary<string, Tensor> golden = GoldenFile.Read(file);
        float[] timesteps = [.. golden[name + ".timesteps"].data<float>()];
        float[] own = Sampler.Timesteps(config, steps);
        Assert.Equal(timesteps.Length, own.Length);
        Assert.All(timesteps.Zip(own), t => Assert.Equal(t.First, t.Second, 1e-4f)); // diffusers takes Karras's logarithms in float32

        int calls = 0;
        var told = new List<float>();
        Tensor Model(Tensor z, float t)
        {
            told.Add(t);
            return Golden.Rand($"model.{calls++}", 1, 4, 8, 8) * 0.3f + z * 0.5f;
        }

        var errors = new List<double>();
        using Tensor end = Sampler.Run(config, new NoiseSchedule(config), steps, Model, Golden.Rand("z0", 1, 4, 8, 8), (k, z) =>
        {
            Assert.Equal(errors.Count, k);
            errors.Add(Golden.RelativeError(z, golden[name + ".samples"][k].reshape(1, 4, 8, 8)));
        });
        Assert.Equal(own, told);
        Assert.Equal(timesteps.Length, errors.Count);
        // From a sigma of 4096 down to one of 1, float32 loses digits in both.
        double bar = name.StartsWith("euler_v_zsnr", StringComparison.Ordinal) ? 1e-4 : 2e-6;
        Assert.InRange(errors.Max(), 0, bar);
        Assert.InRange(Golden.RelativeError(end, golden[name + ".samples"][-1].reshape(1, 4, 8, 8)), 0, bar);
    }

    /// <summary>Where the model knows the one z_0, every sampler must arrive there: at z_0 itself, or at z_0 with the noise of
    /// a_0.</summary>
    [Theory]
    [InlineData("ddim", "epsilon")]
    [InlineData("ddim", "v_prediction")]
    [InlineData("pndm", "epsilon")]
    [InlineData("pndm", "v_prediction")]
    [InlineData("euler", "epsilon")]
    [InlineData("euler", "v_prediction")]
    [InlineData("dpm-solver++", "epsilon")]
    [InlineData("dpm-solver++", "v_prediction")]
    [InlineData("dpm-solver++-karras", "v_prediction")]
    [InlineData("heun", "epsilon")]
    [InlineData("heun-karras", "v_prediction")]
    [InlineData("euler-karras", "epsilon")]
    [InlineData("unipc", "epsilon")]
    [InlineData("unipc", "v_prediction")]
    [InlineData("unipc-karras", "v_prediction")]
    public void A_model_that_knows_the_picture_brings_it_back(string sampler, string prediction)
    {
        SchedulerConfig config = Sampler.WithSampler(Base with { PredictionType = prediction }, sampler);
        var schedule = new NoiseSchedule(config);
        Tensor picture = Golden.Rand("picture", 1, 4, 8, 8);
        Tensor Model(Tensor z, float t)
        {
            // Between whole time steps of Euler, by the same sigma as the sampler's own interpolation.
            double sigma = SamplerTimesteps.Interpolate(SamplerTimesteps.Sigmas(schedule), t);
            double signal = 1 / Math.Sqrt(sigma * sigma + 1), noise = sigma * signal;
            Tensor epsilon = (z - signal * picture) / noise;
            return prediction == "epsilon" ? epsilon : signal * epsilon - noise * picture;
        }

        using Tensor end = Sampler.Run(config, schedule, 25, Model, Golden.Rand("z0", 1, 4, 8, 8));
        double error = Golden.RelativeError(end, picture);
        // sqrt(1 - a_0) = 0.0292 of noise is left where the last step ends at a_0.
        if (sampler is "ddim" or "pndm") Assert.InRange(error, 0.028, 0.030);
        else Assert.InRange(error, 0, 1e-6);
    }

    [Fact]
    public void The_sampler_is_chosen_by_name()
    {
        SchedulerConfig karras = Sampler.WithSampler(Base, "dpm-solver++-karras");
        Assert.Equal(("DPMSolverMultistepScheduler", true, "linspace"), (karras.ClassName, karras.UseKarrasSigmas, karras.TimestepSpacing));
        SchedulerConfig ddim = Sampler.WithSampler(karras, "ddim");
        Assert.Equal(("DDIMScheduler", false, "leading"), (ddim.ClassName, ddim.UseKarrasSigmas, ddim.TimestepSpacing));
        Assert.Equal("trailing", Sampler.WithSampler(Base with { TimestepSpacing = "trailing" }, "euler").TimestepSpacing);

        string message = Assert.Throws<DoriException>(() => Sampler.WithSampler(Base, "fast")).Message;
        Assert.All(Sampler.Names, name => Assert.Contains(name, message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(1000)] // leading with offset 1 would reach t = 1000
    [InlineData(1001)]
    public void Steps_beyond_the_schedule_are_refused(int steps) => Assert.Throws<DoriException>(() => Sampler.Timesteps(Base, steps));

    [Fact]
    public void Unsupported_values_are_named()
    {
        Assert.Contains("LMSDiscreteScheduler",
            Assert.Throws<DoriException>(() => Sampler.Timesteps(Base with { ClassName = "LMSDiscreteScheduler" }, 5)).Message,
            StringComparison.Ordinal);
        foreach (string name in new[] { "ddim", "pndm", "euler", "heun", "dpm-solver++", "unipc" })
        {
            SchedulerConfig config = Sampler.WithSampler(Base, name) with { TimestepSpacing = "loose" };
            Assert.Contains("loose", Assert.Throws<DoriException>(() => Sampler.Timesteps(config, 5)).Message, StringComparison.Ordinal);
        }
        Assert.Contains("fewer",
            Assert.Throws<DoriException>(() => Sampler.Timesteps(Sampler.WithSampler(Base, "dpm-solver++"), 1000)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ddim")]
    [InlineData("pndm")]
    [InlineData("euler")]
    [InlineData("dpm-solver++")]
    [InlineData("dpm-solver++-karras")]
    [InlineData("euler-karras")]
    [InlineData("heun")]
    [InlineData("unipc")]
    public void Every_step_count_up_to_60_runs_in_every_spacing(string sampler)
    {
        foreach (string spacing in new[] { "leading", "trailing", "linspace" })
        {
            SchedulerConfig config = Sampler.WithSampler(Base, sampler) with { TimestepSpacing = spacing };
            for (int steps = 1; steps <= 60; steps++)
            {
                float[] timesteps = Sampler.Timesteps(config, steps);
                Assert.Equal(sampler == "heun" ? 2 * steps - 1 : steps + (sampler == "pndm" && steps > 1 ? 1 : 0), timesteps.Length);
                Assert.All(timesteps, t => Assert.InRange(t, 0, 999));
                Assert.Equal(timesteps.OrderDescending(), timesteps);
            }
            using Tensor end = Sampler.Run(config, new NoiseSchedule(config), 1, (z, _) => z * 0.5f, Golden.Rand("z0", 1, 4, 2, 2));
            Assert.True(end.isfinite().all().item<bool>());
        }
    }

    [Fact]
    public void Cancellation_stops_before_the_next_call()
    {
        using var source = new CancellationTokenSource();
        int calls = 0;
        Assert.Throws<OperationCanceledException>(() => Sampler.Run(Base, new NoiseSchedule(Base), 10, (z, _) =>
        {
            if (++calls == 3) source.Cancel();
            return z * 0.5f;
        }, Golden.Rand("z0", 1, 4, 2, 2), cancellation: source.Token));
        Assert.Equal(3, calls);
    }

    [Theory]
    [InlineData("ddim")]
    [InlineData("pndm")]
    [InlineData("euler")]
    [InlineData("dpm-solver++")]
    [InlineData("heun")]
    [InlineData("unipc")]
    public void Only_the_result_is_left_in_native_memory(string sampler)
    {
        using var scope = NewDisposeScope();
        SchedulerConfig config = Sampler.WithSampler(Base, sampler);
        var schedule = new NoiseSchedule(config);
        Tensor noise = Golden.Rand("z0", 1, 4, 2, 2), copy = noise.clone();
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var live = new List<long>();
        using Tensor end =
            Sampler.Run(config, schedule, 12, (z, _) => z.to(bfloat16) * 0.5f, noise,
            (_, _) => live.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount));
        Assert.Equal(before + 1, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.InRange(live[^1] - live[6], long.MinValue, 0); // no growth over the steps once the history is full
        Assert.Equal(0, Golden.RelativeError(noise, copy));
        Assert.Equal(float32, end.dtype);
    }

    private static (SchedulerConfig Config, int Steps) Case(string file, string name)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Golden.PathOf(file + ".json")));
        JsonElement entry = json.RootElement.GetProperty("cases").GetProperty(name);
        string Text(string key, string otherwise) => entry.TryGetProperty(key, out JsonElement value) ? value.GetString()! : otherwise;
        bool Flag(string key, bool otherwise) => entry.TryGetProperty(key, out JsonElement value) ? value.GetBoolean() : otherwise;
        string className = Text("cls", "");
        SchedulerConfig config = Base with
        {
            ClassName = className,
            PredictionType = Text("prediction_type", "epsilon"),
            SetAlphaToOne = Flag("set_alpha_to_one", className == "DDIMScheduler"),
            StepsOffset = entry.TryGetProperty("steps_offset", out JsonElement offset) ? offset.GetInt32() : 0,
            TimestepSpacing = Text("timestep_spacing", className is "DDIMScheduler" or "PNDMScheduler" ? "leading" : "linspace"),
            RescaleBetasZeroSnr = Flag("rescale_betas_zero_snr", false),
            UseKarrasSigmas = Flag("use_karras_sigmas", false),
            FinalSigmasType = Text("final_sigmas_type", "zero"),
            EulerAtFinal = Flag("euler_at_final", false),
            ClipSampleRange = Flag("clip_sample", false) ? 1 : null,
        };
        return (config, int.Parse(name[(name.LastIndexOf('.') + 1)..]));
    }
}
