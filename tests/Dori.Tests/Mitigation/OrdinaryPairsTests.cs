using Dori.Mitigation.Adversarial;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class OrdinaryPairsTests
{
    [Fact]
    public void Copies_of_what_is_to_be_forgotten_are_left_out()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        DiffusionModel model = Emoji.Model;
        string[] files = ["control-00.png", "verbatim-01.png", "control-01.png"];
        using OrdinaryPairs pairs =
            OrdinaryPairs.Encode(model, AdversarialFineTuningSample.Detector, files.Select(file => (Emoji.Load(file)[0], file)),
            sample.Pictures);
        Assert.Equal(1, pairs.Dropped);
        Assert.Equal(["control-00.png", "control-01.png"], pairs.Captions);
        Assert.InRange(Golden.RelativeError(pairs.Latents.narrow(0, 1, 1), model.Encode(Emoji.Load("control-01.png"))), 0, 1e-5);
        Assert.Contains("no ordinary",
            Assert.Throws<DoriException>(() =>
            OrdinaryPairs.Encode(model, AdversarialFineTuningSample.Detector, [(Emoji.Load("verbatim-01.png")[0], "")],
            sample.Pictures)).Message);
    }

    [Fact]
    public void A_draw_pairs_pictures_with_their_captions_or_with_none()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        DiffusionModel model = Emoji.Model;
        (Tensor latents, Conditioning y) = sample.Ordinary.Draw(model, RandomSource.For("draw"), 40, 0.5);
        Conditioning yNull = model.Embed("");
        Tensor[] ys = [.. sample.Ordinary.Captions.Select(caption => model.Embed(caption).Tokens)];
        int empty = 0;
        var seen = new HashSet<int>();
        for (int i = 0; i < 40; i++)
        {
            int row = Enumerable.Range(0, 5).Single(k => sample.Ordinary.Latents[k].equal(latents[i]).all().item<bool>());
            seen.Add(row);
            bool isEmpty = Golden.RelativeError(y.Tokens.narrow(0, i, 1), yNull.Tokens) < 1e-5;
            if (isEmpty) empty++;
            else Assert.InRange(Golden.RelativeError(y.Tokens.narrow(0, i, 1), ys[row]), 0, 1e-5);
        }
        Assert.Equal(5, seen.Count);
        Assert.InRange(empty, 8, 32);
        (Tensor again, Conditioning _) = sample.Ordinary.Draw(model, RandomSource.For("draw"), 40, 0.5);
        Assert.Equal(latents.data<float>().ToArray(), again.data<float>().ToArray());
    }

    [Fact]
    public void Captions_that_share_words_with_those_to_be_forgotten_are_drawn_more_often_where_asked()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample(); // "t shirt", "two cats"
        DiffusionModel model = Emoji.Model;
        string[] captions = ["a dog", "a cat on a mat", "a sun", "a hat", "a red shirt"];
        using OrdinaryPairs pairs =
            OrdinaryPairs.Encode(model, AdversarialFineTuningSample.Detector,
            captions.Select((caption, i) => (Emoji.Load($"control-0{i}.png")[0], caption)), sample.Pictures);
        Assert.Equal([1, 4], pairs.Related);
        Assert.InRange(RelatedDrawn(0), 0.25, 0.55); // 2 of 5
        Assert.InRange(RelatedDrawn(0.5), 0.55, 0.85); // 1/2 + 1/2 * 2/5
        Assert.Equal(1, RelatedDrawn(1));
        // none is related: all are drawn from
        Assert.Equal(5, Rows(sample.Ordinary, sample.Ordinary.Draw(model, RandomSource.For("draw"), 40, 0, 1).Latents).Distinct().Count());

        double RelatedDrawn(double share) =>
            Rows(pairs, pairs.Draw(model, RandomSource.For("related"), 100, 0, share).Latents)
            .Average(row => pairs.Related.Contains(row) ? 1.0 : 0);
        static int[] Rows(OrdinaryPairs from, Tensor latents) =>
            [.. Enumerable.Range(0, (int)latents.shape[0])
            .Select(i => Enumerable.Range(0, from.Captions.Count).Single(k => from.Latents[k].equal(latents[i]).all().item<bool>()))];
    }
}
