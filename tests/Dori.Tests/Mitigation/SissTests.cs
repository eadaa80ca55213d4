using Dori.Training;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class SissTests
{
    [Theory]
    [InlineData(0, 0.5)]
    [InlineData(2.5, 0.5)]
    [InlineData(-7, 0.1)]
    [InlineData(30, 0.9)]
    public void Weights_are_those_of_the_formula(double difference, double lambda)
    {
        SissWeights weights = SissWeights.Of(difference, lambda);
        Assert.Equal(1 / (1 - lambda + lambda * Math.Exp(difference)), weights.Kept, 12);
        Assert.Equal(1 / ((1 - lambda) * Math.Exp(-difference) + lambda), weights.Forgotten, 12);
        Assert.Equal(1, (1 - lambda) * weights.Kept + lambda * weights.Forgotten, 12);
    }

    [Theory]
    [InlineData(1e3)]
    [InlineData(1e6)]
    [InlineData(1e300)]
    public void Weights_reach_their_limits_where_exponentials_overflow(double difference)
    {
        Assert.Equal(new SissWeights(0, 4), SissWeights.Of(difference, 0.25));
        SissWeights other = SissWeights.Of(-difference, 0.25);
        Assert.Equal(1 / 0.75, other.Kept, 12);
        Assert.Equal(0, other.Forgotten);
    }

    [Fact]
    public void Weighted_draws_of_the_mixture_are_draws_of_either_picture()
    {
        // One dimension, by integration: E over the mixture of w_x f = E of f given x, and likewise for a.
        const double lambda = 0.3, gamma = 0.6, sigma = 0.8, x = 1.2, a = -0.7;
        double mixtureX = 0, mixtureA = 0, ofX = 0, ofA = 0;
        for (double m = -9; m <= 9; m += 1e-3)
        {
            double dx = Math.Pow(m - gamma * x, 2) / (2 * sigma * sigma), da = Math.Pow(m - gamma * a, 2) / (2 * sigma * sigma);
            double qx = Math.Exp(-dx), qa = Math.Exp(-da), mixture = (1 - lambda) * qx + lambda * qa, f = Math.Sin(2 * m) + m * m;
            SissWeights w = SissWeights.Of(dx - da, lambda);
            mixtureX += mixture * w.Kept * f;
            mixtureA += mixture * w.Forgotten * f;
            ofX += qx * f;
            ofA += qa * f;
        }
        Assert.Equal(1, mixtureX / ofX, 9);
        Assert.Equal(1, mixtureA / ofA, 9);
    }

    [Fact]
    public void Differences_of_distances_keep_their_digits()
    {
        using var scope = NewDisposeScope();
        Siss.SissDraw draw = Draw(batch: 4, lastTimesteps: 1000);
        (Tensor signal, Tensor sigma) = Siss.Levels(Emoji.Model.Schedule, draw.T);
        double[] differences = Siss.Differences(draw, signal, sigma);
        for (int i = 0; i < 4; i++)
        {
            double g = signal[i].item<float>(), s = sigma[i].item<float>(), dx = 0, da = 0;
            float[] m = Values(draw.M), x = Values(draw.X), a = Values(draw.A);
            for (int k = 0; k < m.Length; k++)
            {
                dx += Math.Pow(m[k] - g * x[k], 2) / (2 * s * s);
                da += Math.Pow(m[k] - g * a[k], 2) / (2 * s * s);
            }
            Assert.Equal(1, differences[i] / (dx - da), 8);
            float[] Values(Tensor rows) => rows[i].contiguous().data<float>().ToArray();
        }
    }

    [Fact]
    public void A_steps_gradient_is_that_of_the_formula()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        SissOptions options = Quick(1) with { Batch = 3, MicroBatch = 1, LastTimesteps = 100 };
        using var weights = new TrainableWeights(model.UNet, WeightSelection.CrossAttention);
        Conditioning[] embeddings = [model.Embed("t shirt")];
        Tensor[] actual = Siss.Step(model, Targets(), embeddings, options, weights, RandomSource.For("siss")).Gradients;

        Siss.SissDraw draw = Siss.Draw(model, Targets(), embeddings, options, RandomSource.For("siss"));
        (Tensor g, Tensor s) = Siss.Levels(model.Schedule, draw.T);
        Tensor e = model.Predict(draw.M, draw.T, draw.Y), toX = draw.M - g * draw.X, toA = draw.M - g * draw.A;
        Tensor dx = (toX.square() / (2 * s.square())).to(float64).flatten(1).sum(1),
            da = (toA.square() / (2 * s.square())).to(float64).flatten(1).sum(1);
        Tensor wx = 1 / (0.5 + 0.5 * (dx - da).exp()), wa = 1 / (0.5 * (da - dx).exp() + 0.5);
        Tensor x = (wx.to(float32) * (e - toX / s).square().flatten(1).sum(1)).mean(),
            a = (wa.to(float32) * (e - toA / s).square().flatten(1).sum(1)).mean();
        Tensor[] kept = weights.Gradients(x, keepGraph: true), forgotten = weights.Gradients(a);
        double c = 0.1 * Length(kept) / Length(forgotten);
        for (int i = 0; i < kept.Length; i++)
            Assert.InRange((kept[i] - c * forgotten[i] - actual[i]).norm().item<float>() / Length(kept), 0, 1e-3);
        Tensor[] second = [.. actual.Zip(kept).Select(p => p.First - p.Second)];
        Assert.Equal(0.1, Length(second) / Length(kept), 3);
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.7)]
    public void The_forgetting_gradient_has_its_share_of_the_keeping_ones_length(double share)
    {
        using var scope = NewDisposeScope();
        Tensor[] kept = [tensor(new[] { 3f, 0f }), tensor(new[] { 4f })], forgotten = [tensor(new[] { 0f, 600f }), tensor(new[] { 800f })];
        (double norm, double factor) = Siss.Subtract(kept, forgotten, share);
        Assert.Equal(5, norm, 6);
        Assert.Equal(share * 5 / 1000, factor, 9);
        Assert.Equal([3f, (float)(-600 * factor)], kept[0].data<float>().ToArray(), (x, y) => Math.Abs(x - y) < 1e-5);
        Assert.Equal(4 - 800 * factor, kept[1].item<float>(), 5);
        Assert.Throws<DoriException>(() => Siss.Subtract(kept, [zeros(2), zeros(1)], share));
    }

    [Fact]
    public void Draws_mix_both_pictures_in_the_last_time_steps_alone()
    {
        using var scope = NewDisposeScope();
        Siss.SissDraw draw = Draw(batch: 200, lastTimesteps: 3);
        long[] t = draw.T.data<long>().ToArray();
        Assert.Equal([997L, 998L, 999L], t.Distinct().Order());
        (Tensor g, Tensor s) = Siss.Levels(Emoji.Model.Schedule, draw.T);
        // m - gamma z0 is unit noise for the picture that it came from.
        double[] Energy(Tensor z0) => ((draw.M - g * z0) / s).square().flatten(1).mean([1L]).to(float64).data<double>().ToArray();
        int fromX = Energy(draw.X).Zip(Energy(draw.A)).Count(e => e.First < e.Second);
        Assert.InRange(fromX, 70, 130);
    }

    [Fact]
    public void Micro_batches_accumulate_the_same_step()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var weights = new TrainableWeights(model.UNet, WeightSelection.CrossAttentionKeysValues);
        Tensor[] Gradients(int microBatch) =>
            Siss.Step(model, Targets(), [model.Embed("t shirt")], Quick(1) with { Batch = 4, MicroBatch = microBatch }, weights,
                RandomSource.For("siss")).Gradients;
        Assert.All(Gradients(4).Zip(Gradients(3)), pair => Assert.InRange(Golden.RelativeError(pair.First, pair.Second), 0, 1e-3));
    }

    [Fact]
    public void Training_forgets_the_one_more_than_the_other_and_one_seed_gives_one_set_of_weights()
    {
        float[] Run(string seed, out double kept, out double forgotten)
        {
            using var scope = NewDisposeScope();
            using DiffusionModel model = Emoji.Model.WithUNetCopy();
            IReadOnlyList<IReadOnlyDictionary<string, double>> history = Siss.Run(model, Targets(), Quick(4), RandomSource.For(seed));
            Assert.All(model.UNet.parameters(), p => Assert.False(p.requires_grad));
            Assert.Equal(["factor", "forgotten", "gradientNorm", "kept", "keptGradient"], history[0].Keys);
            (double X, double A) before = At(Emoji.Model), after = At(model);
            (kept, forgotten) = (after.X / before.X, after.A / before.A);
            return TrainingTests.Weights(model);
        }
        float[] first = Run("a", out double kept, out double forgotten);
        Assert.True(forgotten > kept, $"{forgotten} > {kept}");
        Assert.Equal(first, Run("a", out _, out _));

        static (double X, double A) At(DiffusionModel model)
        {
            Siss.SissDraw draw = Draw(batch: 6, lastTimesteps: 1);
            (Tensor x, Tensor a) = Siss.Losses(model, draw, 0.5);
            return (x.item<float>(), a.item<float>());
        }
    }

    [Fact]
    public void Wrong_options_and_targets_are_refused()
    {
        SissOptions good = new();
        good.Check(1000);
        Assert.Throws<DoriException>(() => (good with { Lambda = 1 }).Check(1000));
        Assert.Throws<DoriException>(() => (good with { LastTimesteps = 1001 }).Check(1000));
        Assert.Throws<DoriException>(() => (good with { MicroBatch = 17 }).Check(1000));
        Assert.Throws<DoriException>(() => Siss.Run(Emoji.Model, [], good, RandomSource.For("siss")));
        using Tensor none = zeros(0, 4, 16, 16), one = zeros(1, 4, 16, 16);
        Assert.Throws<DoriException>(() => Siss.Run(Emoji.Model, [new SissTarget("t shirt", one, none)], good, RandomSource.For("siss")));
        Assert.Equal((35, 1e-5, 1.0, 16, 0.5, 0.1, 1),
            (good.Training.Steps, good.Training.LearningRate, good.Training.MaxGradientNorm!.Value, good.Batch, good.Lambda,
            good.ForgettingShare, good.LastTimesteps));
    }

    /// <summary>Independent of the library's own norm.</summary>
    private static double Length(Tensor[] gradients) => Math.Sqrt(gradients.Sum(g => g.to(float64).square().sum().item<double>()));

    private static SissTarget[] Targets() =>
        [new("t shirt", Emoji.Model.Encode(Emoji.Load("verbatim-02.png")),
            Emoji.Model.Encode(Emoji.Load("control-00.png", "control-01.png")))];

    private static Siss.SissDraw Draw(int batch, int lastTimesteps) =>
        Siss.Draw(Emoji.Model, Targets(), [Emoji.Model.Embed("t shirt")],
            Quick(1) with { Batch = batch, MicroBatch = 1, LastTimesteps = lastTimesteps }, RandomSource.For("draw"));

    private static SissOptions Quick(int steps) => new()
    {
        Training = new SissOptions().Training with { Steps = steps, LearningRate = 1e-4 },
        Batch = 4,
        MicroBatch = 4,
    };
}
