using Dori.Measures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Measures;

public sealed class FeatureNetworkTests : IDisposable
{
    private const string Sound =
        """{ "name": "net", "size": [64, 64], "resize": "squash", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], """
        + """ "dimension": 128 }""";
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-features-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string File(string preset)
    {
        string file = Path.Combine(_folder, "net.pt");
        System.IO.File.Copy(Path.Combine(Golden.EmojiModel, "copy_detector", "model.pt"), file, overwrite: true);
        System.IO.File.WriteAllText(Path.Combine(_folder, "net.json"), preset);
        return file;
    }

    private string Refusal(string preset) => Assert.Throws<DoriException>(() => FeatureNetwork.Load(File(preset)).Dispose()).Message;

    [Fact]
    public void A_file_with_its_preset_gives_what_the_copy_detector_gives()
    {
        using var scope = NewDisposeScope();
        using var detector = TorchScriptCopyDetector.Load(Golden.EmojiModel);
        using FeatureNetwork own = FeatureNetwork.Of(detector), loaded = FeatureNetwork.Load(File(Sound));
        Assert.Equal(("emoji-copy-detector descriptors", 128, detector.Sha256), (own.Name, own.Dimension, own.Sha256));
        Assert.Equal(("net", 128, detector.Sha256), (loaded.Name, loaded.Dimension, loaded.Sha256));
        Tensor pictures = Emoji.Load("verbatim-00.png", "control-00.png");
        Assert.True(Golden.RelativeError(loaded.Describe(pictures), detector.Describe(pictures)) < 1e-6);
        Assert.Equal([2, 128], own.Describe(pictures).shape);
    }

    [Fact]
    public void The_preset_decides_how_pictures_come_in()
    {
        using var scope = NewDisposeScope();
        Tensor wide = Golden.Hashed("wide", 1, 3, 64, 128) / 2 + 0.5f;
        using FeatureNetwork squash = FeatureNetwork.Load(File(Sound)),
            crop = FeatureNetwork.Load(File(Sound.Replace("squash", "small-edge-crop", StringComparison.Ordinal)));
        Tensor middle = wide.narrow(3, 32, 64);
        Assert.True(Golden.RelativeError(crop.Describe(wide), squash.Describe(middle)) < 1e-6);
        Assert.True(Golden.RelativeError(squash.Describe(wide), squash.Describe(middle)) > 0.01);
        using FeatureNetwork dark = FeatureNetwork.Load(File(Sound.Replace("0.485", "0", StringComparison.Ordinal)));
        Assert.True(Golden.RelativeError(dark.Describe(middle), squash.Describe(middle)) > 0.01);
    }

    [Fact]
    public void Wrong_presets_and_files_are_refused()
    {
        Assert.Contains("no such feature network",
            Assert.Throws<DoriException>(() => FeatureNetwork.Load(Path.Combine(_folder, "x.pt"))).Message, StringComparison.Ordinal);
        Assert.Contains("where the preset says 64 values", Refusal(Sound.Replace("128", "64", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Contains("std must be", Refusal(Sound.Replace("0.229", "0", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("resize must be", Refusal(Sound.Replace("squash", "small-edge", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Contains("square",
            Refusal(Sound.Replace("[64, 64]", "[64, 32]", StringComparison.Ordinal)
            .Replace("squash", "small-edge-crop", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("not a feature network's preset", Refusal(Sound.Replace("\"std\"", "\"deviation\"", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        string file = File(Sound);
        System.IO.File.WriteAllText(file, "no network");
        Assert.Contains("not a network", Assert.Throws<DoriException>(() => FeatureNetwork.Load(file)).Message,
            StringComparison.Ordinal);
        System.IO.File.Delete(Path.Combine(_folder, "net.json"));
        Assert.Contains("net.json", Assert.Throws<DoriException>(() => FeatureNetwork.Load(file)).Message, StringComparison.Ordinal);
    }
}
