using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class ReplacementsTests
{
    [Fact]
    public void What_is_too_similar_is_rejected_and_a_generation_does_not_depend_on_how_many_are_wanted()
    {
        using var scope = NewDisposeScope();
        using var detector = TorchScriptCopyDetector.Load(Golden.EmojiModel);
        GenerationOptions options = GenerationOptions.For(Emoji.Model, batch: 2) with { Steps = 3 };
        Tensor picture = Emoji.Load("verbatim-02.png");
        UnlikeGenerations Unlike(int wanted, int tries, double mostSimilar) =>
            Replacements.Unlike(Emoji.Model, detector, "t shirt", picture, wanted, tries, mostSimilar, options, RandomSource.For("unlike"));
        using UnlikeGenerations all = Unlike(4, 4, 1);
        Assert.Equal(4, all.Tries);
        Assert.Equal(Similarity.ToReferences(detector.Describe(Emoji.Model.Decode(all.Latents)), detector.Describe(picture)),
            all.Similarities, (a, b) => Math.Abs(a - b) < 1e-4);
        float[] sorted = [.. all.Similarities.Order()];
        double between = (sorted[1] + sorted[2]) / 2;
        using UnlikeGenerations some = Unlike(4, 4, between);
        Assert.Equal(all.Similarities.Where(s => s <= between), some.Similarities);
        using UnlikeGenerations first = Unlike(1, 4, between);
        Assert.Equal(0, (first.Latents - some.Latents.narrow(0, 0, 1)).abs().max().item<float>());
        Assert.Contains("t shirt", Assert.Throws<DoriException>(() => Unlike(1, 2, -0.99)).Message);
    }
}
