using Dori.Training;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class TrainableWeightsTests
{
    [Fact]
    public void Selections_follow_the_checkpoints_names()
    {
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        string[] all = [.. model.UNet.named_parameters().Select(p => p.name)];
        string[] Names(WeightSelection selection)
        {
            using var weights = new TrainableWeights(model.UNet, selection);
            Assert.All(weights.Tensors, t => Assert.True(t.requires_grad));
            Assert.Equal(weights.Names.Count, model.UNet.parameters().Count(p => p.requires_grad));
            return [.. weights.Names];
        }
        Assert.Equal(all, Names(WeightSelection.All));
        string[] cross = Names(WeightSelection.CrossAttention), keysValues = Names(WeightSelection.CrossAttentionKeysValues);
        Assert.Contains("mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0.bias", cross);
        Assert.Equal(all.Count(n => n.EndsWith("attn2.to_k.weight", StringComparison.Ordinal)) * 2, keysValues.Length);
        Assert.All(cross, n => Assert.Contains(".attn2.", n));
        Assert.Subset(cross.ToHashSet(), keysValues.ToHashSet());
        Assert.Equal(all.Except(cross), Names(WeightSelection.AllButCrossAttention));
        Assert.All(model.UNet.parameters(), p => Assert.False(p.requires_grad));
    }

    [Fact]
    public void A_frozen_stretch_inside_asks_for_no_gradients()
    {
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using ITrainedWeights weights = new TrainableWeights(model.UNet, WeightSelection.CrossAttention);
        weights.Frozen(() => Assert.All(weights.Tensors, t => Assert.False(t.requires_grad)));
        Assert.All(weights.Tensors, t => Assert.True(t.requires_grad));
    }

    [Fact]
    public void Gradients_are_the_finite_differences_of_the_loss()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        model.UNet.to(float64);
        Tensor noisy = Golden.Rand("grad.z", 2, 4, 16, 16).to(float64), eps = Golden.Rand("grad.eps", 2, 4, 16, 16).to(float64);
        Tensor t = tensor(new[] { 700L, 120L }), y = Emoji.Model.Embed("t shirt").Tokens.to(float64);
        using var weights = new TrainableWeights(model.UNet, WeightSelection.All);
        Tensor Loss() => nn.functional.mse_loss(model.UNet.call(noisy, t, y), eps);
        Tensor[] gradients = weights.Gradients(Loss());
        RandomSource random = RandomSource.For("finite differences");
        using var noGrad = no_grad();
        int[] chosen =
            [.. Enumerable.Range(0, 6).Select(_ => random.Next(gradients.Length)), .. Named("conv_in.weight", ".attn2.to_v.weight")];
        foreach (int i in chosen)
        {
            Tensor weight = weights.Tensors[i].view(-1);
            long at = gradients[i].abs().argmax().item<long>(); // a zero gradient would test little
            const double h = 1e-4;
            double before = weight[at].item<double>();
            double At(double value)
            {
                weight[at] = value;
                return Loss().item<double>();
            }
            double expected = (At(before + h) - At(before - h)) / (2 * h);
            weight[at] = before;
            double actual = gradients[i].view(-1)[at].item<float>();
            Assert.True(Math.Abs(actual - expected) < 1e-4 * Math.Abs(expected) + 1e-9,
                $"{weights.Names[i]}[{at}]: {actual} instead of {expected}");
        }

        int[] Named(params string[] ends) =>
            [.. ends.Select(end => weights.Names.ToList().FindIndex(n => n.EndsWith(end, StringComparison.Ordinal)))];
    }

    [Fact]
    public void A_copy_of_the_UNet_is_frozen_in_time_and_shares_what_will_not_change()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel trained = Emoji.Model.WithUNetCopy();
        using DiffusionModel frozen = trained.WithUNetCopy(name => TrainableWeights.Selects(WeightSelection.CrossAttention, name));
        Tensor z = Golden.Rand("copy.z", 1, 4, 16, 16), t = tensor(new[] { 500L });
        Conditioning y = trained.Embed("t shirt");
        Tensor before = trained.Predict(z, t, y);
        Assert.Equal(0, (frozen.Predict(z, t, y) - before).abs().max().item<float>());
        using (var weights = new TrainableWeights(trained.UNet, WeightSelection.CrossAttention))
        using (no_grad())
            foreach (Tensor weight in weights.Tensors) weight.mul_(1.5f);
        Assert.NotEqual(0, (trained.Predict(z, t, y) - before).abs().max().item<float>());
        Assert.Equal(0, (frozen.Predict(z, t, y) - before).abs().max().item<float>());
        Assert.Equal(0, (Emoji.Model.Predict(z, t, y) - before).abs().max().item<float>());
        var names = trained.UNet.named_parameters().Zip(frozen.UNet.named_parameters()).ToArray();
        foreach (var (a, b) in names)
            Assert.Equal(!a.name.Contains(".attn2.", StringComparison.Ordinal),
                Unsafe.AreSame(ref MemoryMarshal.GetReference(a.parameter.bytes), ref MemoryMarshal.GetReference(b.parameter.bytes)));
    }

    [Fact]
    public void Norm_and_sums_take_all_gradients_as_one_vector()
    {
        using var scope = NewDisposeScope();
        Tensor[] a = [tensor(new[] { 3f, 0f }), tensor(new[] { 4f })], b = [tensor(new[] { 0f, 2f }), tensor(new[] { -1f })];
        Assert.Equal(5, TrainingGradients.Norm(a), 6);
        Tensor[] sum = TrainingGradients.Accumulate(TrainingGradients.Accumulate(null, a, 2), b, -1);
        Assert.Equal([6f, -2f], sum[0].data<float>().ToArray());
        Assert.Equal([9f], sum[1].data<float>().ToArray());
        Assert.Equal([3f, 0f], a[0].data<float>().ToArray());
    }
}
