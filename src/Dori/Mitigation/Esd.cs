using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Dori.Diffusion;
using Dori.Native;
using Dori.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>Settings of <see cref="Esd"/>; the defaults are those of the published code for Stable Diffusion.</summary>
internal sealed record EsdOptions
{
    /// <summary>
    /// <c>esd-x</c> trains <see cref="WeightSelection.CrossAttention"/>, <c>esd-x-strict</c> <see
    /// cref="WeightSelection.CrossAttentionKeysValues"/>,
    /// <c>esd-u</c> <see cref="WeightSelection.AllButCrossAttention"/> (the norms too, which the published code leaves out). Plain Adam,
    /// one sample a step.
    /// </summary>
    public TrainingOptions Training { get; init; } = new() { Steps = 200, LearningRate = 5e-5, WeightDecay = 0,
        Trained = WeightSelection.CrossAttention };
    /// <summary>
    /// How z_t is drawn: a guided trajectory of this sampler is left at a random one of its steps. Guidance 3 and 50 steps as published.
    /// </summary>
    public required GenerationOptions Sampling { get; init; }
    /// <summary>eta: how far the target lies beyond the unconditional prediction; 1 is that prediction itself.</summary>
    [Range(0.0, 100.0)]
    public double NegativeGuidance { get; init; } = 2;

    /// <summary>The published settings, with the model's own sampler, and what its <c>dori.json</c> says otherwise.</summary>
    /// <param name="captions">How many are to be erased.</param>
    public static EsdOptions For(DiffusionModel model, int captions)
    {
        var options = new EsdOptions { Sampling = GenerationOptions.For(model, batch: 1) with { Guidance = 3, Steps = 50 } };
        TrainingDefaults own = model.Defaults.Esd;
        return options with
        {
            Training = options.Training.For(own, captions),
                Sampling = options.Sampling with { Steps = own.SamplerSteps ?? options.Sampling.Steps },
        };
    }

    /// <exception cref="DoriException">The first value out of range, by the name of its option.</exception>
    public void Check()
    {
        Training.Check();
        Ranges.Check(this);
    }
}

/// <summary>
/// Erased Stable Diffusion (Gandikota et al. 2023, equation 7; method.md section 8): under a caption, the model learns to predict away from
/// what a frozen copy of it predicts there.
/// </summary>
/// <remarks>
/// z_t is drawn with the frozen model, as the method's present code does (rohitgandikota/erasing, esd_sd.py); its first code drew it with
/// the model in training. The target comes from the frozen model in both.
/// </remarks>
/// <param name="adjust">The caller's changes to <see cref="EsdOptions.For"/>.</param>
internal sealed class Esd(Func<EsdOptions, EsdOptions>? adjust = null) : IMitigation
{
    public string Name => "esd";
    public string Title => "Erased Stable Diffusion";

    public MitigationOutcome Apply(DiffusionModel model, MitigationPictures pictures, MitigationControl control)
    {
        string[] captions = [.. pictures.Forget.Items.Select(item => item.Caption)];
        var options = EsdOptions.For(model, captions.Length);
        options = adjust?.Invoke(options) ?? options;
        JsonObject recorded = MitigationJson.Object(options, MitigationJson.Default.EsdOptions);
        return new MitigationOutcome
        {
            Losses = Run(model, captions, options, RandomSource.For("mitigate", Name, control.SeedText),
                control.Training(Name, recorded.ToJsonString())),
            Weight = MitigationOutcome.Of(model),
            Summary = $"in {options.Training.Steps} steps the UNet learned to predict away from the captions.",
            Options = recorded,
        };
    }

