using System.Globalization;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// The hand: can the model draw? It denoises, it brings half-noised pictures back, and what it draws from noise is neither noise, nor
/// flat, nor one picture for all captions.
/// </summary>
internal sealed class ControlHand(DiffusionModel model, ICopyDetector detector, AuditOptions options, ControlSample sample)
{
    private static readonly RandomSource s_random = RandomSource.For("positive control");
    /// <summary>
    /// Share of signal in the latents that are brought back, alpha_t: half, and so little that only large shapes are left.
    /// </summary>
    private static readonly double[] s_signal = [0.5, 0.15];
    private const int RestoreSteps = 6, Restored = 6, Drawn = 8, DrawSteps = 8;

    /// <summary>Those taken so far, for the ear.</summary>
    public IReadOnlyList<ControlLosses> Losses { get; private set; } = [];

    /// <summary>
    /// The loss at time steps from little to much noise, over what a line through the noisy latent's values reaches: 1 is a network that
    /// knows nothing of pictures.
    /// </summary>
    public IEnumerable<ControlFigure> Denoise()
    {
        foreach ((double share, double limit) in ControlLimits.Loss)
        {
            double most = Math.Round(limit * ControlLimits.OfFew(sample.Items.Count) * (sample.Held ? ControlLimits.HeldLoss : 1), 3);
            Tensor noise = s_random.Derive("noise", Losses.Count).Normal(sample.Latents.shape);
            ControlLosses at = ControlLosses.Take(model, sample, share, noise);
            Losses = [.. Losses, at];
            string where = string.Create(CultureInfo.InvariantCulture, $"at {100 * share:0} % of the time steps, over the best line's");
            yield return Figure($"denoising loss with caption {where}", at.Own.Average() / at.Linear, atMost: most);
            if (sample.Held) continue; // without its captions an overtrained model knows nothing
            yield return Figure($"denoising loss without caption {where}", at.Null.Average() / at.Linear, atMost: most);
        }
    }

    /// <summary>
    /// Pictures' latents are noised and denoised along DDIM's path; what comes back is compared with them as numbers and as pictures.
    /// </summary>
    public IEnumerable<ControlFigure> Restore()
    {
        for (int i = 0; i < s_signal.Length; i++)
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(Restored, sample.Items.Count);
            Tensor z0 = sample.Latents.narrow(0, 0, count);
            Tensor back = Restore(z0, s_signal[i], s_random.Derive("restore", i).Normal(z0.shape));
            double lost = ((back - z0).Squared().mean() / z0.var()).item<float>();
            string where = string.Create(CultureInfo.InvariantCulture, $"brought back from {100 * (1 - s_signal[i]):0} % noise");
            yield return Figure($"share of variance that is lost in pictures {where}", lost,
                atMost: sample.Held ? ControlLimits.HeldLost : ControlLimits.Lost[i]);
            yield return Figure($"median similarity to themselves of pictures {where}", ToThemselves(model.Decode(back)),
                atLeast: sample.Held ? ControlLimits.HeldRestored : ControlLimits.Restored[i]);
        }
    }

    /// <param name="noise">As z0.</param>
    /// <returns>z0 as the model denoises it: (N, 4, h, w)</returns>
    private Tensor Restore(Tensor z0, double signal, Tensor noise)
    {
        NoiseSchedule schedule = model.Schedule;
        int from = Enumerable.Range(0, schedule.NumTrainTimesteps).MinBy(t => Math.Abs(schedule.AlphasCumprod[t] - signal));
        Conditioning captions = sample.Own.Narrow(0, z0.shape[0]);
        Tensor z = schedule.AddNoise(z0, noise.to(model.Device), At(RestoreSteps));
        for (int left = RestoreSteps; left > 0; left--)
        {
            Tensor t = At(left), prediction = sample.Predict(z, t, captions), clean = schedule.OriginalFromPrediction(prediction, z, t);
            z = left == 1 ? clean : schedule.AddNoise(clean, schedule.EpsilonFromPrediction(prediction, z, t), At(left - 1));
        }
        return z;

        Tensor At(int left) => full([z0.shape[0]], TensorMath.Kept((long)from * left / RestoreSteps), int64).to(model.Device);
    }

    private double ToThemselves(Tensor pictures)
    {
        if (!pictures.isfinite().all().item<bool>()) return double.NaN;
        Tensor originals = detector.Describe(sample.Pictures.narrow(0, 0, pictures.shape[0]));
        Tensor own = Similarity.Matrix(detector.Describe(pictures), originals).diagonal().cpu().contiguous();
        return Statistics.Median(own.data<float>().ToArray().Select(similarity => (double)similarity));
    }

    /// <summary>A picture for each of several captions, as the audit draws them but in fewer steps.</summary>
    public IEnumerable<ControlFigure> Draw()
    {
        using var scope = NewDisposeScope();
        int count = Math.Min(Drawn, sample.Items.Count);
        Tensor latents = Drawing(count), own = sample.Pictures.narrow(0, 0, count);
        yield return Figure("deviation of drawn latents over that of the pictures'",
            (latents.std() / sample.Latents.std()).item<float>(), ControlLimits.DrawnDeviation.Least,
            sample.Held ? ControlLimits.HeldDeviation : ControlLimits.DrawnDeviation.Most);
        Tensor pictures = model.Decode(latents);
        bool finite = pictures.isfinite().all().item<bool>();
        yield return Figure("contrast of drawn pictures over that of the set's",
            finite ? Contrast(pictures) / Contrast(own) : double.NaN, atLeast: ControlLimits.Contrast);
        yield return Figure("roughness of drawn pictures over that of the set's",
            finite ? Roughness(pictures) / Math.Max(Roughness(own), ControlLimits.SmoothSet) : double.NaN, atMost: ControlLimits.Roughness);
        if (sample.Captions < 2) yield break;
        double alike = Similarity.Diversity(detector.Describe(own)); // pictures of one subject are alike by themselves
        yield return Figure("median similarity among pictures drawn for different captions",
            finite ? Similarity.Diversity(detector.Describe(pictures)) : double.NaN,
            atMost: Math.Round(ControlLimits.Alike + Math.Max(0, alike), 3));
    }

    private static ControlFigure Figure(string name, double value, double? atLeast = null, double? atMost = null) =>
        ControlFigure.Of(PositiveControl.Hand, name, value, atLeast, atMost);

    private Tensor Drawing(int count)
    {
        GenerationOptions drawing = options.GenerationWith(model) with
        {
            Steps = Math.Min(DrawSteps, model.Schedule.NumTrainTimesteps - 1), Batch = 1,
        };
        Tensor noise = Generation.Noise(model, s_random.Derive("generations"), count);
        sample.Count(count * drawing.Steps * (drawing.Guidance > 1 ? 2 : 1));
        return cat([.. Enumerable.Range(0, count).Select(k =>
            Generation.Latents(model, sample.Own.Narrow(k, 1), sample.Null, noise.narrow(0, k, 1), drawing))], 0);
    }

    /// <summary>Mean over pictures of the deviation within one.</summary>
    private static double Contrast(Tensor pictures) => pictures.std([1L, 2, 3]).mean().item<float>();

    /// <summary>Mean square of the difference between neighbouring pixels.</summary>
    private static double Roughness(Tensor pictures) =>
        (pictures.narrow(3, 1, pictures.shape[3] - 1) - pictures.narrow(3, 0, pictures.shape[3] - 1)).Squared().mean().item<float>();
}
