using Dori.Training;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class ConceptAblationTests
{
    private const string Caption = "tangerine and peanuts", Paraphrase = "sleepy face on a checkered yellow background";

    [Fact]
    public void The_target_is_the_frozen_models_prediction_under_the_anchors_caption()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Draws d = new();
        Tensor noisy = model.Schedule.AddNoise(d.Latents, d.Noise, d.T);
        double expected = (model.Predict(noisy, d.T, d.YTarget) - model.Predict(noisy, d.T, d.YAnchor)).square().mean().item<float>();
        Assert.Equal(expected, Loss(d.YAnchor, AblationLoss.Model), 6);
        Assert.Equal(0, Loss(d.YTarget, AblationLoss.Model));
        // The noise's own loss does not see the anchor's caption.
        expected = (model.Predict(noisy, d.T, d.YTarget) - d.Noise).square().mean().item<float>();
        Assert.Equal(expected, Loss(d.YAnchor, AblationLoss.Noise), 6);
        Assert.Equal(expected, ConceptAblation.OrdinaryLoss(model, d.Latents, d.Noise, d.T, d.YTarget).item<float>(), 6);

        double Loss(Conditioning yAnchor, AblationLoss kind) =>
            ConceptAblation.Loss(model, model, d.Latents, d.Noise, d.T, d.YTarget, yAnchor, kind).item<float>();
    }

    [Fact]
    public void The_target_lets_no_gradient_through()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var weights = new TrainableWeights(model.UNet, WeightSelection.CrossAttentionKeysValues);
        Draws d = new();
        // The model is its own frozen copy here: only a stopped gradient makes both sides agree.
        Tensor[] own =
            weights.Gradients(ConceptAblation.Loss(model, model, d.Latents, d.Noise, d.T, d.YTarget, d.YAnchor, AblationLoss.Model));
        Tensor[] copy =
            weights.Gradients(ConceptAblation.Loss(model, Emoji.Model, d.Latents, d.Noise, d.T, d.YTarget, d.YAnchor, AblationLoss.Model));
        Assert.All(own.Zip(copy), pair => Assert.InRange(Golden.RelativeError(pair.First, pair.Second), 0, 1e-3));
    }

    [Fact]
    public void Training_brings_the_caption_to_what_the_anchor_gave()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        Draws d = new();
        double Distance() =>
            ConceptAblation.Loss(model, Emoji.Model, d.Latents, d.Noise, d.T, d.YTarget, d.YAnchor, AblationLoss.Model).item<float>();
        double before = Distance();
        IReadOnlyList<IReadOnlyDictionary<string, double>> history =
            ConceptAblation.Run(model, [Target(Paraphrase)], Quick(10) with { OrdinaryWeight = 0 }, RandomSource.For("ablation"));
        Assert.InRange(Distance(), 0, 0.8 * before);
        Assert.All(history, p => Assert.Equal(["ablation", "gradientNorm", "ordinary"], p.Keys));
        Assert.All(model.UNet.parameters(), p => Assert.False(p.requires_grad));
    }

    [Fact]
    public void Micro_batches_accumulate_the_same_step()
    {
        using var scope = NewDisposeScope();
        (double Ablation, double Ordinary, double Norm) Run(int microBatch)
        {
            using DiffusionModel model = Emoji.Model.WithUNetCopy();
            var losses =
                ConceptAblation.Run(model, [Target(Paraphrase)], Quick(1) with { MicroBatch = microBatch },
                RandomSource.For("ablation"))[0];
            return (losses["ablation"], losses["ordinary"], losses["gradientNorm"]);
        }
        (double Ablation, double Ordinary, double Norm) whole = Run(3), parts = Run(2);
        Assert.Equal(whole.Ablation, parts.Ablation, 6);
        Assert.Equal(whole.Ordinary, parts.Ordinary, 6);
        Assert.Equal(1, parts.Norm / whole.Norm, 4);
    }

    [Fact]
    public void The_ordinary_loss_has_its_weight()
    {
        double Norm(double weight, AblationLoss loss)
        {
            using DiffusionModel model = Emoji.Model.WithUNetCopy();
            return ConceptAblation.Run(model, [Target(loss == AblationLoss.Noise ? Caption : Paraphrase)],
                Quick(1) with { OrdinaryWeight = weight, Loss = loss }, RandomSource.For("ablation"))[0]["gradientNorm"];
        }
        Assert.NotEqual(Norm(0, AblationLoss.Noise), Norm(1, AblationLoss.Noise));
        Assert.InRange(Norm(1000, AblationLoss.Noise) / Norm(500, AblationLoss.Noise), 1.98, 2.02);
    }

    [Fact]
    public void One_seed_gives_one_set_of_weights()
    {
        float[] Run(string seed)
        {
            using DiffusionModel model = Emoji.Model.WithUNetCopy();
            ConceptAblation.Run(model, [Target(Paraphrase)], Quick(2), RandomSource.For(seed));
            return TrainingTests.Weights(model);
        }
        float[] first = Run("a");
        Assert.Equal(first, Run("a"));
        Assert.NotEqual(first, Run("b"));
    }

    [Fact]
    public void An_anchor_that_could_change_nothing_is_refused()
    {
        Assert.Contains("paraphrases", Refused(Target(Caption)));
        Assert.Contains("no anchor", Refused(new AblationTarget(Caption, [])));
        Assert.Contains("caption is empty", Refused(new AblationTarget("", Target(Paraphrase).Anchors)));
        static string Refused(AblationTarget target) =>
            Assert.Throws<DoriException>(() => ConceptAblation.Run(Emoji.Model, [target], Quick(1), RandomSource.For("ablation"))).Message;
    }

    private static AblationTarget Target(string anchor) =>
        new(Caption,
        [new AblationAnchor(anchor, Emoji.Model.Encode(Emoji.Load("verbatim-09.png"))),
        new AblationAnchor(anchor, Emoji.Model.Encode(Emoji.Load("verbatim-01.png")))]);

    private static ConceptAblationOptions Quick(int steps) => new()
    {
        Training =
            new ConceptAblationOptions().Training with { Steps = steps, LearningRate = 1e-3, Trained = WeightSelection.CrossAttention },
        Batch = 3,
        MicroBatch = 3,
    };

    private sealed class Draws
    {
        public Tensor Latents { get; } = Emoji.Model.Encode(Emoji.Load("verbatim-01.png", "verbatim-09.png"));
        public Tensor Noise { get; } = Golden.Rand("ablation.eps", 2, 4, 16, 16);
        public Tensor T { get; } = tensor(new[] { 900L, 300L });
        public Conditioning YTarget { get; } = Emoji.Model.Embed(Caption).Expand(2);
        public Conditioning YAnchor { get; } = Emoji.Model.Embed(Paraphrase).Expand(2);
    }
}
