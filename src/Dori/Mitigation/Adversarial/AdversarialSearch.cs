using Dori.Diffusion;
using Dori.Pictures;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>The inner loop: DoRI against the weights as they are, from starts drawn anew, with noise that no other search sees.</summary>
internal static class AdversarialSearch
{
    private const int LossWindow = 10;

    /// <summary>
    /// The pictures of a renewal: the next of an order that is shuffled anew in every pass. Where pictures are generated from what is
    /// found, that is half of them, and the other half are those of which most was found last: pictures are not all as hard to forget.
    /// </summary>
    /// <param name="found">The last finds for every picture searched for so far.</param>
    /// <returns>Indices, one a search.</returns>
    public static IReadOnlyList<int> Pictures(AdversarialOptions options, int pictures, int round, RandomSource random,
        IReadOnlyList<FoundEmbeddings> found)
    {
        int batch = options.BatchOf(pictures), hardest = options.SearchGenerations > 0 ? batch / 2 : 0, next = batch - hardest;
        var orders = new Dictionary<long, int[]>();
        int[] inTurn = [.. Enumerable.Range(0, next).Select(i => At((long)round * next + i))];
        int[] order = orders[(long)round * next / pictures];
        IEnumerable<int> hard = Enumerable.Range(0, pictures).Except(inTurn).OrderBy(picture =>
            found.Any(f => f.Picture == picture && f.Round == round - 1))
            .ThenByDescending(Similarity).ThenByDescending(picture => Array.IndexOf(order, picture)).Take(hardest);
        return [.. inTurn.Concat(hard).SelectMany(picture => Enumerable.Repeat(picture, options.SearchesPerPicture))];

        int At(long place)
        {
            long epoch = place / pictures;
            if (!orders.TryGetValue(epoch, out int[]? shuffled)) orders[epoch] = shuffled = Shuffled(pictures,
                random.Derive("order", epoch));
            return shuffled[place % pictures];
        }

        float Similarity(int picture) =>
            found.Where(f => f.Picture == picture).Select(f => f.Similarity).DefaultIfEmpty(float.PositiveInfinity).Max();
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

    /// <summary>Searches anew for the next batch of pictures.</summary>
    /// <param name="found">The last finds for every picture searched for so far.</param>
    /// <inheritdoc cref="Run"/>
    public static IReadOnlyList<FoundEmbeddings> Renew(AdversarialInputs inputs, IReadOnlyList<FoundEmbeddings> found, int round,
        CancellationToken cancellation)
    {
        IReadOnlyList<int> pictures = Pictures(inputs.Options, inputs.Pictures.Count, round, inputs.Random, found);
        RandomSource random = inputs.Random.Derive("round", round);
        var renewed = new List<FoundEmbeddings>();
        try
        {
            inputs.Workers.Run(pictures.Count, slot =>
                Run(inputs, pictures[slot], round, slot, random.Derive("search", slot), cancellation),
                renewed.Add, cancellation);
            return renewed;
        }
        catch
        {
            foreach (FoundEmbeddings embeddings in renewed) embeddings.Y.Dispose();
            throw;
        }
    }

    /// <summary>One search, and pictures of what it found where asked. The model's weights must not ask for gradients.</summary>
    /// <param name="index">Of the picture.</param>
    /// <param name="random">Of this search alone.</param>
    public static FoundEmbeddings Run(AdversarialInputs inputs, int index, int round, int slot, RandomSource random,
        CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        (DiffusionModel model, AdversarialOptions options, MemorizedPicture picture) = (inputs.Model, inputs.Options,
            inputs.Pictures[index]);
        var search = new SearchOptions
        {
            Steps = options.SearchSteps,
            Batch = options.SearchBatch,
            MicroBatch = Math.Min(options.MicroBatch, options.SearchBatch),
            LearningRate = options.SearchLearningRate,
            SnapshotSteps = options.KeptSteps,
        };
        Conditioning start = Start(model, picture, inputs.Ordinary.Captions, random.Derive("start"));
        using SearchResult result = new DoriSearch(search).Run(model, picture.Latents, start, random, cancellation: cancellation);
        var y = Conditioning.Cat([.. result.Snapshots.Select(snapshot => snapshot.Y)]); // S rows
        float similarity = options.SearchGenerations == 0 ? float.NaN
            : picture.BestSimilarity(model, inputs.Detector, result.Snapshots[^1].Y,
            model.EmbedNothing(), Generation.Noise(model, random.Derive("generations"), options.SearchGenerations), cancellation);
        return new FoundEmbeddings(round, slot, index, y.DetachFromDisposeScope(), result.Losses.TakeLast(LossWindow).Average(),
            similarity);
    }

    /// <summary>The picture's caption, N(0, I) or another caption, each as likely.</summary>
    private static Conditioning Start(DiffusionModel model, MemorizedPicture picture, IReadOnlyList<string> captions,
        RandomSource random) =>
        random.Next(3) switch
        {
            0 => picture.Y,
            1 => model.RandomConditioning(random),
            _ => model.Embed(captions[random.Next(captions.Count)]),
        };
}
