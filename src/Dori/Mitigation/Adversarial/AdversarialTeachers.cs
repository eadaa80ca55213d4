using Dori.Diffusion;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>
/// Who says what is to be predicted, beside the noise: for ordinary pairs the original model, for a picture's surrogates the original model
/// as Wanda pruned it for that picture's caption, asked by that caption. Their predictions are what the noise is on average for pictures
/// that they draw themselves; trained on the noise of a few surrogates over and over, a model learns those by heart, and the rest of what
/// it draws suffers.
/// </summary>
internal sealed class AdversarialTeachers : IDisposable
{
    private readonly DiffusionModel _original, _pruned;
    private readonly IReadOnlyList<MemorizedPicture> _pictures;
    private readonly IReadOnlyList<SurrogateSet> _surrogates;

    /// <param name="model">As it is before training; copied.</param>
    /// <param name="pictures">Not owned.</param>
    /// <param name="surrogates">Of each picture, for what Wanda marked; not owned.</param>
    public AdversarialTeachers(DiffusionModel model, IReadOnlyList<MemorizedPicture> pictures, IReadOnlyList<SurrogateSet> surrogates)
    {
        (_pictures, _surrogates) = (pictures, surrogates);
        _original = model.WithUNetCopy();
        var pruned = surrogates.SelectMany(set => set.Mask.Layers).Select(layer => layer.Layer + ".weight").ToHashSet();
        _pruned = _original.WithUNetCopy(pruned.Contains);
    }

    /// <summary>
    /// The same rows with a target between their own and their teacher's prediction. The gradient is that of the two losses by their
    /// shares, for |target - prediction|^2 is quadratic in the prediction.
    /// </summary>
    /// <param name="rows">Ordinary pairs first.</param>
    /// <param name="surrogateOf">The picture of each of the last rows, those of surrogates.</param>
    /// <param name="share">The teacher's: 0 to 1.</param>
    /// <param name="piece">Ordinary rows that go through the teacher at once.</param>
    public TrainingRows Teach(TrainingRows rows, IReadOnlyList<int> surrogateOf, double share, int piece, Workers workers,
        CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        int ordinary = rows.Count - surrogateOf.Count, pieces = (ordinary + piece - 1) / piece;
        var predictions = new List<Tensor>();
        // The last piece is that of the surrogates' rows, all of them: they share a network whose mask changes.
        workers.Run(pieces + 1, i =>
            NoGrad(() => i == pieces ? Surrogates() : rows.Predict(_original, i * piece, Math.Min(piece, ordinary - i * piece))),
            predictions.Add, cancellation);
        Tensor taught = cat([.. predictions], 0);
        foreach (Tensor prediction in predictions) prediction.Dispose();
        Tensor noise = _original.Schedule.Target(rows.Latents, rows.Noise, rows.Timesteps);
        return rows with { Targets = noise.Times(1 - share).Plus(taught, share).MoveToOuterDisposeScope() };

        Tensor Surrogates()
        {
            using var inner = NewDisposeScope();
            Tensor taught = empty_like(rows.Latents.narrow(0, ordinary, surrogateOf.Count));
            foreach (IGrouping<int, int> group in Enumerable.Range(0, surrogateOf.Count).GroupBy(row => surrogateOf[row]))
            {
                cancellation.ThrowIfCancellationRequested();
                using IDisposable masked = _surrogates[group.Key].Mask.PruneForNow(_pruned.UNet);
                TrainingRows asked = rows.Select([.. group.Select(row => (long)(ordinary + row))]);
                Tensor predicted = (asked with { Y = _pictures[group.Key].Y.Expand(asked.Count) }).Predict(_pruned, 0, asked.Count);
                taught.index_copy_(0, tensor([.. group.Select(row => (long)row)]).to(taught.device), predicted);
            }
            return taught.MoveToOuterDisposeScope();
        }

        static Tensor NoGrad(Func<Tensor> predict)
        {
            using var noGrad = no_grad(); // per thread
            return predict().DetachFromDisposeScope();
        }
    }

    public void Dispose()
    {
        _pruned.Dispose();
        _original.Dispose();
    }
}
