using Dori.Checkpoints;
using Dori.Tests.Support;
using TorchSharp;
using static Dori.Tests.Checkpoints.ConfigPublished;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

public sealed class DiffusersFolderSaveTests : IDisposable
{
    private readonly ConfigScratch _scratch = new();
    private string Target => Path.Combine(_scratch.Folder, "new");

    public void Dispose() => _scratch.Dispose();

    private string[] Leftovers => Directory.GetDirectories(Path.GetDirectoryName(Target)!, Path.GetFileName(Target) + "*.partial");

    [Fact]
    public void SavingUnchangedGivesTheSameBytes()
    {
        DiffusersFolder original = DiffusersFolder.Open(Golden.EmojiModel);
        using (WeightSet weights = original.OpenUNet()) original.SaveWithUNet(Target, weights.Read, "# Card\n");
        DiffusersFolder saved = DiffusersFolder.Open(Target);
        Assert.Equal(original.FileHashes(), saved.FileHashes());
        Assert.Equal(original.Sha256(), saved.Sha256());
        Assert.Equal("# Card\n", File.ReadAllText(Path.Combine(Target, "README.md")));
        Assert.False(Directory.Exists(Path.Combine(Target, "pictures")));
        Assert.Empty(Leftovers);
    }

    [Theory]
    [InlineData("single")]
    [InlineData("sharded")]
    [InlineData("fp16")]
    public void LayoutDtypesAndMetadataStay(string name)
    {
        DiffusersFolder original = Model(name);
        original.SaveWithUNet(Target, key => Changed(original, key), null);
        DiffusersFolder saved = DiffusersFolder.Open(Target);
        Assert.Equal(original.AllFiles, saved.AllFiles);
        using WeightSet before = original.OpenUNet(), after = saved.OpenUNet();
        Assert.Equal(before.Names, after.Names);
        Assert.Equal(before.Files.Select(Path.GetFileName), after.Files.Select(Path.GetFileName));
        foreach (string key in before.Names)
        {
            Assert.Equal(Path.GetFileName(before.FileOf(key)), Path.GetFileName(after.FileOf(key)));
            Assert.Equal(before.Info(key).Dtype, after.Info(key).Dtype);
            Assert.Equal(before.Info(key).Shape, after.Info(key).Shape);
            using Tensor expected = Changed(original, key).to(before.Info(key).Dtype), actual = after.Read(key);
            Assert.Equal(expected.bytes.ToArray(), actual.bytes.ToArray());
        }
        for (int i = 0; i < before.Files.Count; i++)
        {
            using SafetensorsFile a = SafetensorsFile.Open(before.Files[i]), b = SafetensorsFile.Open(after.Files[i]);
            Assert.Equal(a.Metadata, b.Metadata);
        }
        foreach (string file in original.AllFiles.Where(file => !file.EndsWith(".safetensors", StringComparison.Ordinal)))
            Assert.Equal(File.ReadAllBytes(Path.Combine(original.Path, file)), File.ReadAllBytes(Path.Combine(Target, file)));
    }

