using Dori.Checkpoints;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

public class ModuleLoaderTests
{
    private static readonly UNetConfig s_unet = new()
    {
        InChannels = 4,
        OutChannels = 4,
        SampleSize = 8,
        BlockOutChannels = [8, 16],
        DownBlockTypes = ["CrossAttnDownBlock2D", "DownBlock2D"],
        UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D"],
        LayersPerBlock = 1,
        CrossAttentionDim = 12,
        NumAttentionHeads = [2, 2],
        UseLinearProjection = false,
        NormNumGroups = 4,
        NormEps = 1e-5,
        FlipSinToCos = true,
        FreqShift = 0,
        UpcastAttention = false,
    };

    [Theory]
    [InlineData("single")]
    [InlineData("sharded")]
    public void Every_parameter_of_the_golden_unet_gets_its_weight(string golden)
    {
        using var unet = new UNet2DConditionModel(s_unet);
        using WeightSet weights = WeightSet.Open(Golden.PathOf($"checkpoints/{golden}"), "diffusion_pytorch_model");
        ModuleLoader.Load(unet, weights, "unet");
        Dictionary<string, Tensor> expected = GoldenFile.Read("checkpoints/single/diffusion_pytorch_model");
        var parameters = unet.named_parameters().ToArray();
        Assert.Equal(expected.Count, parameters.Length);
        foreach ((string name, Tensor parameter) in parameters)
        {
            using Tensor golden32 = expected[name];
            Assert.True(parameter.bytes.SequenceEqual(golden32.bytes), name);
        }
    }

    [Fact]
    public void Half_precision_weights_are_cast_to_the_module_s_dtype()
    {
        using var scope = NewDisposeScope();
        using var unet = new UNet2DConditionModel(s_unet);
        using WeightSet weights = WeightSet.Open(Golden.PathOf("checkpoints/fp16"), "diffusion_pytorch_model");
        ModuleLoader.Load(unet, weights, "unet");
        foreach ((string name, Tensor parameter) in unet.named_parameters())
        {
            Assert.Equal(ScalarType.Float32, parameter.dtype);
            Assert.True(parameter.bytes.SequenceEqual(weights.Read(name).to(ScalarType.Float32).bytes), name);
        }
    }

    [Fact]
    public void Loading_leaves_no_tensor_behind()
    {
        using var unet = new UNet2DConditionModel(s_unet);
        using WeightSet weights = WeightSet.Open(Golden.PathOf("checkpoints/single"), "diffusion_pytorch_model");
        using var scope = NewDisposeScope();
        ModuleLoader.Load(unet, weights, "unet");
        Assert.Equal(0, scope.DisposablesCount);
    }

    private sealed class Small : nn.Module
    {
        public readonly TorchSharp.Modules.Linear proj = nn.Linear(3, 3);
        public readonly TorchSharp.Modules.ModuleList<TorchSharp.Modules.Linear> attentions = nn.ModuleList(nn.Linear(2, 2));

        public Small() : base("Small") => RegisterComponents();
    }

    /// <summary>A submodule, so that keys contain ".attentions.".</summary>
    private sealed class Outer : nn.Module
    {
        public readonly Small mid = new();

        public Outer() : base("Outer") => RegisterComponents();
    }

    private static Dictionary<string, Tensor> OuterWeights() => new()
    {
        ["mid.proj.weight"] = Golden.Rand("pw", 3, 3),
        ["mid.proj.bias"] = Golden.Rand("pb", 3),
        ["mid.attentions.0.weight"] = Golden.Rand("aw", 2, 2),
        ["mid.attentions.0.bias"] = Golden.Rand("ab", 2),
    };

    private static string? Load(Dictionary<string, Tensor> weights, Outer into, Func<string, string>? rename = null,
        IReadOnlySet<string>? ignorable = null)
    {
        using var scratch = new SafetensorsScratch();
        SafetensorsWriter.Write(scratch.PathOf("model.safetensors"), [.. weights.Select(w => (w.Key, w.Value))]);
        using WeightSet set = WeightSet.Open(scratch.Folder, "model");
        try
        {
            ModuleLoader.Load(into, set, "vae", rename, ignorable);
            return null;
        }
        catch (DoriException e)
        {
            Assert.DoesNotContain(e.Message, char.IsControl);
            return e.Message;
        }
    }

