using Dori.Diffusion;
using Dori.Measures;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>What an inner search found: adversarial conditions for one picture.</summary>
/// <param name="Round">Which renewal of the searches, from 0.</param>
/// <param name="Slot">Which search of the renewal, from 0.</param>
/// <param name="Picture">Index of the picture.</param>
/// <param name="Y">y after each kept number of steps, ascending: S rows; owned by the holder</param>
/// <param name="Loss">The search's mean loss over its last ten steps.</param>
/// <param name="Similarity">The best of the pictures generated from the last y, or what <see cref="After"/> keeps of earlier ones; NaN where none are.</param>
internal sealed record FoundEmbeddings(int Round, int Slot, int Picture, Conditioning Y, float Loss, float Similarity)
{
    private const float Kept = 0.8f;

    /// <summary>
    /// Weight of its rows in L_Adv: 1 at the threshold, falling and rising with the square of what is found, though not below a least one; 1 where no
    /// pictures are generated.
    /// </summary>
    /// <param name="threshold">Similarity above which a generation is a copy.</param>
    /// <param name="least">0 to 1</param>
    public double Weight(double threshold, double least) => float.IsNaN(Similarity) ? 1 : Math.Max(least, Math.Pow(Math.Max(Similarity, 0) / threshold, 2));

    /// <summary>The same after earlier finds for the picture: one search may miss, so what was found before counts on, less each time.</summary>
    public FoundEmbeddings After(IEnumerable<FoundEmbeddings> earlier) =>
        this with { Similarity = earlier.Where(find => find.Picture == Picture).Select(find => Kept * find.Similarity).Append(Similarity).Max() };
}

/// <summary>The inner loop: DoRI against the weights as they are, from starts drawn anew, with noise that no other search sees.</summary>
internal static class AdversarialFineTuningSearch
{
    private const int LossWindow = 10;

    /// <summary>
    /// The pictures of a renewal: the next of an order that is shuffled anew in every pass. Where pictures are generated from what is found, that is half of
    /// them, and the other half are those of which most was found last: pictures are not all as hard to forget.
    /// </summary>
    /// <param name="found">The last finds for every picture searched for so far.</param>
    /// <returns>Indices, one a search.</returns>
    public static IReadOnlyList<int> Pictures(AdversarialFineTuningOptions options, int pictures, int round, RandomSource random, IReadOnlyList<FoundEmbeddings> found)
    {
        int batch = options.BatchOf(pictures), hardest = options.SearchGenerations > 0 ? batch / 2 : 0, next = batch - hardest;
        var orders = new Dictionary<long, int[]>();
        int[] inTurn = [.. Enumerable.Range(0, next).Select(i => At((long)round * next + i))];
        int[] order = orders[(long)round * next / pictures];
        IEnumerable<int> hard = Enumerable.Range(0, pictures).Except(inTurn).OrderBy(picture => found.Any(f => f.Picture == picture && f.Round == round - 1))
            .ThenByDescending(Similarity).ThenByDescending(picture => Array.IndexOf(order, picture)).Take(hardest);
        return [.. inTurn.Concat(hard).SelectMany(picture => Enumerable.Repeat(picture, options.SearchesPerPicture))];

        int At(long place)
        {
            long epoch = place / pictures;
            if (!orders.TryGetValue(epoch, out int[]? shuffled)) orders[epoch] = shuffled = Shuffled(pictures, random.Derive("order", epoch));
            return shuffled[place % pictures];
        }

        float Similarity(int picture) => found.Where(f => f.Picture == picture).Select(f => f.Similarity).DefaultIfEmpty(float.PositiveInfinity).Max();
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

    /// <summary>One search, and pictures of what it found where asked. The model's weights must not ask for gradients.</summary>
    /// <param name="captions">Other captions to start from.</param>
    /// <param name="random">Of this search alone.</param>
    public static FoundEmbeddings Run(DiffusionModel model, ICopyDetector detector, MemorizedPicture picture, int index, IReadOnlyList<string> captions, AdversarialFineTuningOptions options,
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
        using SearchResult result = new DoriSearch(search).Run(model, picture.Latents, Start(model, picture, captions, random.Derive("start")), random, cancellation: cancellation);
        Conditioning y = Conditioning.Cat([.. result.Snapshots.Select(snapshot => snapshot.Y)]); // S rows
        float similarity = options.SearchGenerations == 0 ? float.NaN : picture.BestSimilarity(model, detector, result.Snapshots[^1].Y, model.Embed(""),
            Generation.Noise(model, random.Derive("generations"), options.SearchGenerations), cancellation);
        return new FoundEmbeddings(round, slot, index, y.DetachFromDisposeScope(), result.Losses.TakeLast(LossWindow).Average(), similarity);
    }

    /// <summary>The picture's caption, N(0, I) or another caption, each as likely.</summary>
    private static Conditioning Start(DiffusionModel model, MemorizedPicture picture, IReadOnlyList<string> captions, RandomSource random) => random.Next(3) switch
    {
        0 => picture.Y,
        1 => model.RandomConditioning(random),
        _ => model.Embed(captions[random.Next(captions.Count)]),
    };
}
