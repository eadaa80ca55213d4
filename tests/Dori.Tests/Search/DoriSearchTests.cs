using Dori.Diffusion;
using Dori.Search;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Search;

public class DoriSearchTests
{
    [Fact]
    public void Ten_steps_agree_with_the_reference()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> golden = GoldenFile.Read("emoji_dori");
        using SearchResult result = Search(microBatch: 8);
        Assert.InRange(Golden.RelativeError(tensor(result.Losses.ToArray()), golden["losses"]), 0, 1e-4);
        Assert.InRange(Golden.RelativeError(result.Snapshots[^1].Y.Tokens, golden["y"]), 0, 1e-4);
    }

    [Fact]
    public void Micro_batches_accumulate_the_gradient_of_the_same_mean()
    {
        using var scope = NewDisposeScope();
        using SearchResult whole = Search(microBatch: 8), parts = Search(microBatch: 3);
        Assert.InRange(Golden.RelativeError(tensor(parts.Losses.ToArray()), tensor(whole.Losses.ToArray())), 0, 1e-5);
        Assert.InRange(Golden.RelativeError(parts.Snapshots[^1].Y.Tokens, whole.Snapshots[^1].Y.Tokens), 0, 1e-3);
    }

    [Fact]
    public void The_same_source_gives_the_same_bits_and_snapshots_lie_on_the_way()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Tensor z0 = model.Encode(Emoji.Load("verbatim-00.png"));
        Conditioning start = model.Embed("t shirt");
        Conditioning before = start.Copy();
        var options = new SearchOptions { Steps = 4, Batch = 2, MicroBatch = 2, SnapshotSteps = [0, 2, 4] };
        using SearchResult a = new DoriSearch(options).Run(model, z0, start, RandomSource.For("unit"));
        using SearchResult b = new DoriSearch(options with { Steps = 2, SnapshotSteps = [2] })
            .Run(model, z0, start, RandomSource.For("unit"));
        using SearchResult other = new DoriSearch(options).Run(model, z0, start, RandomSource.For("another unit"));
        Assert.Equal([0, 2, 4], a.Snapshots.Select(s => s.Step));
        Assert.Equal(0, Difference(a.Snapshots[0].Y, start));
        Assert.Equal(0, Difference(a.Snapshots[1].Y, b.Snapshots[0].Y));
        Assert.NotEqual(0, Difference(a.Snapshots[2].Y, other.Snapshots[2].Y));
        Assert.Equal(0, Difference(start, before));
    }

    [Fact]
    public void Each_step_draws_fresh_noise_and_time_steps()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Tensor z0 = model.Encode(Emoji.Load("verbatim-00.png"));
        Conditioning y = model.Embed("t shirt");
        // With a rate too small to move y, equal draws would give equal losses.
        var options = new SearchOptions { Steps = 3, Batch = 2, MicroBatch = 2, LearningRate = 1e-12, SnapshotSteps = [] };
        using SearchResult result = new DoriSearch(options).Run(model, z0, y, RandomSource.For("unit"));
        Assert.Equal(3, result.Losses.Distinct().Count());
    }

    [Fact]
    public void Nothing_is_left_alive_from_step_to_step()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Tensor z0 = model.Encode(Emoji.Load("verbatim-00.png"));
        Conditioning y = model.Embed("t shirt");
        var alive = new List<long>();
        var options = new SearchOptions { Steps = 6, Batch = 1, MicroBatch = 1, SnapshotSteps = [] };
        new DoriSearch(options)
            .Run(model, z0, y, RandomSource.For("unit"), (_, _) => alive.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount))
            .Dispose();
        Assert.Single(alive.Skip(1).Distinct());
    }

    [Fact]
    public void A_cancelled_search_stops()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Tensor z0 = model.Encode(Emoji.Load("verbatim-00.png"));
        Conditioning y = model.Embed("");
        using var source = new CancellationTokenSource();
        int steps = 0;
        Assert.Throws<OperationCanceledException>(() =>
            new DoriSearch(new SearchOptions { Batch = 1, MicroBatch = 1 }).Run(model, z0, y, RandomSource.For("unit"),
            (step, _) => { steps = step; if (step == 2) source.Cancel(); }, cancellation: source.Token));
        Assert.Equal(2, steps);
    }

    /// <summary>The golden's search: ten steps on the first verbatim picture from its caption.</summary>
    private static SearchResult Search(int microBatch)
    {
        DiffusionModel model = Emoji.Model;
        Tensor z0 = model.Encode(Emoji.Load("verbatim-00.png"));
        Conditioning y = model.Embed("pea pod and pinched fingers on a wavy brown background");
        var options = new SearchOptions { Steps = 10, Batch = 8, MicroBatch = microBatch, LearningRate = 0.1, SnapshotSteps = [10] };
        return new DoriSearch(options).Run(model, z0, y, step => new SearchDraw(
            Golden.Rand($"dori.eps.{step}", 8, 4, 16, 16),
            tensor(Golden.HashedValues($"dori.t.{step}", 8).Select(v => (long)Math.Floor((v + 1) / 2 * 1000)).ToArray()),
            zeros(8, int64)));
    }

    private static float Difference(Conditioning a, Conditioning b) => (a.Tokens - b.Tokens).abs().max().item<float>();
}
