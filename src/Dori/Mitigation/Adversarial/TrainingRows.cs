using Dori.Diffusion;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>
/// One batch of the outer step, ordinary pairs and adversarial ones alike: the loss is the sum of factor times |target - prediction|^2, the
/// square averaged over a row's elements. With factors 1 / pairs and weight / draws that is L_DM + weight L_Adv (method.md section 7).
/// </summary>
/// <param name="Latents">z0: (N, 4, h, w), the ordinary picture's or the surrogate's</param>
/// <param name="Noise">eps: (N, 4, h, w)</param>
/// <param name="Timesteps">(N), int64</param>
/// <param name="Y">(N, tokens, width)</param>
/// <param name="Factors">(N)</param>
internal sealed record TrainingRows(Tensor Latents, Tensor Noise, Tensor Timesteps, Conditioning Y, Tensor Factors)
{
    /// <summary>
    /// Least size of a caption's difference, as a share of the mean one, that a shortfall is measured against; between time steps it varies
    /// by a factor of 20.
    /// </summary>
    private const double LeastSignal = 0.01;

    public int Count => (int)Latents.shape[0];

    /// <summary>What is to be predicted: (N, 4, h, w); null: the noise, or whatever the schedule's prediction type makes of it.</summary>
    public Tensor? Targets { get; init; }

    /// <summary>
    /// The first rows are so many twos: a picture with its caption, and the same with the empty prompt, noise and time step alike.
    /// </summary>
    public int Twos { get; init; }

    /// <summary>
    /// Factor of |difference between the errors of a two's rows|^2, averaged over elements, in the loss. A guided prediction is the
    /// caption's plus (guidance - 1) times what tells it from the empty prompt's: an error that both share counts once there, what differs
    /// is multiplied.
    /// </summary>
    public double GuidanceWeight { get; init; }

    /// <summary>Factor of <see cref="Shortfall"/> squared in the loss, taken over the twos of a piece together.</summary>
    public double ShortfallWeight { get; init; }

    /// <summary>Some of the rows, in the order given.</summary>
    public TrainingRows Select(long[] rows)
    {
        Tensor index = tensor(rows).to(Latents.device);
        return new TrainingRows(Latents.index_select(0, index), Noise.index_select(0, index), Timesteps.index_select(0, index),
            Y.Rows(rows), Factors.index_select(0, index))
        {
            Targets = Targets?.index_select(0, index),
        };
    }

    /// <returns>
    /// |target - prediction|^2 of rows from .. from + count - 1, averaged over elements: (count), with a graph to the weights
    /// </returns>
    public Tensor Losses(DiffusionModel model, long from, long count)
    {
        using var scope = NewDisposeScope();
        return Errors(model, from, count).Squared().mean([1L, 2L, 3L]).MoveToOuterDisposeScope();
    }

    /// <returns>target - prediction: (count, 4, h, w), with a graph to the weights</returns>
    private Tensor Errors(DiffusionModel model, long from, long count)
    {
        using var scope = NewDisposeScope();
        Tensor target = Targets?.narrow(0, from, count)
            ?? model.Schedule.Target(Latents.narrow(0, from, count), Noise.narrow(0, from, count), Timesteps.narrow(0, from, count));
        return target.Plus(Predict(model, from, count), -1).MoveToOuterDisposeScope();
    }

