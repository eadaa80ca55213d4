using System.Security.Cryptography;
using System.Text;
using Dori.Checkpoints;
using Dori.Tests.Support;
using static Dori.Tests.Checkpoints.ConfigPublished;

namespace Dori.Tests.Checkpoints;

public sealed class DiffusersFolderTests : IDisposable
{
    private readonly ConfigScratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void PublishedModels()
    {
        _scratch.Model(Index14, UNet14, Vae14, Text14, Scheduler14);
        DiffusersFolder first = DiffusersFolder.Open(_scratch.Folder);
        Assert.Equal((_scratch.Folder, 768, 512, 12, "PNDMScheduler"),
            (first.Path, first.UNet.CrossAttentionDim, first.Vae.SampleSize, first.TextEncoder.NumHiddenLayers, first.Scheduler.ClassName));
        Assert.Equal(Path.Combine(_scratch.Folder, "tokenizer"), first.Tokenizer);
        _scratch.Model(Index21, UNet21, Vae21, Text21, Scheduler21);
        DiffusersFolder second = DiffusersFolder.Open(_scratch.Folder);
        Assert.Equal((1024, 768, 23, "v_prediction"),
            (second.UNet.CrossAttentionDim, second.Vae.SampleSize, second.TextEncoder.NumHiddenLayers, second.Scheduler.PredictionType));
    }

    [Fact]
    public void BuiltInModel()
    {
        DiffusersFolder folder = DiffusersFolder.Open(Golden.EmojiModel);
        Assert.Equal([64, 128, 192], folder.UNet.BlockOutChannels);
        Assert.Equal([4, 4, 4], folder.UNet.NumAttentionHeads);
        Assert.Equal((16, 0.7369446158409119), (folder.Vae.NormNumGroups, folder.Vae.ScalingFactor));
        Assert.Equal((1214, 1213), (folder.TextEncoder.VocabSize, folder.TextEncoder.EosTokenId));
        Assert.Equal(("DDIMScheduler", 1, false),
            (folder.Scheduler.ClassName, folder.Scheduler.StepsOffset, folder.Scheduler.SetAlphaToOne));
        using WeightSet unet = folder.OpenUNet(), vae = folder.OpenVae(), text = folder.OpenTextEncoder();
        Assert.Equal([64, 4, 3, 3], unet.Info("conv_in.weight").Shape);
        Assert.NotEmpty(vae.Names);
        Assert.NotEmpty(text.Names);
    }

    [Theory]
    [InlineData("_class_name", "\"StableDiffusion3Pipeline\"")]
    [InlineData("unet", "[\"diffusers\", \"UNet2DModel\"]")]
    [InlineData("unet", "[\"my_code\", \"UNet2DConditionModel\"]")]
    [InlineData("unet", "[null, null]")]
    [InlineData("vae", "[\"diffusers\", \"AutoencoderTiny\"]")]
    [InlineData("text_encoder", "[\"transformers\", \"T5EncoderModel\"]")]
    [InlineData("tokenizer", "\"CLIPTokenizer\"")]
    [InlineData("scheduler", "[\"diffusers\", \"FlowMatchEulerDiscreteScheduler\"]")]
    [InlineData("controlnet", "[\"diffusers\", \"ControlNetModel\"]")]
    public void OtherComponentsAreRefused(string key, string value)
    {
        _scratch.Model(ConfigScratch.With(Index14, key, value), UNet14, Vae14, Text14, Scheduler14);
        string message = Assert.Throws<DoriException>(() => DiffusersFolder.Open(_scratch.Folder)).Message;
        Assert.Contains("model_index.json", message, StringComparison.Ordinal);
        Assert.Contains(key, message, StringComparison.Ordinal);
    }

    [Fact]
    public void TwoSchedulersAreRefused()
    {
        _scratch.Model(Index21, UNet14, Vae14, Text14, Scheduler14);
        string message = Assert.Throws<DoriException>(() => DiffusersFolder.Open(_scratch.Folder)).Message;
        Assert.Contains("DDIMScheduler", message, StringComparison.Ordinal);
        Assert.Contains("PNDMScheduler", message, StringComparison.Ordinal);
    }

    [Fact]
    public void OtherLayoutsAreToldWhatIsWanted()
    {
        Assert.Contains("model_index.json", Refusal(_scratch.Folder), StringComparison.Ordinal);
        Assert.Contains("no such folder", Refusal(Path.Combine(_scratch.Folder, "none")), StringComparison.Ordinal);
        Assert.Contains("from_single_file", Refusal(_scratch.Write("x", "v1-5-pruned.ckpt")), StringComparison.Ordinal);
        Assert.Contains("from_single_file(\"v1-5-pruned.ckpt\")", Refusal(_scratch.Folder), StringComparison.Ordinal);
        static string Refusal(string path) => Assert.Throws<DoriException>(() => DiffusersFolder.Open(path)).Message;
    }

    [Fact]
    public void FilesAndHashes()
    {
        _scratch.Model(Index14, UNet14, Vae14, Text14, Scheduler14);
        foreach (string name in new[] { "README.md", "unet/.cache/x", ".gitattributes", "pictures/a.png", "v1-5.ckpt" })
            _scratch.Write("not the model", name);
        foreach (string name in new[] { "dori.json", "copy_detector/preset.json", "unet/Zweig/a.txt" }) _scratch.Write("abc", name);
        DiffusersFolder folder = DiffusersFolder.Open(_scratch.Folder);
        Assert.Equal(
            ["copy_detector/preset.json", "dori.json", "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
                "tokenizer/vocab.json", "unet/Zweig/a.txt", "unet/config.json", "vae/config.json"],
            folder.AllFiles);
        IReadOnlyList<(string File, string Sha256)> hashes = folder.FileHashes();
        Assert.Equal(folder.AllFiles, hashes.Select(pair => pair.File));
        Assert.Equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hashes[0].Sha256); // FIPS 180-2, "abc"

        string lines = string.Concat(hashes.Select(pair => $"{pair.Sha256}  {pair.File}\n"));
        string whole = folder.Sha256();
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines))), whole);
        _scratch.Write("another card", "README.md");
        Assert.Equal(whole, folder.Sha256());
        _scratch.Write("abd", "dori.json");
        Assert.NotEqual(whole, folder.Sha256());
    }

    [Fact]
    public void LinkedFilesCountAndLinkedFoldersDoNot()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need a privilege there");
        _scratch.Model(Index14, UNet14, Vae14, Text14, Scheduler14);
        File.CreateSymbolicLink(Path.Combine(_scratch.Folder, "unet", "linked.json"), Path.Combine(_scratch.Folder, "vae", "config.json"));
        Directory.CreateSymbolicLink(Path.Combine(_scratch.Folder, "unet", "round"), _scratch.Folder);
        IReadOnlyList<string> files = DiffusersFolder.Open(_scratch.Folder).AllFiles;
        Assert.Contains("unet/linked.json", files);
        Assert.DoesNotContain(files, file => file.StartsWith("unet/round", StringComparison.Ordinal));
    }
}
