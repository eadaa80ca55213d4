using Dori.Diffusion;
using Dori.Native;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>How well a model denoises one item, told its caption: half of a likelihood gain (method.md, "Evidence").</summary>
internal sealed record LikelihoodRecord
{
    public const string Current = "dori.likelihood/1";

    public string Schema { get; init; } = Current;
    /// <summary>SHA-256 over all that decides it: see <see cref="UnitKey"/>.</summary>
    public required string Key { get; init; }
    public required string Item { get; init; }
    /// <summary>Mean, mean square and a projection of the item's latents: only models with one VAE can be compared.</summary>
    public required IReadOnlyList<double> Latents { get; init; }
    /// <summary>|eps - eps(z, c)|^2 of every draw, summed over elements; the same eps and log SNR for every model.</summary>
    public required IReadOnlyList<double> Errors { get; init; }
}

/// <param name="Bits">log2 p(x | c) of the audited model less that of the reference.</param>
/// <param name="StandardError">Over the draws; stratification makes it smaller than it says.</param>
internal sealed record LikelihoodGain(double Bits, double StandardError)
{
    /// <returns>Null where the two are not of one picture in one latent space.</returns>
    public static LikelihoodGain? Of(LikelihoodRecord model, LikelihoodRecord reference)
    {
        const double rounding = 1e-4; // of other processors
        if (model.Errors.Count != reference.Errors.Count || model.Latents.Count != reference.Latents.Count) return null;
        if (model.Latents.Zip(reference.Latents).Any(pair => Math.Abs(pair.First - pair.Second) > rounding * (1 + Math.Abs(pair.First))))
            return null;
        double[] differences = [.. reference.Errors.Zip(model.Errors, (r, t) => r - t)];
        double mean = differences.Average(), n = differences.Length;
        double deviation = Math.Sqrt(differences.Sum(d => (d - mean) * (d - mean)) / (n - 1));
        // 1 / (2 ln 2) times the integral over log SNR, which is the range's length times the stratified mean
        const double scale = (Likelihood.Highest - Likelihood.Lowest) / (2 * Ln2);
        return new LikelihoodGain(scale * mean, scale * deviation / Math.Sqrt(n));
    }

    private const double Ln2 = 0.693147180559945309;
}

/// <summary>Takes the denoising errors: without any search, 64 passes through the UNet an item.</summary>
internal sealed class Likelihood(DiffusionModel model, Manifest manifest)
{
    /// <summary>Range of the log of the signal-to-noise ratio: outside of it there is next to nothing to tell.</summary>
    public const double Lowest = -4, Highest = 2;
    public const int Draws = 64;

    /// <summary>One log SNR a stratum, and noise: nothing of them depends on the model.</summary>
    private static (double[] LogSnr, Tensor Noise) DrawsOf(PictureItem item, long seed, long[] shape)
    {
        RandomSource random = RandomSource.For("likelihood", item.Id, seed.ToString());
        double[] logSnr =
            [.. Enumerable.Range(0, Draws).Select(k => Lowest + (Highest - Lowest) * (k + random.NextDouble()) / Draws)];
        return (logSnr, random.Normal([Draws, .. shape]));
    }

    /// <exception cref="DoriException">A picture that cannot be read.</exception>
    public LikelihoodRecord Of(PictureItem item, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor latents = model.Encode(item.Originals(model.PictureSize)); // (R, 4, h, w)
        (double[] logSnr, Tensor noise) = DrawsOf(item, manifest.Options.Seed, model.LatentShape);
        return new LikelihoodRecord
        {
            Key = UnitKey.OfLikelihood(manifest, item),
            Item = item.Id,
            Latents = Fingerprint(latents.cpu().to(float64), noise.to(float64)),
            Errors = Errors(latents, model.Embed(item.Caption), logSnr, noise, cancellation),
        };
    }

    private static double[] Fingerprint(Tensor latents, Tensor noise) =>
        [latents.mean().item<double>(), latents.Squared().mean().item<double>(), (latents[0] * noise[0]).mean().item<double>()];

    /// <param name="latents">(R, 4, h, w): draw k is of the reference k mod R</param>
    internal double[] Errors(Tensor latents, Conditioning y, double[] logSnr, Tensor noise, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        int size = manifest.Options.MicroBatch;
        var errors = new List<double>(logSnr.Length);
        for (int at = 0; at < logSnr.Length; at += size)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            double[] some = logSnr[at..Math.Min(at + size, logSnr.Length)];
            Tensor signal = Column(some.Select(l => Math.Sqrt(1 / (1 + Math.Exp(-l))))),
                sigma = Column(some.Select(l => Math.Sqrt(1 / (1 + Math.Exp(l)))));
            Tensor which = tensor([.. Enumerable.Range(at, some.Length).Select(k => k % latents.shape[0])], int64).to(model.Device);
            Tensor eps = noise.narrow(0, at, some.Length).to(model.Device);
            Tensor noisy = (signal * latents.index_select(0, which)).Plus(sigma * eps);
            Tensor output = model.Predict(noisy, tensor([.. some.Select(TimestepOf)], int64), y);
            Tensor found = model.Schedule.Prediction == PredictionType.Velocity ? (signal * output).Plus(sigma * noisy) : output;
            errors.AddRange((eps - found).to(float64).Squared().sum([1, 2, 3]).cpu().data<double>().ToArray());
        }
        return [.. errors];

        Tensor Column(IEnumerable<double> values) =>
            tensor([.. values.Select(value => (float)value)], float32).reshape(-1, 1, 1, 1).to(model.Device);
    }

    /// <summary>The training time step whose signal-to-noise ratio is nearest.</summary>
    internal long TimestepOf(double logSnr) => Enumerable.Range(0, model.Schedule.NumTrainTimesteps).MinBy(t =>
    {
        double alpha = model.Schedule.AlphasCumprod[t];
        return alpha <= 0 ? double.MaxValue : Math.Abs(Math.Log(alpha / (1 - alpha)) - logSnr);
    });
}