    [Fact]
    public void OldUNetWeightsStayBehindLicenseAndCardCome()
    {
        DiffusersFolder original = Model("single");
        foreach (
            string name in new[] { "unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.fp16.safetensors",
            "unet/diffusion_flax_model.msgpack", "unet/old/x.safetensors", "v1-5.ckpt" })
            _scratch.Write("old weights", $"model/{name}");
        foreach (string name in new[] { "README.md", "LICENSE.md", "vae/notes.bin" }) _scratch.Write("kept", $"model/{name}");
        original.SaveWithUNet(Target, key => Changed(original, key), null);
        Assert.Equal(["config.json", "diffusion_pytorch_model.safetensors"],
            Directory.EnumerateFileSystemEntries(Path.Combine(Target, "unet")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.False(File.Exists(Path.Combine(Target, "v1-5.ckpt")));
        foreach (string name in new[] { "README.md", "LICENSE.md", "vae/notes.bin" })
            Assert.Equal("kept", File.ReadAllText(Path.Combine(Target, name)));
    }

    [Fact]
    public void TakenTargetsAreRefusedAndLeftAlone()
    {
        DiffusersFolder original = Model("single");
        _scratch.Write("mine", "new/file.txt");
        Assert.Throws<DoriException>(() => DiffusersFolder.CheckTarget(Target));
        Assert.Throws<DoriException>(() => original.SaveWithUNet(Target, key => Changed(original, key), null));
        Assert.Throws<DoriException>(() => original.SaveWithUNet(Path.Combine(Target, "file.txt"), key => Changed(original, key), null));
        Assert.Throws<DoriException>(() => original.SaveWithUNet(original.Path, key => Changed(original, key), null));
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Target, "file.txt")));
    }

    [Fact]
    public void AnEmptyTargetIsTakenAndSomebodysPartialFolderStays()
    {
        DiffusersFolder original = Model("single");
        Directory.CreateDirectory(Target);
        _scratch.Write("mine", "new.partial/unet/half.safetensors");
        original.SaveWithUNet(Target + Path.DirectorySeparatorChar, key => Changed(original, key), null);
        Assert.Equal(original.AllFiles, DiffusersFolder.Open(Target).AllFiles);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(Target + ".partial", "unet", "half.safetensors")));
        Assert.Equal([Target + ".partial"], Leftovers);
    }

    [Theory]
    [InlineData("single", 1.0f, false)] // a row too many
    [InlineData("fp16", 1e6f, true)] // beyond float16
    [InlineData("single", float.NaN, true)]
    public void BrokenWeightsLeaveNothing(string name, float value, bool rightShape)
    {
        DiffusersFolder original = Model(name);
        string message = Assert.Throws<DoriException>(() => original.SaveWithUNet(Target, key =>
        {
            Tensor weight = Changed(original, key);
            if (key != "conv_in.weight") return weight;
            return rightShape ? full_like(weight, value) : cat([weight, weight], 0);
        }, null)).Message;
        Assert.Contains("conv_in.weight", message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));
        Assert.Empty(Leftovers);
    }

    [Fact]
    public void TheCallersTensorsStay()
    {
        DiffusersFolder original = Model("single");
        using WeightSet weights = original.OpenUNet();
        Dictionary<string, Tensor> mine = weights.Names.ToDictionary(key => key, weights.Read);
        foreach (Tensor tensor in mine.Values) tensor.requires_grad = true;
        original.SaveWithUNet(Target, key => mine[key], null);
        foreach (Tensor tensor in mine.Values)
        {
            Assert.False(tensor.IsInvalid);
            tensor.Dispose();
        }
    }

    /// <summary>Half of the stored weight, plus 1/8, in float32.</summary>
    private static Tensor Changed(DiffusersFolder folder, string key)
    {
        using WeightSet weights = folder.OpenUNet();
        return weights.Read(key).to(float32) * 0.5 + 0.125;
    }

    /// <summary>A model around one of the golden checkpoints, which are UNet folders.</summary>
    private DiffusersFolder Model(string checkpoint)
    {
        string folder = Path.Combine(_scratch.Folder, "model");
        _scratch.Write(Index14, "model/model_index.json");
        _scratch.Write(Vae14, "model/vae/config.json");
        _scratch.Write(Text14, "model/text_encoder/config.json");
        _scratch.Write(Scheduler14, "model/scheduler/scheduler_config.json");
        _scratch.Write("{}", "model/tokenizer/vocab.json");
        Directory.CreateDirectory(Path.Combine(folder, "unet"));
        foreach (string path in Directory.EnumerateFiles(Golden.PathOf($"checkpoints/{checkpoint}")))
            File.Copy(path, Path.Combine(folder, "unet", Path.GetFileName(path)));
        return DiffusersFolder.Open(folder);
    }
}