    [Fact]
    public void Old_attention_weights_stored_as_convolutions_are_accepted_there_and_only_there()
    {
        using var scope = NewDisposeScope();
        using var module = new Outer();
        Dictionary<string, Tensor> weights = OuterWeights();
        Tensor expected = weights["mid.attentions.0.weight"];
        weights["mid.attentions.0.weight"] = expected.reshape(2, 2, 1, 1);
        Assert.Null(Load(weights, module));
        Assert.True(module.mid.attentions[0].weight.bytes.SequenceEqual(expected.bytes));

        weights["mid.attentions.0.weight"] = expected.reshape(1, 2, 2, 1);
        Assert.Contains("1 misshapen (mid.attentions.0.weight (1, 2, 2, 1) for (2, 2))", Load(weights, module), StringComparison.Ordinal);
        weights["mid.attentions.0.weight"] = expected;
        weights["mid.proj.weight"] = weights["mid.proj.weight"].reshape(3, 3, 1, 1);
        Assert.Contains("1 misshapen (mid.proj.weight (3, 3, 1, 1) for (3, 3))", Load(weights, module), StringComparison.Ordinal);
    }

    [Fact]
    public void All_that_does_not_fit_is_named_and_nothing_is_loaded()
    {
        using var scope = NewDisposeScope();
        using var module = new Outer();
        byte[] before = module.mid.proj.weight.bytes.ToArray();
        Dictionary<string, Tensor> weights = OuterWeights();
        weights.Remove("mid.attentions.0.weight");
        weights["mid.proj.bias"] = zeros(4);
        for (int i = 0; i < 9; i++) weights[$"x{i}"] = zeros(1);
        string? message = Load(weights, module);
        Assert.StartsWith("vae: ", message, StringComparison.Ordinal);
        Assert.EndsWith(
            "1 missing (mid.attentions.0.weight); 9 unexpected (x0, x1, x2, x3, x4, x5, x6, x7, ...); 1 misshapen (mid.proj.bias (4) for "
            + "(3))", message, StringComparison.Ordinal);
        Assert.Equal(before, module.mid.proj.weight.bytes.ToArray());
    }

    [Fact]
    public void Keys_are_renamed_and_ignored_as_the_checkpoint_spells_them()
    {
        using var scope = NewDisposeScope();
        using var module = new Outer();
        Dictionary<string, Tensor> weights = OuterWeights().ToDictionary(w => "old." + w.Key, w => w.Value);
        weights["old.position_ids"] = arange(3);
        static string Rename(string key) => key["old.".Length..];
        Assert.Contains("1 unexpected (old.position_ids)", Load(weights, module, Rename), StringComparison.Ordinal);
        Assert.Contains("1 unexpected (old.position_ids)", Load(weights, module, Rename, new HashSet<string> { "position_ids" }),
            StringComparison.Ordinal);
        Assert.Null(Load(weights, module, Rename, new HashSet<string> { "old.position_ids" }));
        Assert.True(module.mid.proj.weight.bytes.SequenceEqual(weights["old.mid.proj.weight"].bytes));
        weights.Remove("old.position_ids");
        weights["old.mid.proj.bias2"] = zeros(3);
        Assert.Contains("two spellings", Load(weights, module, key => Rename(key).Replace("bias2", "bias", StringComparison.Ordinal)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Quantized_and_broken_weights_are_refused()
    {
        using var scope = NewDisposeScope();
        using var module = new Outer();
        Dictionary<string, Tensor> weights = OuterWeights();
        weights["mid.proj.bias"] = zeros([3], ScalarType.Int8);
        Assert.Contains("quantized", Load(weights, module), StringComparison.Ordinal);
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
        {
            weights["mid.proj.bias"] = tensor(new[] { 0, bad, 0 });
            Assert.Contains("'mid.proj.bias'", Load(weights, module), StringComparison.Ordinal);
        }
    }
}
