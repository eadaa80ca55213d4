using Dori.Measures;
using Dori.Pictures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Measures;

public sealed class CopyDetectorTests : IDisposable
{
    private static readonly Lazy<TorchScriptCopyDetector> s_detector = new(() => TorchScriptCopyDetector.Load(Golden.EmojiModel));
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-detector-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Tensor Originals() =>
        stack(Enumerable.Range(0, 4).Select(i => Picture.Load(Path.Combine(Golden.EmojiModel, "pictures", $"verbatim-0{i}.png"))));

    [Fact]
    public void Describes_the_originals_as_the_golden_does()
    {
        using var scope = NewDisposeScope();
        var golden = GoldenFile.Read("emoji_pipeline");
        Assert.True(Golden.RelativeError(s_detector.Value.Describe(Originals()), golden["descriptors"]) < 1e-4);
    }

    [Fact]
    public void Describes_generated_pictures_as_the_golden_does()
    {
        using var scope = NewDisposeScope();
        var golden = GoldenFile.Read("emoji_pipeline");
        Tensor pictures = (golden["generated"] / 2 + 0.5f).clamp(0, 1); // the golden holds the VAE's own range, [-1, 1] and a little more
        Assert.True(Golden.RelativeError(s_detector.Value.Describe(pictures), golden["descriptors_generated"]) < 1e-4);
        Assert.Contains("[0, 1]", Assert.Throws<ArgumentException>(() => s_detector.Value.Describe(golden["generated"])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_and_repetition_change_nothing()
    {
        using TorchScriptCopyDetector fresh = TorchScriptCopyDetector.Load(Golden.EmojiModel);
        using Tensor pictures = Originals();
        using Tensor first = fresh.Describe(pictures);
        long live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < 8; i++)
            {
                using Tensor again = fresh.Describe(pictures);
                if (again.ne(first).any().item<bool>()) Interlocked.Increment(ref s_differences);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        for (int i = 0; i < 8; i++) fresh.Describe(pictures).Dispose();
        Assert.Equal(0, s_differences);
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static int s_differences;

    [Fact]
    public void Other_sizes_are_resized_and_no_gradient_is_kept()
    {
        using var scope = NewDisposeScope();
        Tensor pictures = Originals().requires_grad_(true);
        Tensor large = s_detector.Value.Describe(Picture.Resize(pictures.detach(), 160, 128, ResizeFilter.Bicubic).clamp(0, 1));
        Tensor own = s_detector.Value.Describe(pictures);
        Assert.False(own.requires_grad);
        Assert.True((large * own).sum(1).min().item<float>() > 0.9f);
    }

    [Fact]
    public void Hash_is_the_files() => Assert.Equal(
        Convert.ToHexStringLower(
            System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(Path.Combine(Golden.EmojiModel, "copy_detector", "model.pt")))),
        s_detector.Value.Sha256);

    [Fact]
    public void Presets_of_the_field_are_what_their_code_does()
    {
        Assert.Equal(["nemo", "wen", "concept-ablation"], CopyDetectorPreset.Shipped.Select(preset => preset.Name));
        CopyDetectorPreset wen = CopyDetectorPreset.Named("wen");
        Assert.Equal((256, 224, 1024), (wen.SmallEdge, wen.Size[0], wen.Dimension));
        Assert.Contains("nemo, wen, concept-ablation", Assert.Throws<DoriException>(() => CopyDetectorPreset.Named("sscd")).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("small-edge-crop", "\"size\": [48, 48], \"smallEdge\": 64,")]
    [InlineData("small-edge-crop", "\"size\": [64, 64],")]
    [InlineData("small-edge", "\"smallEdge\": 64,")]
    public void A_file_takes_the_preset_beside_it(string resize, string size)
    {
        using var scope = NewDisposeScope();
        string file = Copy(resize, size);
        using TorchScriptCopyDetector detector = TorchScriptCopyDetector.Load(file);
        Tensor wide = Picture.Resize(Originals(), 64, 96);
        Tensor expected = resize == "small-edge" ? wide
            : Picture.CenterCrop(wide, size.Contains("48", StringComparison.Ordinal) ? 48 : 64,
            size.Contains("48", StringComparison.Ordinal) ? 48 : 64);
        using TorchScriptCopyDetector plain =
            TorchScriptCopyDetector.Load(Copy("squash", $"\"size\": [{expected.shape[2]}, {expected.shape[3]}],"));
        Assert.True(plain.Describe(expected).allclose(detector.Describe(wide), atol: 1e-5));
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        string wrongDimension = Copy("squash", "\"size\": [64, 64],", dimension: 512);
        Assert.Contains("512", Refusal(wrongDimension), StringComparison.Ordinal);
        string bad = Copy("squash", "\"size\": [0, 64],", dimension: 0);
        Assert.Contains("size must", Refusal(bad), StringComparison.Ordinal); // all at once
        Assert.Contains("dimension must", Refusal(bad), StringComparison.Ordinal);
        Assert.Contains("extra", Refusal(Copy("squash", "\"size\": [64, 64], \"extra\": 1,")), StringComparison.Ordinal);
        Assert.Contains("$.resize", Refusal(Copy("stretch", "\"size\": [64, 64],")), StringComparison.Ordinal);

        string text = Path.Combine(_folder, "text.pt");
        File.WriteAllText(text, "no program");
        Assert.Contains("nemo, wen", Refusal(text), StringComparison.Ordinal); // no preset
        Assert.Contains("TorchScript", Assert.Throws<DoriException>(() => TorchScriptCopyDetector.Load(text, "nemo")).Message,
            StringComparison.Ordinal);
        Assert.Contains("preset.json", Refusal(_folder), StringComparison.Ordinal);
        Assert.Contains("no such", Refusal(Path.Combine(_folder, "missing.pt")), StringComparison.Ordinal);
    }

    [Fact]
    public void Pictures_that_are_not_numbers_give_no_descriptor()
    {
        using var scope = NewDisposeScope();
        Tensor pictures = Originals();
        pictures[2, 1, 5, 5] = float.NaN;
        Assert.Contains("length is not 1", Assert.Throws<DoriException>(() => s_detector.Value.Describe(pictures)).Message,
            StringComparison.Ordinal);
    }

    private static string Refusal(string path) => Assert.Throws<DoriException>(() => TorchScriptCopyDetector.Load(path).Dispose()).Message;

    private string Copy(string resize, string size, int dimension = 128)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, Guid.NewGuid().ToString("N"))).FullName;
        File.Copy(Path.Combine(Golden.EmojiModel, "copy_detector", "model.pt"), Path.Combine(folder, "mine.pt"));
        File.WriteAllText(Path.Combine(folder, "mine.json"), $$"""
            { "name": "mine", "file": "mine.pt", "resize": "{{resize}}", {{size}}
              "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "dimension": {{dimension}}, "threshold": 0.7 }
            """);
        return Path.Combine(folder, "mine.pt");
    }
}
