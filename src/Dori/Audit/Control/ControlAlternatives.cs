using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Models;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// Is what the configs say what the weights were trained with? The network denoises the same pictures with the same noise at the same
/// ratio of signal to noise as its configs say, and with one value changed at a time. Weights are at their best with the values that they
/// were trained with: another one that does better shows a config that is not the weights' own, though the model may still draw
/// something.
/// </summary>
internal sealed class ControlAlternatives(DiffusionModel model, ControlSample sample)
{
    private const int Pictures = 4;
    private const string ScalingFactor = "scaling_factor", Turned = "orientation of the kernels";
    /// <summary>Where the noise is as strong as at these shares of the declared schedule's time steps.</summary>
    private static readonly double[] s_levels = [0.1, 0.35, 0.65];

    /// <param name="Scale">Factor of the latents: another scaling_factor.</param>
    private sealed record Reading(DiffusionModel Model, NoiseSchedule Schedule, double Scale)
    {
        /// <summary>
        /// Its own inverse, on (N, 4, h, w). A network whose kernels are turned does to pictures what the network does to pictures that are
        /// turned: nothing else in it knows of places.
        /// </summary>
        public Func<Tensor, Tensor> Turn { get; init; } = latents => latents;
    }

    private Reading Declared => new(model, model.Schedule, 1);

    public IEnumerable<ControlFigure> Figures()
    {
        using var scope = NewDisposeScope();
        double[] declared = Errors(Declared);
        foreach ((string name, Func<Reading>[] others) in Alternatives())
        {
            if (others.Length == 0) continue;
            double[] ratios = [.. others.Select(other => Ratio(declared, other()))];
            yield return ControlFigure.Of(PositiveControl.Hand, $"denoising error as declared over that with another {name}",
                ratios.Any(double.IsNaN) ? double.NaN : ratios.Max(),
                atMost: Math.Round(Limit(name) * ControlLimits.OfFew(sample.Items.Count), 3));
        }
    }

    private static double Limit(string name) => name switch
    {
        ScalingFactor => ControlLimits.DeclaredScale,
        Turned => ControlLimits.DeclaredTurn,
        _ => ControlLimits.Declared,
    };

    /// <summary>Geometric mean over pictures and levels; disposes a model made for the reading.</summary>
    private double Ratio(double[] declared, Reading other)
    {
        double ratio = Math.Exp(declared.Zip(Errors(other), (mine, theirs) => Math.Log(mine / theirs)).Average());
        if (other.Model != model) other.Model.Dispose();
        return ratio;
    }

    private IEnumerable<(string Name, Func<Reading>[] Others)> Alternatives()
    {
        SchedulerConfig scheduler = model.Scheduler;
        UNetConfig unet = model.UNet.Config;
        string prediction = scheduler.PredictionType == "epsilon" ? "v_prediction" : "epsilon";
        yield return ("prediction_type", Under([scheduler with { PredictionType = prediction }]));
        yield return ("noise schedule", Under(Schedules(scheduler)));
        yield return (ScalingFactor, [() => Declared with { Scale = 0.75 }, () => Declared with { Scale = 4.0 / 3 }]);
        yield return (Turned,
        [
            // Left and right exchanged says nothing: most trainings show both.
            () => Declared with { Turn = latents => latents.transpose(2, 3) }, () => Declared with { Turn = latents => latents.flip(2) },
        ]);
        yield return ("flip_sin_to_cos", Under([unet with { FlipSinToCos = !unet.FlipSinToCos }]));
        yield return ("number of heads", Under(Heads(unet)));
        yield return ("norm_num_groups", Under(new[] { unet.NormNumGroups * 2, unet.NormNumGroups / 2 }
            .Where(groups => groups >= 1 && unet.BlockOutChannels.All(channels => channels % groups == 0))
            .Select(groups => unet with { NormNumGroups = groups })));
    }

    /// <summary>The same weights under other configs.</summary>
    private Func<Reading>[] Under(IEnumerable<UNetConfig> configs) =>
        [.. configs.Select<UNetConfig, Func<Reading>>(config => () => Declared with { Model = model.Under(config) })];

    private Func<Reading>[] Under(IEnumerable<SchedulerConfig> configs) =>
        [.. configs.Select<SchedulerConfig, Func<Reading>>(config => () => Declared with { Schedule = new NoiseSchedule(config) })];

    /// <summary>The published schedules that this one is not: Stable Diffusion's, and the defaults of DDPM.</summary>
    private static IEnumerable<SchedulerConfig> Schedules(SchedulerConfig declared) => new[]
    {
        declared with { BetaSchedule = "scaled_linear", BetaStart = 0.00085, BetaEnd = 0.012, NumTrainTimesteps = 1000 },
        declared with { BetaSchedule = "linear", BetaStart = 0.0001, BetaEnd = 0.02, NumTrainTimesteps = 1000 },
    }.Where(other => other != declared);

    /// <summary>Twice as many heads, and half as many.</summary>
    private static IEnumerable<UNetConfig> Heads(UNetConfig unet) => new Func<int, int>[] { heads => heads * 2, heads => heads / 2 }
        .Select(change => unet with { NumAttentionHeads = [.. unet.NumAttentionHeads.Select(change)] })
        .Where(other => other.NumAttentionHeads.Zip(unet.BlockOutChannels, (heads, channels) => heads >= 1 && channels % heads == 0)
            .All(fits => fits));

    /// <summary>Square error of the denoised latent, one a picture and level of noise, in the declared scale.</summary>
    private double[] Errors(Reading reading) => [.. s_levels.SelectMany((level, number) =>
    {
        using var scope = NewDisposeScope();
        int count = Math.Min(Pictures, sample.Items.Count);
        double alpha = model.Schedule.AlphasCumprod[(int)(level * model.Schedule.NumTrainTimesteps)];
        double ratio = alpha / (1 - alpha) / (reading.Scale * reading.Scale), wanted = ratio / (1 + ratio); // the same signal over noise
        int t = Enumerable.Range(0, reading.Schedule.NumTrainTimesteps).MinBy(i => Math.Abs(reading.Schedule.AlphasCumprod[i] - wanted));
        Tensor steps = full([count], TensorMath.Kept((long)t), int64).to(model.Device);
        Tensor z0 = sample.Latents.narrow(0, 0, count).Times(reading.Scale);
        Tensor noise = RandomSource.For("positive control", "alternatives").Derive("level", number).Normal(z0.shape).to(model.Device);
        Tensor noisy = reading.Schedule.AddNoise(z0, noise, steps);
        Tensor turned = sample.Predict(reading.Turn(noisy), steps, sample.Own.Narrow(0, count), reading.Model);
        Tensor prediction = reading.Turn(turned);
        Tensor clean = reading.Schedule.OriginalFromPrediction(prediction, noisy, steps);
        float[] errors = (clean - z0).Over(reading.Scale).Squared().mean([1L, 2, 3]).cpu().data<float>().ToArray();
        return errors.Select(error => (double)error);
    })];
}
