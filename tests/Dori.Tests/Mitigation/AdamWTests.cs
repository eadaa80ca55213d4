using Dori.Training;
using Dori.Checkpoints;
using Dori.Mitigation;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class AdamWTests
{
    private static readonly AdamWOptions s_options = new() { LearningRate = 0.05 };

    [Fact]
    public void The_first_step_goes_the_learning_rate_against_the_gradients_sign_and_decays_apart_from_it()
    {
        using var scope = NewDisposeScope();
        Tensor w = tensor(new[] { 2f, -3f, 0.5f });
        using var adam = new AdamW(["w"], [w], s_options with { WeightDecay = 0.1 });
        adam.Step([tensor(new[] { 7f, -0.01f, 1000f })]);
        // Bias correction makes m and sqrt(v) the gradient and its size.
        Assert.Equal(2 * 0.995 - 0.05, w[0].item<float>(), 6);
        Assert.Equal(-3 * 0.995 + 0.05, w[1].item<float>(), 6);
        Assert.Equal(0.5 * 0.995 - 0.05, w[2].item<float>(), 6);
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0)]
    public void Twenty_steps_are_those_of_the_papers_formulas_and_of_PyTorch(double decay)
    {
        using var scope = NewDisposeScope();
        double rate = 0.05, b1 = 0.9, b2 = 0.999, w = 1.5, m = 0, v = 0;
        var reference = new TorchSharp.Modules.Parameter(tensor(new[] { 1.5f }));
        using torch.optim.Optimizer pytorch = optim.AdamW([reference], lr: rate, weight_decay: decay);
        Tensor mine = tensor(new[] { 1.5f });
        using var adam = new AdamW(["w"], [mine], s_options with { WeightDecay = decay });
        for (int t = 1; t <= 20; t++)
        {
            double g = Math.Sin(3 * t) + 0.2 * w;
            w -= rate * decay * w;
            m = b1 * m + (1 - b1) * g;
            v = b2 * v + (1 - b2) * g * g;
            w -= rate * (m / (1 - Math.Pow(b1, t))) / (Math.Sqrt(v / (1 - Math.Pow(b2, t))) + 1e-8);
            adam.Step([tensor(new[] { (float)g })]);
            reference.grad = tensor(new[] { (float)g });
            pytorch.step();
        }
        Assert.Equal(20, adam.Steps);
        Assert.Equal(w, mine.item<float>(), 5);
        Assert.Equal(reference.item<float>(), mine.item<float>(), 6);
    }

    [Fact]
    public void A_share_of_the_learning_rate_shortens_the_step_and_the_decay_alike()
    {
        using var scope = NewDisposeScope();
        Tensor w = tensor(new[] { 2f });
        using var adam = new AdamW(["w"], [w], s_options with { WeightDecay = 0.1 });
        adam.Step([tensor(new[] { 7f })], share: 0.5);
        Assert.Equal(2 * 0.9975 - 0.025, w[0].item<float>(), 6);
    }

    [Fact]
    public void Gradients_longer_than_allowed_are_shortened_as_one_vector()
    {
        using var scope = NewDisposeScope();
        // Adam alone does not see the gradient's size: a second step after a small first one does.
        Tensor a = zeros(2), b = zeros(1), c = zeros(2), d = zeros(1);
        using var clipped = new AdamW(["a", "b"], [a, b], s_options with { MaxGradientNorm = 1, WeightDecay = 0 });
        using var free = new AdamW(["a", "b"], [c, d], s_options with { WeightDecay = 0 });
        Tensor[] Small() => [tensor(new[] { 0.1f, 0.2f }), tensor(new[] { 0.1f })];
        Assert.Equal(Math.Sqrt(0.06), clipped.Step(Small()), 6);
        free.Step(Small());
        Assert.Equal(13, clipped.Step([tensor(new[] { 3f, 4f }), tensor(new[] { 12f })]), 5);
        free.Step([tensor(new[] { 3f / 13, 4f / 13 }), tensor(new[] { 12f / 13 })]);
        Assert.Equal(c.data<float>().ToArray(), a.data<float>().ToArray(), (x, y) => Math.Abs(x - y) < 1e-6);
        Assert.Equal(d.item<float>(), b.item<float>(), 6);
    }

    [Fact]
    public void A_state_on_disk_continues_bit_for_bit()
    {
        using var scope = NewDisposeScope();
        string file = Path.Combine(Directory.CreateTempSubdirectory("dori").FullName, "state.safetensors");
        Tensor whole = randn(5, 3), half = whole.clone(), rest = zeros(5, 3);
        Tensor Gradient(int step) => randn([5, 3], generator: new Generator((ulong)step));
        using var a = new AdamW(["w"], [whole], s_options);
        using var b = new AdamW(["w"], [half], s_options);
        for (int t = 0; t < 6; t++) a.Step([Gradient(t)]);
        for (int t = 0; t < 3; t++) b.Step([Gradient(t)]);
        SafetensorsWriter.Write(file, b.State());
        using var c = new AdamW(["w"], [rest], s_options);
        using (SafetensorsFile state = SafetensorsFile.Open(file)) c.Restore(state.Read);
        Assert.Equal(3, c.Steps);
        for (int t = 3; t < 6; t++) c.Step([Gradient(t)]);
        Assert.Equal(whole.data<float>().ToArray(), rest.data<float>().ToArray());

        Tensor other = zeros(3, 5);
        using var wrong = new AdamW(["w"], [other], s_options);
        using SafetensorsFile again = SafetensorsFile.Open(file);
        Assert.Contains("another model", Assert.Throws<DoriException>(() => wrong.Restore(again.Read)).Message);
    }

    [Fact]
    public void Steps_below_bfloat16s_rounding_are_not_lost()
    {
        using var scope = NewDisposeScope();
        Tensor w = ones(4, bfloat16);
        using var adam = new AdamW(["w"], [w], new AdamWOptions { LearningRate = 1e-4, WeightDecay = 0 });
        for (int t = 0; t < 200; t++) adam.Step([ones(4)]);
        Assert.Equal(0.98, w[0].to(float32).item<float>(), 2);
    }

    [Fact]
    public void Gradients_that_are_not_finite_are_refused_before_anything_changes()
    {
        using var scope = NewDisposeScope();
        Tensor w = ones(2);
        using var adam = new AdamW(["w"], [w], s_options);
        Assert.Contains("learning rate", Assert.Throws<DoriException>(() => adam.Step([tensor(new[] { 1f, float.NaN })])).Message);
        Assert.Equal([1f, 1f], w.data<float>().ToArray());
        Assert.Equal(0, adam.Steps);
    }
}
