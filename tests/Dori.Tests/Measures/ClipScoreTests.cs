using Dori.Audit;
using Dori.Measures;
using Dori.Pictures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Measures;

public sealed class ClipScoreTests
{
    private static readonly string s_clip = Path.Combine(Golden.EmojiModel, "clip");

    [Fact]
    public void Identical_opposite_and_orthogonal_vectors()
    {
        using var scope = NewDisposeScope();
        Tensor a = tensor(new[] { 1f, 0, 0, 1, 0.6f, 0.8f }, [3, 2]), b = tensor(new[] { 1f, 0, 1, 0, -0.6f, -0.8f }, [3, 2]);
        Assert.Equal([1, 1, 1], ClipScore.Between(a, a).Select(x => Math.Round(x, 6)));
        Assert.Equal([1, 0, -1], ClipScore.Between(a, b).Select(x => Math.Round(x, 6)));
        Assert.Throws<DoriException>(() => ClipScore.Between(a, full([3, 2], float.NaN)));
        Assert.Throws<ArgumentException>(() => ClipScore.Between(a, a.narrow(0, 0, 2)));
    }

    [Fact]
    public void The_built_in_clip_finds_the_caption_of_a_picture_among_a_hundred()
    {
        using var scope = NewDisposeScope();
        OrdinaryPictures pairs = OrdinaryPictures.Load(Path.Combine(Golden.EmojiModel, "ordinary.tar"), 100);
        using ClipScore clip = ClipScore.Load(s_clip);
        Assert.Equal("emoji/clip", clip.Name);
        Tensor texts = clip.EmbedCaptions(pairs.Captions),
            pictures = clip.EmbedPictures(stack(Enumerable.Range(0, 100).Select(i => pairs.Picture(i)).ToArray(), 0));
        Tensor cosines = matmul(pictures, texts.t()); // (100, 100)
        long hits = cosines.argmax(1).eq(arange(100)).sum().item<long>();
        double matching = ClipScore.Between(pictures, texts).Average(), other = (cosines.sum().item<float>() - 100 * matching) / 9900;
        TestContext.Current.TestOutputHelper?.WriteLine($"{hits} of 100, matching {matching:0.000}, other {other:0.000}");
        Assert.True(hits >= 78, $"{hits} of 100"); // 81; with OpenAI's normalisation 72: the captions leave much open
        Assert.True(matching > other + 0.7, $"{matching} against {other}");
    }

    [Fact]
    public void Wrong_folders_are_refused()
    {
        Assert.Contains("no such folder", Assert.Throws<DoriException>(() => ClipScore.Load(s_clip + "-missing")).Message,
            StringComparison.Ordinal);
        Assert.Contains("config.json",
            Assert.Throws<DoriException>(() => ClipScore.Load(Path.Combine(Golden.EmojiModel, "text_encoder"))).Message,
            StringComparison.Ordinal);
        string folder = Directory.CreateTempSubdirectory("dori-clip-").FullName;
        try
        {
            foreach (string file in Directory.GetFiles(s_clip)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            Assert.Contains("no tokenizer", Assert.Throws<DoriException>(() => ClipScore.Load(folder)).Message, StringComparison.Ordinal);
        }
        finally { Directory.Delete(folder, recursive: true); }
    }
}
