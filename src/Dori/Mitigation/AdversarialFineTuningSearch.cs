using Dori.Diffusion;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>What an inner search found: adversarial conditions for one picture.</summary>
/// <param name="Round">Which renewal of the searches, from 0.</param>
/// <param name="Slot">Which search of the renewal, from 0.</param>
/// <param name="Picture">Index of the picture.</param>
/// <param name="Y">y after each kept number of steps, ascending: (S, tokens, width); owned by the holder</param>
/// <param name="Loss">The search's mean loss over its last ten steps.</param>
internal sealed record FoundEmbeddings(int Round, int Slot, int Picture, Tensor Y, float Loss);

/// <summary>The inner loop: DoRI against the weights as they are, from starts drawn anew, with noise that no other search sees.</summary>
internal static class AdversarialFineTuningSearch
{
    private const int LossWindow = 10;

    /// <summary>The pictures of a renewal: the next of an order that is shuffled anew in every pass.</summary>
    /// <returns>Indices, one a search.</returns>
    public static IReadOnlyList<int> Pictures(AdversarialFineTuningOptions options, int pictures, int round, RandomSource random)
    {
        int batch = options.BatchOf(pictures);
        var orders = new Dictionary<long, int[]>();
        return [.. Enumerable.Range(0, batch * options.SearchesPerPicture).Select(slot => At((long)round * batch + slot / options.SearchesPerPicture))];

        int At(long place)
        {
            long epoch = place / pictures;
            if (!orders.TryGetValue(epoch, out int[]? order)) orders[epoch] = order = Shuffled(pictures, random.Derive("order", epoch));
            return order[place % pictures];
        }
    }

    private static int[] Shuffled(int count, RandomSource random)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        for (int i = count - 1; i > 0; i--)
        {
            int j = random.Next(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    /// <summary>One search. The model's weights must not ask for gradients.</summary>
    /// <param name="captions">Other captions to start from.</param>
    /// <param name="random">Of this search alone.</param>
    public static FoundEmbeddings Run(DiffusionModel model, MemorizedPicture picture, int index, IReadOnlyList<string> captions, AdversarialFineTuningOptions options,
        int round, int slot, RandomSource random, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        var search = new SearchOptions
        {
            Steps = options.SearchSteps,
            Batch = options.SearchBatch,
            MicroBatch = Math.Min(options.MicroBatch, options.SearchBatch),
            LearningRate = options.SearchLearningRate,
            SnapshotSteps = options.KeptSteps,
        };
        using SearchResult result = DoriSearch.Run(model, picture.Latents, Start(model, picture, captions, random.Derive("start")), search, random, cancellation: cancellation);
        Tensor y = cat([.. result.Snapshots.Select(snapshot => snapshot.Y)], 0); // (S, tokens, width)
        return new FoundEmbeddings(round, slot, index, y.DetachFromDisposeScope(), result.Losses.TakeLast(LossWindow).Average());
    }

    /// <summary>The picture's caption, N(0, I) or another caption, each as likely.</summary>
    private static Tensor Start(DiffusionModel model, MemorizedPicture picture, IReadOnlyList<string> captions, RandomSource random) => random.Next(3) switch
    {
        0 => picture.Y,
        1 => random.Normal(model.EmbeddingShape),
        _ => model.Embed(captions[random.Next(captions.Count)]),
    };
}
