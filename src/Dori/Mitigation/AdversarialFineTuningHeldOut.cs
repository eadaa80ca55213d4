using Dori.Diffusion;
using Dori.Measures;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>One small audit on the way. It stands for progress, not for the verdict: that is a whole audit's, with controls.</summary>
/// <param name="Step">Outer steps done.</param>
/// <param name="Prompt">Best similarity of each picture's generations from its caption.</param>
/// <param name="Search">The same after a search from its caption.</param>
/// <param name="Random">The same after a search from N(0, I).</param>
public sealed record HeldOutCheck(int Step, IReadOnlyList<float> Prompt, IReadOnlyList<float> Search, IReadOnlyList<float> Random)
{
    /// <summary>Pictures that come back from any of the three.</summary>
    /// <param name="threshold">Similarity above which a generation is a copy.</param>
    public int Retained(double threshold) => Enumerable.Range(0, Prompt.Count).Count(i => Prompt[i] > threshold || Search[i] > threshold || Random[i] > threshold);
}

/// <summary>Prompt and search for a few pictures against the weights as they are.</summary>
internal static class AdversarialFineTuningHeldOut
{
    private const int Ways = 3;

    /// <param name="random">Of nothing but checks: training never draws from it.</param>
    public static HeldOutCheck Run(DiffusionModel model, ICopyDetector detector, IReadOnlyList<MemorizedPicture> pictures, HeldOutOptions options, int step, RandomSource random,
        Workers workers, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        Conditioning yNull = model.Embed("");
        int count = Math.Min(options.Pictures, pictures.Count);
        var best = new List<float>();
        workers.Run(count * Ways, Best, best.Add, cancellation);
        return new HeldOutCheck(step, Of(0), Of(1), Of(2));

        float[] Of(int way) => [.. Enumerable.Range(0, count).Select(picture => best[picture * Ways + way])];

        float Best(int piece)
        {
            using var inner = NewDisposeScope();
            MemorizedPicture picture = pictures[piece / Ways];
            RandomSource own = random.Derive("step", step).Derive("piece", piece);
            Conditioning y = (piece % Ways) switch
            {
                0 => picture.Y,
                1 => Searched(picture.Y, own),
                _ => Searched(model.RandomConditioning(own.Derive("start")), own),
            };
            return picture.BestSimilarity(model, detector, y, yNull, Generation.Noise(model, own, options.Generations), cancellation);

            Conditioning Searched(Conditioning start, RandomSource source)
            {
                ModelDefaults defaults = model.Defaults;
                var search = new SearchOptions
                {
                    Steps = options.SearchSteps,
                    Batch = defaults.SearchBatch,
                    MicroBatch = defaults.SearchBatch,
                    LearningRate = defaults.SearchLearningRate,
                    SnapshotSteps = [options.SearchSteps],
                };
                using SearchResult result = new DoriSearch(search).Run(model, picture.Latents, start, source.Derive("search"), cancellation: cancellation);
                return result.Snapshots[0].Y.Alias();
            }
        }
    }
}