    /// <returns>What a model predicts for rows from .. from + count - 1: (count, 4, h, w)</returns>
    public Tensor Predict(DiffusionModel model, long from, long count)
    {
        using var scope = NewDisposeScope();
        Tensor t = Timesteps.narrow(0, from, count),
            noisy = model.Schedule.AddNoise(Latents.narrow(0, from, count), Noise.narrow(0, from, count), t);
        return model.Predict(noisy, t, Y.Narrow(from, count)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The mean share of the teacher's guidance that a model lacks: 0 where the two are as strong, 0.2 where a fifth is lost. What is
    /// learned in part comes out too small, for that is what least squares ask (the error is least where the half-known is held back), and
    /// guidance multiplies what is left.
    /// </summary>
    /// <param name="missing">By how much the model's caption-less-empty differences fall short of the teacher's: (N, 4, h, w)</param>
    /// <param name="signal">The teacher's: (N, 4, h, w)</param>
    /// <returns>A scalar.</returns>
    internal static Tensor Shortfall(Tensor missing, Tensor signal)
    {
        using var scope = NewDisposeScope();
        Tensor size = signal.Squared().mean([1L, 2L, 3L]); // (N)
        Tensor least = size.mean().Times(LeastSignal).AtLeast(1e-20); // a caption that says as good as nothing must not decide
        return ((missing * signal).mean([1L, 2L, 3L]) / size.maximum(least)).mean().MoveToOuterDisposeScope();
    }

    /// <param name="twos">(2 N, ...), the caption's and the empty prompt's in turn</param>
    /// <returns>The caption's less the empty prompt's: (N, ...)</returns>
    private static Tensor Difference(Tensor twos)
    {
        using var scope = NewDisposeScope();
        Tensor two = twos.unflatten(0, [twos.shape[0] / 2, 2]);
        return two.select(1, 0).Plus(two.select(1, 1), -1).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The loss's gradient, piece by piece: pieces may be computed at the same time and are added in their order, so that the sum depends
    /// on the size of a piece and not on the number of threads.
    /// </summary>
    /// <param name="weights">What is trained; each must ask for gradients.</param>
    /// <param name="microBatch">Rows of a piece; even where there are twos.</param>
    /// <returns>
    /// One gradient a weight, of its shape; every row's loss without its factor and without what twos add; <see cref="Shortfall"/> of all
    /// twos, NaN where there are none or no targets.
    /// </returns>
    public (IReadOnlyList<Tensor> Gradients, float[] RowLosses, double Shortfall) Gradient(DiffusionModel model,
        IReadOnlyList<Tensor> weights, int microBatch, Workers workers,
        CancellationToken cancellation = default)
    {
        int pieces = (Count + microBatch - 1) / microBatch;
        var losses = new float[Count];
        var shortfalls = new double[pieces];
        Tensor[]? sum = null;
        try
        {
            workers.Run(pieces, Compute, Add, cancellation);
        }
        catch
        {
            foreach (Tensor gradient in sum ?? []) gradient.Dispose();
            throw;
        }
        return (sum!, losses, Twos > 0 && Targets is not null ? shortfalls.Sum() / Twos : double.NaN);

        Tensor[] Compute(int piece)
        {
            using var scope = NewDisposeScope();
            int from = piece * microBatch, count = Math.Min(microBatch, Count - from);
            Tensor errors = Errors(model, from, count), factors = Factors.narrow(0, from, count);
            Tensor rows = errors.Squared().mean([1L, 2L, 3L]); // (count)
            Tensor loss = (rows * factors).sum();
            int twos = Math.Clamp(Twos - from / 2, 0, count / 2);
            if (twos > 0)
            {
                Tensor missing = Difference(errors.narrow(0, 0, 2 * twos)), shares = factors.narrow(0, 0, 2 * twos).unflatten(0, [twos, 2]);
                loss = loss.Plus((missing.Squared().mean([1L, 2L, 3L]) * shares.select(1, 0)).sum(), GuidanceWeight);
                if (Targets is not null)
                {
                    Tensor shortfall = Shortfall(missing, Difference(Targets.narrow(0, from, 2 * twos)));
                    if (ShortfallWeight > 0) loss = loss.Plus(shortfall.Squared() * shares.sum(), ShortfallWeight);
                    shortfalls[piece] = twos * shortfall.detach().cpu().data<float>()[0];
                }
            }
            IList<Tensor> gradients = autograd.grad([loss], [.. weights]);
            rows.detach().cpu().data<float>().CopyTo(losses, from);
            return [.. gradients.Select(gradient => gradient.DetachFromDisposeScope())];
        }

        void Add(Tensor[] gradients)
        {
            using var noGrad = no_grad();
            if (sum is null)
            {
                sum = gradients;
                return;
            }
            for (int i = 0; i < sum.Length; i++)
            {
                sum[i].Add_(gradients[i]);
                gradients[i].Dispose();
            }
        }
    }
}
