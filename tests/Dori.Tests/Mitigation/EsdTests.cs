using Dori.Training;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class EsdTests
{
    [Theory]
    [InlineData(0, 5, -1)]
    [InlineData(1, 2, 3)]
    [InlineData(2, -1, 7)]
    public void The_target_lies_beyond_the_unconditional_prediction(double eta, float first, float second)
    {
        using var scope = NewDisposeScope();
        // A linear model e(c) = W c with W = [[3, 2], [-4, 3]] on c = (1, 1) and on the null condition (0, 1).
        Tensor w = tensor(new[] { 3f, 2f, -4f, 3f }, [2, 2]), c = tensor(new[] { 1f, 1f }), none = tensor(new[] { 0f, 1f });
        Assert.Equal([first, second], Esd.Target(w.mv(c), w.mv(none), eta).data<float>().ToArray());
    }

    [Theory]
    [InlineData("ddim")]
    [InlineData("pndm")]
    [InlineData("euler")]
    public void Samples_are_what_the_model_sees_on_the_samplers_way(string sampler)
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        GenerationOptions options = Sampling() with { Scheduler = Sampler.WithSampler(model.Scheduler, sampler), Steps = 4 };
        Conditioning y = model.Embed("t shirt"), yNull = model.Embed("");
        Tensor noise = RandomSource.For("esd").Normal([1, .. model.LatentShape]);
        var seen = new List<(Tensor Z, float T)>();
        Sampler.Run(options.Scheduler, model.Schedule, options.Steps, (z, t) =>
        {
            seen.Add((z.clone().DetachFromDisposeScope(), t));
            Tensor[] e = model.Predict(cat([z, z], 0), tensor(new[] { t }), Conditioning.Cat(yNull, y)).chunk(2, 0);
            return e[0] + options.Guidance * (e[1] - e[0]);
        }, noise);
        Assert.Equal(Sampler.Timesteps(options.Scheduler, options.Steps), seen.Select(s => s.T));
        foreach (int call in new[] { 0, 2, seen.Count - 1 })
        {
            (Tensor z, Tensor t) = Esd.Sample(model, y, yNull, noise, call, options);
            Assert.Equal(seen[call].T, t.item<float>());
            Assert.InRange(Golden.RelativeError(z, seen[call].Z), 0, 1e-5);
        }
        foreach ((Tensor z, float _) in seen) z.Dispose();
    }

    [Fact]
    public void The_target_comes_from_the_frozen_model()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Tensor z = Golden.Rand("esd.z", 1, 4, 16, 16), t = tensor(new[] { 400f });
        Conditioning y = model.Embed("t shirt"), yNull = model.Embed("");
        Tensor conditional = model.Predict(z, t, y), unconditional = model.Predict(z, t, yNull);
        Assert.InRange(Golden.RelativeError(Esd.Target(model, z, t, y, yNull, 2), conditional - 2 * (conditional - unconditional)), 0,
            1e-4);
    }

    [Fact]
    public void Training_moves_the_conditional_prediction_to_the_target_and_nothing_else_by_hand()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        EsdOptions options = Quick(steps: 12);
        Tensor z = Golden.Rand("esd.z", 1, 4, 16, 16), t = tensor(new[] { 700f });
        Conditioning y = model.Embed("t shirt");
        Tensor target = Esd.Target(Emoji.Model, z, t, y, model.Embed(""), 2);
        double Distance() => (model.Predict(z, t, y) - target).square().mean().item<float>();
        double before = Distance();
        IReadOnlyList<IReadOnlyDictionary<string, double>> history = Esd.Run(model, ["t shirt"], options, RandomSource.For("esd"));
        Assert.Equal(12, history.Count);
        Assert.InRange(Distance(), 0, 0.7 * before);
        Assert.All(model.UNet.parameters(), p => Assert.False(p.requires_grad));
        foreach (var (a, b) in model.UNet.named_parameters().Zip(Emoji.Model.UNet.named_parameters()))
            Assert.Equal(a.name.Contains(".attn2.", StringComparison.Ordinal), !a.parameter.equal(b.parameter).all().item<bool>());
    }

    [Fact]
    public void One_seed_gives_one_set_of_weights()
    {
        float[] Run(string seed)
        {
            using DiffusionModel model = Emoji.Model.WithUNetCopy();
            Esd.Run(model, ["t shirt", "tangerine and peanuts"], Quick(steps: 2), RandomSource.For(seed));
            return TrainingTests.Weights(model);
        }
        float[] first = Run("a");
        Assert.Equal(first, Run("a"));
        Assert.NotEqual(first, Run("b"));
    }

    [Fact]
    public void Without_a_caption_there_is_nothing_to_erase()
    {
        Assert.Throws<DoriException>(() => Esd.Run(Emoji.Model, [], Quick(1), RandomSource.For("esd")));
        Assert.Throws<DoriException>(() => Esd.Run(Emoji.Model, ["t shirt", " "], Quick(1), RandomSource.For("esd")));
        Assert.All(Emoji.Model.UNet.parameters(), p => Assert.False(p.requires_grad));
    }

    [Fact]
    public void Defaults_are_the_published_ones_and_a_small_model_takes_a_larger_rate_and_steps_for_every_picture()
    {
        TrainingOptions published = new EsdOptions { Sampling = Sampling() }.Training;
        Assert.Equal((200, 5e-5, 0, WeightSelection.CrossAttention),
            (published.Steps, published.LearningRate, published.WeightDecay, published.Trained));
        EsdOptions options = EsdOptions.For(Emoji.Model, 4);
        Assert.Equal((128, 3e-4, 0, WeightSelection.CrossAttention),
            (options.Training.Steps, options.Training.LearningRate, options.Training.WeightDecay, options.Training.Trained));
        Assert.Equal((3, 25, 2), (options.Sampling.Guidance, options.Sampling.Steps, options.NegativeGuidance));
    }

    private static GenerationOptions Sampling() => EsdOptions.For(Emoji.Model, 1).Sampling;

    private static EsdOptions Quick(int steps) => new()
    {
        Training = EsdOptions.For(Emoji.Model, 1).Training with { Steps = steps, LearningRate = 1e-3 },
        Sampling = Sampling() with { Steps = 3 },
    };
}