    /// <summary>Trains the model's UNet in place.</summary>
    /// <param name="captions">What to erase; each step draws one of them.</param>
    /// <param name="random">All of the training's randomness; one stream a step.</param>
    /// <returns>The losses of every step.</returns>
    public static IReadOnlyList<IReadOnlyDictionary<string, double>> Run(DiffusionModel model, IReadOnlyList<string> captions,
        EsdOptions options,
        RandomSource random, TrainingControl? control = null)
    {
        options.Check();
        if (captions.Count == 0) throw new DoriException("esd: there is no caption to erase");
        if (captions.FirstOrDefault(string.IsNullOrWhiteSpace) is not null)
            throw new DoriException("esd: a caption is empty; esd erases what a caption brings, so every picture needs one");
        using var scope = NewDisposeScope();
        using DiffusionModel frozen = model.WithUNetCopy(name => TrainableWeights.Selects(options.Training.Trained, name));
        Conditioning yNull = model.EmbedNothing();
        Conditioning[] embeddings = [.. captions.Select(caption => model.Embed(caption))];
        int calls = Sampler.Timesteps(options.Sampling.Scheduler, options.Sampling.Steps).Length;
        return WeightTraining.Run(model, options.Training, Step, control);

        TrainingStep Step(TrainableWeights weights, int step)
        {
            RandomSource source = random.Derive("step", step);
            Conditioning y = embeddings[source.Next(embeddings.Length)];
            (Tensor z, Tensor t) = Sample(frozen, y, yNull, source.Normal([1, .. model.LatentShape]), source.Next(calls), options.Sampling);
            Tensor target = Target(frozen, z, t, y, yNull, options.NegativeGuidance);
            Tensor loss = nn.functional.mse_loss(model.Predict(z, t, y), target);
            return new TrainingStep(weights.Gradients(loss), new Dictionary<string, double> { ["loss"] = loss.item<float>() });
        }
    }

    /// <summary>
    /// e_c - eta (e_c - e_null) of a model; for one that predicts v the same combination is the same target, as v is affine in the noise.
    /// </summary>
    /// <returns>(1, 4, h, w), no gradient</returns>
    internal static Tensor Target(DiffusionModel frozen, Tensor z, Tensor t, Conditioning y, Conditioning yNull, double eta)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        (Tensor empty, Tensor own) = frozen.Predict(cat([z, z], 0), t, Conditioning.Cat(yNull, y)).Halves(0);
        return Target(own, empty, eta).MoveToOuterDisposeScope();
    }

    internal static Tensor Target(Tensor conditional, Tensor unconditional, double eta)
    {
        using var scope = NewDisposeScope();
        return conditional.Times(1 - eta).Plus(unconditional, eta).MoveToOuterDisposeScope();
    }

    /// <summary>What the model sees at one call of a guided sampling, and the time step of it.</summary>
    /// <param name="noise">(1, 4, h, w), unit variance</param>
    /// <param name="call">From 0, where it sees the noise itself.</param>
    internal static (Tensor Z, Tensor T) Sample(DiffusionModel model, Conditioning y, Conditioning yNull, Tensor noise, int call,
        GenerationOptions options)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var stop = new CancellationTokenSource(); // the samplers' own way to end before the last step
        Conditioning context = Conditioning.Cat(yNull, y);
        Tensor? z = null, t = null;
        int calls = 0;
        try
        {
            Sampler.Run(options.Scheduler, model.Schedule, options.Steps, Predict, noise.to(model.Device), cancellation: stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested) { }
        return (z!.MoveToOuterDisposeScope(), t!.MoveToOuterDisposeScope());

        Tensor Predict(Tensor latents, float timestep)
        {
            using var inner = NewDisposeScope();
            Tensor at = tensor(new[] { timestep }).to(model.Device);
            if (calls++ == call)
            {
                (z, t) = (latents.clone().DetachFromDisposeScope(), at.DetachFromDisposeScope());
                scope.Attach(z, t);
                stop.Cancel();
                return zeros_like(latents).MoveToOuterDisposeScope();
            }
            (Tensor empty, Tensor own) = model.Predict(cat([latents, latents], 0), at, context).Halves(0);
            return empty.Times(1 - options.Guidance).Plus(own, options.Guidance).MoveToOuterDisposeScope();
        }
    }
}
