using Dori.Diffusion;
using Dori.Tests.Support;
using TorchSharp;

namespace Dori.Tests.Diffusion;

public sealed class DiffusionModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-model-").FullName;

    /// <summary>Each of these asks for hundreds of gigabytes; the files hold a few megabytes.</summary>
    [Theory]
    [InlineData("unet", "unet/config.json", "    64,\n    128,\n    192\n", "    16384,\n    16384,\n    16384\n")]
    [InlineData("vae", "vae/config.json", "    32,\n    48,\n    64\n", "    16384,\n    16384,\n    16384\n")]
    [InlineData("text_encoder", "text_encoder/config.json", "\"num_hidden_layers\": 4", "\"num_hidden_layers\": 99")]
    public void A_config_larger_than_its_weights_is_refused_before_anything_is_allocated(string part, string file, string from, string to)
    {
        string path = Copy();
        string config = Path.Combine(path, file), text = File.ReadAllText(config).ReplaceLineEndings("\n");
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(config, text.Replace(from, to, StringComparison.Ordinal));
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        long before = process.VirtualMemorySize64;
        DoriException e = Assert.Throws<DoriException>(() => DiffusionModel.Load(path));
        Assert.Contains($"describes a {part} of at least", e.Message, StringComparison.Ordinal);
        process.Refresh();
        Assert.InRange(process.VirtualMemorySize64 - before, long.MinValue, 4L << 30);
    }

    [Fact]
    public void Parts_that_do_not_fit_each_other_are_refused()
    {
        string path = Copy();
        File.Copy(Path.Combine(Golden.Folder, "checkpoints", "single", "config.json"), Path.Combine(path, "unet", "config.json"),
            overwrite: true);
        Assert.Contains("12 wide, text_encoder gives 128", Assert.Throws<DoriException>(() => DiffusionModel.Load(path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_tensor_and_a_damaged_file_are_named()
    {
        string path = Copy(), weights = Path.Combine(path, "unet", "diffusion_pytorch_model.safetensors");
        byte[] bytes = File.ReadAllBytes(weights);
        File.WriteAllBytes(weights, bytes[..^1]);
        Assert.Contains(weights, Assert.Throws<DoriException>(() => DiffusionModel.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_outlives_the_scope_it_was_loaded_in_and_carries_no_gradients()
    {
        DiffusionModel model;
        using (torch.NewDisposeScope()) model = DiffusionModel.Load(Golden.EmojiModel);
        using (model)
        {
            using Conditioning y = model.Embed("t shirt");
            Assert.Equal([1L, 32, 128], y.Tokens.shape);
            Assert.All(model.UNet.parameters(), p => Assert.False(p.requires_grad));
            Assert.Equal(64, model.PictureSize);
        }
    }

    private string Copy()
    {
        foreach (string file in Directory.GetFiles(Golden.EmojiModel, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(Golden.EmojiModel, file);
            if (name.StartsWith("pictures", StringComparison.Ordinal) || name.EndsWith(".tar", StringComparison.Ordinal)) continue;
            string target = Path.Combine(_folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
        return _folder;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
