using Dori.Diffusion;
using Dori.Native;
using Dori.Search;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Search;

/// <summary>What a search may move, and that it moves nothing else.</summary>
public sealed class FreedomTests
{
    private static int Places => Emoji.Model.Tokenizer.MaxLength;

    private static Tensor Values(Tensor t) => t.cpu().to(float32);

    [Fact]
    public void Vectors_stand_at_their_places_and_nowhere_else()
    {
        Assert.Equal([-1, 0, 0, 0], Freedom.OneVector(4).VectorOf);
        Assert.Equal([-1, 0, 1, -1], Freedom.Tokens(4, 2).VectorOf);
        Assert.Equal([-1, -1, 0, 0], Freedom.TiedPadding(4, 1).VectorOf);
        Assert.Equal([-1, -1, -1, 0], Freedom.TiedPadding(4, 3).VectorOf); // a caption without padding
        Assert.Equal([0, 1, 2, 3], Freedom.Ball(4, 1).VectorOf);
        Assert.Equal([1, 4, 4], new[] { Freedom.OneVector(4), Freedom.Ball(4, 1), Freedom.All(4) }.Select(f => f.Vectors));
    }

    [Fact]
    public void What_is_put_is_read_again_and_the_rest_stays()
    {
        using var scope = NewDisposeScope();
        Conditioning whole = Emoji.Model.Embed("a cat and a red car");
        long width = whole.Tokens.shape[2];
        foreach (Freedom freedom in new[] { Freedom.OneVector(Places), Freedom.Tokens(Places, 4), Freedom.TiedPadding(Places, 6) })
        {
            Tensor vectors = Golden.Rand(freedom.Name, freedom.Vectors, width);
            Conditioning y = freedom.Put(whole, vectors);
            Assert.True(Golden.RelativeError(freedom.Read(y.Tokens), vectors) < 1e-5);
            for (int p = 0; p < Places; p++)
            {
                Tensor expected = freedom.VectorOf[p] is var v and >= 0 ? vectors[v] : Values(whole.Tokens)[0][p];
                Assert.True(Golden.RelativeError(Values(y.Tokens)[0][p], expected) < 1e-5, $"{freedom.Name}, place {p}");
            }
        }
    }

    [Fact]
    public void Free_vectors_begin_at_the_mean_of_the_empty_prompts_states_over_their_places()
    {
        using var scope = NewDisposeScope();
        Conditioning caption = Emoji.Model.Embed("a cat and a red car");
        Tensor empty = Values(Emoji.Model.Embed("").Tokens)[0];
        Tensor mean = empty.narrow(0, 1, Places - 1).mean([0L]);
        Assert.True(Golden.RelativeError(Values(Freedom.OneVector(Places).Begin(Emoji.Model, caption))[0], mean) < 1e-5);
        Assert.True(Golden.RelativeError(Values(Freedom.Tokens(Places, 2).Begin(Emoji.Model, caption)), empty.narrow(0, 1, 2)) < 1e-5);
        Assert.True(Golden.RelativeError(Values(Freedom.TiedPadding(Places, 6).Begin(Emoji.Model, caption))[0],
            empty.narrow(0, 7, Places - 7).mean([0L])) < 1e-5);
        Assert.True(Golden.RelativeError(Values(Freedom.Ball(Places, 1).Begin(Emoji.Model, caption)), Values(caption.Tokens)[0]) < 1e-6);
        // Nothing of the caption is in what has none of it.
        Tensor bare = Freedom.OneVector(Places).Fixed(Emoji.Model, caption).Tokens;
        Assert.Equal(0, (bare - Emoji.Model.Embed("").Tokens).abs().max().item<float>());
    }

    /// <summary>The chain rule: y is linear in the vectors, so that their gradient is what autograd finds through Put.</summary>
    [Fact]
    public void Gradients_are_those_of_autograd()
    {
        using var scope = NewDisposeScope();
        Conditioning whole = Emoji.Model.Embed("a cat");
        foreach (Freedom freedom in new[] { Freedom.OneVector(Places), Freedom.Tokens(Places, 4), Freedom.TiedPadding(Places, 3) })
        {
            Tensor vectors = Golden.Rand("v", freedom.Vectors, whole.Tokens.shape[2]).requires_grad_();
            Tensor weights = Golden.Rand("w", whole.Tokens.shape);
            Tensor y = freedom.Put(whole, vectors).Tokens;
            Tensor expected = autograd.grad([(y.Squared() * weights).sum()], [vectors])[0];
            Tensor gradient = (y.detach() * weights).Times(2); // of the same sum by y
            Assert.True(Golden.RelativeError(freedom.Gather(gradient), expected) < 1e-4, freedom.Name);
        }
    }

    [Fact]
    public void A_ball_is_left_by_no_step_and_what_lies_in_it_is_left_alone()
    {
        using var scope = NewDisposeScope();
        Freedom ball = Freedom.Ball(3, 2);
        Tensor begin = Golden.Rand("b", 3, 5), far = begin.Plus(Golden.Rand("f", 3, 5), 10), near = begin.Plus(Golden.Rand("n", 3, 5), 0.1);
        Tensor moved = far.clone(), kept = near.clone();
        ball.Project(moved, begin);
        ball.Project(kept, begin);
        Assert.Equal(2, (moved - begin).norm().item<float>(), 1e-4);
        Tensor direction = (far - begin) / (far - begin).norm();
        Assert.True(Golden.RelativeError(moved - begin, direction.Times(2)) < 1e-4);
        Assert.Equal(0, (kept - near).abs().max().item<float>());
    }

    [Fact]
    public void A_search_moves_what_it_may_and_its_loss_falls()
    {
        using var scope = NewDisposeScope();
        var options = new SearchOptions { Steps = 6, Batch = 2, MicroBatch = 2, SnapshotSteps = [6] };
        Tensor target = Emoji.Model.Encode(Emoji.Load("verbatim-00.png"));
        Conditioning caption = Emoji.Model.Embed("a cat");
        var search = new DoriSearch(options, Freedom.OneVector(Places));
        Assert.StartsWith("one vector: 6 steps of Adam", search.Description, StringComparison.Ordinal);
        using SearchResult found = search.Run(Emoji.Model, target, caption, RandomSource.For("freedom"));
        Tensor y = Values(found.Snapshots[0].Y.Tokens)[0], empty = Values(Emoji.Model.Embed("").Tokens)[0];
        Assert.True((y[0] - empty[0]).abs().max().item<float>() < 1e-6);
        Assert.True((y[1] - y[Places - 1]).abs().max().item<float>() < 1e-6);
        Assert.Equal(0.6, (y[1] - empty.narrow(0, 1, Places - 1).mean([0L])).abs().max().item<float>(), 0.15); // Adam: 0.1 a step
        using SearchResult ball = new DoriSearch(options, Freedom.Ball(Places, 0.5)).Run(Emoji.Model, target, caption,
            RandomSource.For("freedom"));
        Assert.InRange((ball.Snapshots[0].Y.Tokens.cpu() - caption.Tokens.cpu()).norm().item<float>(), 0.4f, 0.5001f);
    }
}
