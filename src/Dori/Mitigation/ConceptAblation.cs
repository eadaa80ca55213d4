using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Native;
using Dori.Pictures;
using Dori.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>What the model is to predict under the target caption.</summary>
internal enum AblationLoss
{
    /// <summary>What the frozen model predicts under the anchor's caption.</summary>
    Model,
    /// <summary>The noise that was put on the anchor's picture: for anchors without a caption of their own.</summary>
    Noise,
}

/// <summary>A picture that stands for the same meaning and is not the memorized one.</summary>
/// <param name="Caption">A paraphrase; it must not be the target's caption where the loss is <see cref="AblationLoss.Model"/>.</param>
/// <param name="Latent">(1, 4, h, w), scaled</param>
internal sealed record AblationAnchor(string Caption, Tensor Latent);

/// <summary>A memorized caption and what takes its place.</summary>
internal sealed record AblationTarget(string Caption, IReadOnlyList<AblationAnchor> Anchors);

/// <summary>Settings of <see cref="ConceptAblation"/>; the defaults are those of the published code for memorized pictures.</summary>
internal sealed record ConceptAblationOptions
{
    /// <summary>400 steps of all weights at 5e-7 for each of a step's 8 pictures.</summary>
    public TrainingOptions Training { get; init; } = new() { Steps = 400, LearningRate = 4e-6, Trained = WeightSelection.All };
    /// <summary>Anchors in every step.</summary>
    [Range(1, 4096)]
    public int Batch { get; init; } = 8;
    /// <summary>
    /// Pairs that go through the UNet at once; fewer than <see cref="Batch"/> accumulate the same gradient and need less memory.
    /// </summary>
    [Range(1, 4096)]
    public int MicroBatch { get; init; } = 8;
    public AblationLoss Loss { get; init; } = AblationLoss.Model;
    /// <summary>Weight of the ordinary loss on anchor pairs; 0 leaves it out.</summary>
    [Range(0.0, 1000.0)]
    public double OrdinaryWeight { get; init; } = 1;

    /// <summary>The published settings, and what the model's <c>dori.json</c> says otherwise.</summary>
    /// <param name="targets">How many pictures are to be ablated.</param>
    public static ConceptAblationOptions For(DiffusionModel model, int targets)
    {
        var options = new ConceptAblationOptions();
        return options with { Training = options.Training.For(model.Defaults.ConceptAblation, targets) };
    }

    /// <exception cref="DoriException">The first value out of range, by the name of its option.</exception>
    public void Check()
    {
        Training.Check();
        Ranges.Check(this, (MicroBatch <= Batch, $"`MicroBatch`: {MicroBatch} is out of range; 1 to {Batch}, the batch, is possible"));
    }
}

