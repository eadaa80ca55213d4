using Dori.Training;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class LoraTests
{
    [Theory]
    [InlineData("Attention")]
    [InlineData("AllLinear")]
    public void Merged_it_computes_what_it_did_hooked(string trained)
    {
        LowRankLayers layers = Enum.Parse<LowRankLayers>(trained);
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        Tensor original = Predict(model);
        using var lora = new LowRankWeights(model.UNet, 3, layers, RandomSource.For("lora"));
        Assert.Equal(0, Difference(Predict(model), original)); // B is zero
        using (no_grad())
            for (int i = 0; i < lora.Tensors.Count; i++) lora.Tensors[i].add_(Golden.Rand($"lora.{i}", lora.Tensors[i].shape), 0.01);
        Tensor hooked = Predict(model);
        lora.Merge();
        Tensor merged = Predict(model);
        Assert.True(Difference(hooked, original) > 1e-3);
        Assert.InRange(Golden.RelativeError(merged, hooked), 0, 1e-6);
    }

    [Fact]
    public void It_names_and_trains_a_pair_for_each_layer_and_nothing_else()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = Emoji.Model.WithUNetCopy();
        using var lora = new LowRankWeights(model.UNet, 2, LowRankLayers.Attention, RandomSource.For("lora"));
        Assert.Contains("mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_A.weight", lora.Names);
        Assert.DoesNotContain(lora.Names, name => name.Contains(".ff.", StringComparison.Ordinal));
        Assert.Equal(lora.Names.Count, lora.Tensors.Count);
        Tensor loss =
            model.Predict(Golden.Rand("z", 1, 4, 16, 16), tensor(new long[] { 300 }),
            new Conditioning(Golden.Rand("y", 1, 32, 128))).square().mean();
        IList<Tensor> gradients = autograd.grad([loss], [.. lora.Tensors]);
        // With B zero, A has no say yet and B has.
        for (int i = 0; i < gradients.Count; i++)
            Assert.Equal(lora.Names[i].Contains("lora_B", StringComparison.Ordinal), gradients[i].abs().max().item<float>() > 0);
        Assert.All(model.UNet.parameters(), p => Assert.False(p.requires_grad));
        using var same = new LowRankWeights(Emoji.Model.WithUNetCopy().UNet, 2, LowRankLayers.Attention, RandomSource.For("lora"));
        Assert.Equal(lora.Tensors[0].data<float>().ToArray(), same.Tensors[0].data<float>().ToArray());
    }

    private static Tensor Predict(DiffusionModel model)
    {
        using var noGrad = no_grad();
        return model.Predict(Golden.Rand("lora.z", 2, 4, 16, 16), tensor(new long[] { 100, 800 }),
            new Conditioning(Golden.Rand("lora.y", 2, 32, 128)));
    }

    private static float Difference(Tensor a, Tensor b) => (a - b).abs().max().item<float>();
}
