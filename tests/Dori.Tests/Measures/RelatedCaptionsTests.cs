using Dori.Audit;
using Dori.Measures;
using Dori.Pictures;
using Dori.Tests.Support;

namespace Dori.Tests.Measures;

public sealed class RelatedCaptionsTests
{
    [Theory]
    [InlineData("pea pod and pinched fingers on a wavy brown background", "pea pod pinched finger")]
    [InlineData("T shirt", "shirt")]
    [InlineData("Glass of the boss, on the plain background!", "glass boss")]
    [InlineData("The Café with two CATS in front of a very dark blue background and a dog", "café cat dog")]
    [InlineData("and the of", "")]
    public void Content_words(string caption, string words) =>
        Assert.Equal(words.Split(' ', StringSplitOptions.RemoveEmptyEntries).Order(), RelatedCaptions.ContentWords(caption).Order());

    [Fact]
    public void Scores_by_hand()
    {
        string[] captions =
            ["cat and dog", "dog on a red background", "cats on a blue background", "boat", "tree on a plain red background", "cat"];
        // "cat" is in 3 of 6 captions, "boat" in 1: weights ln(1 + 6/4) and ln(1 + 6/2).
        double cat = Math.Log(2.5), boat = Math.Log(4), all = cat + boat;
        IReadOnlyList<(int Index, double Score)> related = RelatedCaptions.Of(["cat and boat on a plain red background"], captions, 10);
        Assert.Equal([3, 0, 2, 5], related.Select(pair => pair.Index)); // backgrounds count for nothing; equals by index
        Assert.Equal(boat / all, related[0].Score, 12);
        Assert.All(related.Skip(1), pair => Assert.Equal(cat / all, pair.Score, 12));
        Assert.Equal([3, 0], RelatedCaptions.Of(["cat and boat"], captions, 2).Select(pair => pair.Index));
        // The best of several removed captions, whatever their order.
        Assert.Equal([(0, 1.0), (1, 1.0)], RelatedCaptions.Of(["tree house with garden", "dog"], captions, 2));
        Assert.Equal(RelatedCaptions.Of(["dog", "boat and cat"], captions, 9),
            RelatedCaptions.Of(["boat and cat", "dog", "dog"], captions, 9));
        Assert.Empty(RelatedCaptions.Of(["house", "", "on a red background"], captions, 10));
        // One word in five alike is not related.
        Assert.Empty(RelatedCaptions.Of(["cat whale snail horse mouse"], captions, 10));
    }

    [Fact]
    public void Built_in_captions()
    {
        OrdinaryPictures ordinary = OrdinaryPictures.Load(Path.Combine(Golden.EmojiModel, "ordinary.tar"));
        string[] removed =
            [.. PictureSet.Load(Emoji.Pictures).Items.Where(item => item.Role != PictureRole.Control).Select(item => item.Caption)];
        IReadOnlyList<(int Index, double Score)> related = RelatedCaptions.Of(removed, ordinary.Captions, 200);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{related.Count}: {related[0].Score:0.00} to {related[^1].Score:0.00}; "
            + $"{string.Join("; ", related.Take(8).Select(pair => ordinary.Captions[pair.Index]))}");
        Assert.InRange(related.Count, 100, 200);
        var words = removed.SelectMany(RelatedCaptions.ContentWords).ToHashSet();
        Assert.All(related, pair => Assert.True(RelatedCaptions.ContentWords(ordinary.Captions[pair.Index]).Overlaps(words)));
    }
}