/// <summary>
/// Concept Ablation (Kumari et al. 2023, equation 4 and section 3.2; method.md section 8): under the memorized caption, the model learns to
/// predict on anchors' pictures what a frozen copy predicts there under the anchors' captions.
/// </summary>
/// <param name="anchors">
/// Pictures in the memorized ones' place with paraphrases as captions, by the ids of those; null: they are generated.
/// </param>
/// <param name="paraphrases">By item, to generate anchors from; null: the captions themselves.</param>
/// <param name="adjust">The caller's changes to <see cref="ConceptAblationOptions.For"/>.</param>
internal sealed class ConceptAblation(PictureSet? anchors = null, IReadOnlyDictionary<string, IReadOnlyList<string>>? paraphrases = null,
    ReplacementOptions? replacements = null, Func<ConceptAblationOptions, ConceptAblationOptions>? adjust = null) : IMitigation
{
    public string Name => "concept-ablation";
    public string Title => "Concept Ablation";
    public MitigationNeeds Needs => anchors is null ? MitigationNeeds.CopyDetector | MitigationNeeds.Generator : MitigationNeeds.None;

    public MitigationOutcome Apply(DiffusionModel model, MitigationPictures pictures, MitigationControl control)
    {
        var options = ConceptAblationOptions.For(model, pictures.Forget.Items.Count);
        options = adjust?.Invoke(options) ?? options;
        options.Check();
        ReplacementOptions drawn = replacements ?? new ReplacementOptions();
        List<AblationTarget> targets = [];
        List<PreparedPictures> prepared = [];
        foreach (PictureItem item in pictures.Forget.Items)
        {
            IReadOnlyList<(Tensor Latents, PreparedPictures Prepared)> made = anchors is not null ? [Given(model, anchors, item)]
                : Replacements.Generate(Name, pictures, item, Captions(item), drawn, control);
            targets.Add(new AblationTarget(item.Caption,
                [.. made.SelectMany(m => Rows(m.Latents).Select(z0 => new AblationAnchor(m.Prepared.Caption, z0)))]));
            prepared.AddRange(made.Select(m => m.Prepared));
        }
        JsonObject recorded = MitigationJson.Object(options, MitigationJson.Default.ConceptAblationOptions);
        TrainingControl training = control.Training(
            [Name, recorded.ToJsonString(), anchors?.Sha256 ?? $"{drawn}",
                .. paraphrases?.Select(p => $"{p.Key} {string.Join('|', p.Value)}") ?? []]);
        return new MitigationOutcome
        {
            Losses = Run(model, targets, options, RandomSource.For("mitigate", Name, control.SeedText), training),
            Weight = MitigationOutcome.Of(model),
            Summary = $"in {options.Training.Steps} steps the UNet learned to answer the captions as it answers their anchors.",
            Options = recorded,
            Details = MitigationJson.Object(new Replaced(prepared), MitigationJson.Default.Replaced),
        };
    }

    private IReadOnlyList<string> Captions(PictureItem item) => paraphrases is null ? [item.Caption]
        : paraphrases.TryGetValue(item.Id, out IReadOnlyList<string>? texts) ? texts
            : throw new DoriException($"concept-ablation: there is no paraphrase of {item.Id}");

    private static (Tensor, PreparedPictures) Given(DiffusionModel model, PictureSet anchors, PictureItem item)
    {
        PictureItem own = anchors.Items.FirstOrDefault(anchor => anchor.Id == item.Id)
            ?? throw new DoriException($"concept-ablation: there is no anchor of {item.Id}; rows of anchors need the item {item.Id}");
        return (Replacements.Latents(model, own), new PreparedPictures(item.Id, own.Folder, own.Caption, own.Files.Count, 0, []));
    }

    private static IEnumerable<Tensor> Rows(Tensor latents) =>
        Enumerable.Range(0, (int)latents.shape[0]).Select(i => latents.narrow(0, i, 1));

    /// <summary>Trains the model's UNet in place. Each pair of a step draws a target, one of its anchors, noise and a time step.</summary>
    /// <param name="random">All of the training's randomness; one stream a step.</param>
    /// <returns>The losses of every step: <c>ablation</c> and <c>ordinary</c>.</returns>
    public static IReadOnlyList<IReadOnlyDictionary<string, double>> Run(DiffusionModel model, IReadOnlyList<AblationTarget> targets,
        ConceptAblationOptions options, RandomSource random, TrainingControl? control = null)
    {
        options.Check();
        Check(targets, options.Loss);
        using var scope = NewDisposeScope();
        using DiffusionModel frozen = model.WithUNetCopy(name => TrainableWeights.Selects(options.Training.Trained, name));
        Dictionary<string, Conditioning> embeddings = targets.SelectMany(t =>
            t.Anchors.Select(a => a.Caption).Append(t.Caption)).Distinct().ToDictionary(caption => caption, caption =>
            model.Embed(caption));
        return WeightTraining.Run(model, options.Training, Step, control);

        TrainingStep Step(TrainableWeights weights, int step)
        {
            RandomSource source = random.Derive("step", step);
            var pairs = new (AblationTarget Target, AblationAnchor Anchor)[options.Batch];
            for (int i = 0; i < pairs.Length; i++)
            {
                AblationTarget target = targets[source.Next(targets.Count)];
                pairs[i] = (target, target.Anchors[source.Next(target.Anchors.Count)]);
            }
            Tensor[] noise = [Noise(), Noise()], t = [Times(), Times()]; // for the ablation and for the ordinary loss
            Tensor[]? sum = null;
            double ablation = 0, ordinary = 0;
            for (int at = 0; at < options.Batch; at += options.MicroBatch)
            {
                int count = Math.Min(options.MicroBatch, options.Batch - at);
                double share = (double)count / options.Batch;
                using var inner = NewDisposeScope();
                var part = pairs.AsSpan(at, count).ToArray();
                Tensor latents = cat(part.Select(p => p.Anchor.Latent).ToArray(), 0).to(model.Device);
                Conditioning yTarget = Conditioning.Cat([.. part.Select(p => embeddings[p.Target.Caption])]),
                    yAnchor = Conditioning.Cat([.. part.Select(p => embeddings[p.Anchor.Caption])]);
                Tensor loss = Loss(model, frozen, latents, noise[0].narrow(0, at, count), t[0].narrow(0, at, count), yTarget, yAnchor,
                    options.Loss);
                ablation += share * loss.item<float>();
                Accumulate(weights.Gradients(loss), share);
                if (options.OrdinaryWeight == 0) continue;
                Tensor ordinaryLoss = OrdinaryLoss(model, latents, noise[1].narrow(0, at, count), t[1].narrow(0, at, count), yAnchor);
                ordinary += share * ordinaryLoss.item<float>();
                Accumulate(weights.Gradients(ordinaryLoss), share * options.OrdinaryWeight);
            }
            return new TrainingStep(sum!, new Dictionary<string, double> { ["ablation"] = ablation, ["ordinary"] = ordinary });

            Tensor Noise() => source.Normal([options.Batch, .. model.LatentShape]).to(model.Device);
            Tensor Times() => source.Integers(model.Schedule.NumTrainTimesteps, options.Batch).to(model.Device);
            void Accumulate(Tensor[] gradients, double factor)
            {
                bool first = sum is null;
                sum = TrainingGradients.Accumulate(sum, gradients, factor);
                if (first) foreach (Tensor gradient in sum) gradient.MoveToOuterDisposeScope();
            }
        }
    }

    /// <summary>mean |target - eps_theta(z_t, t, y_target)|^2 at z_t of the anchors' latents.</summary>
    /// <param name="latents">(N, 4, h, w)</param>
    /// <param name="yTarget">(N, tokens, width), as <paramref name="yAnchor"/></param>
    internal static Tensor Loss(DiffusionModel model, DiffusionModel frozen, Tensor latents, Tensor noise, Tensor t, Conditioning yTarget,
        Conditioning yAnchor, AblationLoss kind)
    {
        using var scope = NewDisposeScope();
        Tensor noisy = model.Schedule.AddNoise(latents, noise, t);
        Tensor target;
        using (no_grad()) target = kind == AblationLoss.Model ? frozen.Predict(noisy, t, yAnchor)
            : model.Schedule.Target(latents, noise, t);
        return nn.functional.mse_loss(model.Predict(noisy, t, yTarget), target).MoveToOuterDisposeScope();
    }

    /// <summary>L(z0, eps, y, t, theta): the loss that the model was trained with (method.md section 1), mean over the batch.</summary>
    internal static Tensor OrdinaryLoss(DiffusionModel model, Tensor latents, Tensor noise, Tensor t, Conditioning y)
    {
        using var scope = NewDisposeScope();
        Tensor noisy = model.Schedule.AddNoise(latents, noise, t), target = model.Schedule.Target(latents, noise, t);
        return nn.functional.mse_loss(model.Predict(noisy, t, y), target).MoveToOuterDisposeScope();
    }

    private static void Check(IReadOnlyList<AblationTarget> targets, AblationLoss loss)
    {
        if (targets.Count == 0) throw new DoriException("concept-ablation: there is no caption to ablate");
        foreach (AblationTarget target in targets)
        {
            if (string.IsNullOrWhiteSpace(target.Caption))
                throw new DoriException("concept-ablation: a caption is empty; every picture needs the caption that brings it");
            if (target.Anchors.Count == 0) throw new DoriException($"concept-ablation: \"{target.Caption}\" has no anchor");
            // The frozen prediction under the same caption is what is to be unlearned: nothing would change.
            if (loss == AblationLoss.Model && target.Anchors.Any(anchor => anchor.Caption == target.Caption))
                throw new DoriException($"concept-ablation: an anchor of \"{target.Caption}\" has that caption itself; give "
                    + $"paraphrases, or use `Loss` noise");
        }
    }
}
