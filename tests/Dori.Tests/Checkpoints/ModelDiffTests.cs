using Dori.Checkpoints;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

public sealed class ModelDiffTests : IDisposable
{
    private const string Key = "mid_block.attentions.0.transformer_blocks.0.attn2.to_v.weight", Bias = "conv_in.bias";
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-diff-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Checkpoint Saved(Func<string, Tensor, Tensor> change)
    {
        Checkpoint original = Checkpoint.Open(Golden.EmojiModel);
        string target = Path.Combine(_folder, "b");
        using (WeightSet weights = original.OpenUNet()) original.SaveWithUNet(target, key => change(key, weights.Read(key)), null);
        return Checkpoint.Open(target);
    }

    [Fact]
    public void A_model_against_itself_and_its_copy()
    {
        Checkpoint original = Checkpoint.Open(Golden.EmojiModel);
        ModelDifference none = ModelDiff.Between(original, Saved((_, weight) => weight));
        Assert.True(none.Same);
        Assert.Empty(none.Tensors);
        Assert.Empty(none.Configs);
        Assert.Equal(["unet", "text_encoder", "vae"], none.Components.Select(c => c.Name));
        Assert.All(none.Components, c => Assert.Equal((0, 0L, 0.0, 0.0), (c.ChangedTensors, c.Changed, c.MaxAbsolute, c.Relative)));
        Assert.InRange(none.Components[0].Weights, 10_000_000, 12_000_000);
    }

    [Fact]
    public void Changes_by_hand()
    {
        using var scope = NewDisposeScope();
        Checkpoint original = Checkpoint.Open(Golden.EmojiModel);
        using WeightSet before = original.OpenUNet();
        Tensor value = before.Read(Key).to(float64);
        Checkpoint changed = Saved((key, weight) =>
        {
            if (key == Key) weight[0] = 0; // one neuron pruned
            if (key == Bias) { weight[3] = 0.5f; weight[5] = -2f; }
            return weight;
        });
        Tensor bias = before.Read(Bias).to(float64);
        ModelDifference d = ModelDiff.Between(original, changed);
        Assert.False(d.Same);
        Assert.Empty(d.Configs);
        Assert.Equal(new[] { Bias, Key }.Order(), d.Tensors.Select(t => t.Name).Order());
        Assert.True(d.Tensors[0].Relative >= d.Tensors[1].Relative);
        TensorDifference row = d.Tensors.Single(t => t.Name == Key), two = d.Tensors.Single(t => t.Name == Bias);
        Assert.Equal(("unet", "changed", value.numel()), (row.Component, row.Change, row.Weights));
        Assert.Equal(value[0].ne(0).sum().item<long>(), row.Changed);
        Assert.Equal(value[0].abs().max().item<double>(), row.MaxAbsolute, 12);
        Assert.Equal(Math.Sqrt(value[0].square().sum().item<double>() / value.numel()), row.Rms, 12);
        Assert.Equal(value[0].norm().item<double>() / value.norm().item<double>(), row.Relative!.Value, 12);
        double first = 0.5 - bias[3].item<double>(), second = -2 - bias[5].item<double>();
        Assert.Equal(2, two.Changed);
        Assert.Equal(Math.Max(Math.Abs(first), Math.Abs(second)), two.MaxAbsolute, 12);
        Assert.Equal(Math.Sqrt((first * first + second * second) / bias.numel()), two.Rms, 12);
        Assert.Equal((2, row.Changed + 2), (d.Components[0].ChangedTensors, d.Components[0].Changed));
        Assert.Equal(0, d.Components[1].Changed + d.Components[2].Changed);
    }

    [Fact]
    public void Configs_and_other_files()
    {
        Checkpoint changed = Saved((_, weight) => weight);
        string scheduler = Path.Combine(changed.Path, "scheduler", "scheduler_config.json"),
            extra = Path.Combine(changed.Path, "tokenizer", "extra.txt");
        File.WriteAllText(scheduler, File.ReadAllText(scheduler).Replace("0.012", "0.013", StringComparison.Ordinal));
        string defaults = Path.Combine(changed.Path, "dori.json");
        File.WriteAllText(defaults, File.ReadAllText(defaults).Replace("\"guidance\": 3.0", "\"guidance\": 4.0", StringComparison.Ordinal)
            .Replace("\"searchLearningRate\": 0.1,", "", StringComparison.Ordinal)
                .Replace("\"wandaSparsity\": 0.05,", "", StringComparison.Ordinal));
        File.WriteAllText(extra, "x");
        ModelDifference d = ModelDiff.Between(Checkpoint.Open(Golden.EmojiModel), Checkpoint.Open(changed.Path));
        Assert.False(d.Same);
        Assert.Empty(d.Tensors);
        Assert.Equal(
            [("dori.json", "guidance", "3.0", "4.0"), ("dori.json", "searchLearningRate", "0.1", null),
            ("dori.json", "wandaSparsity", "0.05", null), ("scheduler/scheduler_config.json", "beta_end", "0.012", "0.013")],
            d.Configs.Take(4).Select(c => (c.File, c.Key, c.A, c.B)));
        Assert.Equal(("tokenizer/extra.txt", "", null), (d.Configs[4].File, d.Configs[4].Key, d.Configs[4].A));
        Assert.Equal(5, d.Configs.Count);
    }

    [Fact]
    public void A_missing_tensor_is_named()
    {
        Checkpoint changed = Saved((_, weight) => weight);
        string vae = Path.Combine(changed.Path, "vae", "diffusion_pytorch_model.safetensors");
        using (var scope = NewDisposeScope())
        {
            (string, Tensor)[] tensors;
            using (SafetensorsFile file = SafetensorsFile.Open(vae))
                tensors = [.. file.Tensors.Keys.Where(name => name != "quant_conv.bias").Select(name => (name, file.Read(name)))];
            SafetensorsWriter.Write(vae, tensors);
        }
        TensorDifference missing = Assert.Single(ModelDiff.Between(Checkpoint.Open(Golden.EmojiModel), changed).Tensors);
        Assert.Equal(("vae", "quant_conv.bias", ModelDiff.OnlyA, 8), (missing.Component, missing.Name, missing.Change, missing.Weights));
        Assert.Equal(ModelDiff.OnlyB, Assert.Single(ModelDiff.Between(changed, Checkpoint.Open(Golden.EmojiModel)).Tensors).Change);
    }
}
