using Dori.Diffusion;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>Prompt and search for a few pictures against the weights as they are.</summary>
internal static class HeldOutAudit
{
    private const int Ways = 3;

    /// <param name="random">Of nothing but checks: training never draws from it.</param>
    public static HeldOutCheck Run(AdversarialInputs inputs, int step, RandomSource random, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        (DiffusionModel model, HeldOutOptions options) = (inputs.Model, inputs.Options.HeldOut);
        Conditioning yNull = model.EmbedNothing();
        int count = Math.Min(options.Pictures, inputs.Pictures.Count);
        var best = new List<float>();
        inputs.Workers.Run(count * Ways, Best, best.Add, cancellation);
        return new HeldOutCheck(step, Of(0), Of(1), Of(2));

        float[] Of(int way) => [.. Enumerable.Range(0, count).Select(picture => best[picture * Ways + way])];

        float Best(int piece)
        {
            using var inner = NewDisposeScope();
            MemorizedPicture picture = inputs.Pictures[piece / Ways];
            RandomSource own = random.Derive("step", step).Derive("piece", piece);
            Conditioning y = (piece % Ways) switch
            {
                0 => picture.Y,
                1 => Searched(picture.Y, own),
                _ => Searched(model.RandomConditioning(own.Derive("start")), own),
            };
            return picture.BestSimilarity(model, inputs.Detector, y, yNull, Generation.Noise(model, own, options.Generations),
                cancellation);

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
                using SearchResult result =
                    new DoriSearch(search).Run(model, picture.Latents, start, source.Derive("search"), cancellation: cancellation);
                return result.Snapshots[0].Y.Alias();
            }
        }
    }
}
