using Dori.Training;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class TrainingTests
{
    private static readonly TrainingOptions s_options =
        new() { Steps = 6, LearningRate = 1e-3, Trained = WeightSelection.CrossAttentionKeysValues };

    [Fact]
    public void A_killed_training_resumes_to_the_same_bits()
    {
        string file = StateFile();
        TrainingOptions options = s_options with { MaxGradientNorm = 0.5 };
        using DiffusionModel whole = Emoji.Model.WithUNetCopy(), killed = Emoji.Model.WithUNetCopy(), resumed = Emoji.Model.WithUNetCopy();
        IReadOnlyList<IReadOnlyDictionary<string, double>> history = WeightTraining.Run(whole, options, Denoise(whole));
        using var source = new CancellationTokenSource();
        var control = new TrainingControl { StateFile = file, Identity = "this one", OnStep = p => { if (p.Step == 4) source.Cancel(); } };
        Assert.Throws<OperationCanceledException>(() =>
            WeightTraining.Run(killed, options, Denoise(killed), control with { Cancellation = source.Token }));
        Assert.Contains("another training",
            Assert.Throws<DoriException>(() =>
            WeightTraining.Run(resumed, options, Denoise(resumed), control with { Identity = "that one" })).Message);
        var taken = new List<int>();
        IReadOnlyList<IReadOnlyDictionary<string, double>> rest =
            WeightTraining.Run(resumed, options, Denoise(resumed), control with { OnStep = p => taken.Add(p.Step) });
        Assert.Equal([5, 6], taken);
        Assert.Equal(history, rest); // those before the interruption too
        Assert.Equal(Weights(whole), Weights(resumed));
        Assert.NotEqual(Weights(Emoji.Model), Weights(whole));
    }

    [Fact]
    public void Weights_ask_for_no_gradients_afterwards_also_when_a_step_fails()
    {
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        Assert.Throws<InvalidOperationException>(() =>
            WeightTraining.Run(model, s_options, (_, _) => throw new InvalidOperationException()));
        Assert.All(model.UNet.parameters(), p => Assert.False(p.requires_grad));
    }

    [Fact]
    public void Nothing_is_left_alive_from_step_to_step()
    {
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        var alive = new List<long>();
        WeightTraining.Run(model, s_options with { Steps = 5 }, Denoise(model),
            new TrainingControl { OnStep = _ => alive.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount) });
        Assert.Single(alive.Skip(1).Distinct());
    }

    [Fact]
    public void The_average_forgets_exponentially()
    {
        using var scope = NewDisposeScope();
        Tensor w = tensor(new[] { 1f });
        using var average = new TrainingAverage(["w"], [w], 0.9);
        double expected = 1;
        foreach (float value in new[] { 2f, -1f, 5f })
        {
            w.fill_(value);
            average.Update();
            expected = 0.9 * expected + 0.1 * value;
        }
        Assert.Equal("average.w", average.State()[0].Name);
        average.CopyToWeights();
        Assert.Equal(expected, w.item<float>(), 6);
    }

    [Theory]
    [InlineData(0, 1e-3)]
    [InlineData(3, 0)]
    [InlineData(3, double.NaN)]
    public void Options_out_of_range_are_refused(int steps, double rate) =>
        Assert.Throws<DoriException>(() => (s_options with { Steps = steps, LearningRate = rate }).Check());

    /// <summary>The ordinary loss on fixed noise.</summary>
    private static Func<TrainableWeights, int, TrainingStep> Denoise(DiffusionModel model) => (weights, step) =>
    {
        RandomSource random = RandomSource.For("training").Derive("step", step);
        Tensor eps = random.Normal([1, .. model.LatentShape]), t = random.Integers(1000, 1);
        Tensor loss = nn.functional.mse_loss(model.Predict(eps, t, model.Embed("t shirt")), eps);
        return new TrainingStep(weights.Gradients(loss), new Dictionary<string, double> { ["loss"] = loss.item<float>() });
    };

    private static string StateFile() => Path.Combine(Directory.CreateTempSubdirectory("dori").FullName, "state.safetensors");

    internal static float[] Weights(DiffusionModel model) => [.. model.UNet.parameters().SelectMany(p => p.data<float>().ToArray())];
}
