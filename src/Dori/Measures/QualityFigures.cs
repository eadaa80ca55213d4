using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>One set of captions as a model draws them: row i of everything belongs to caption i.</summary>
/// <param name="Features">(N, D) of the generated pictures.</param>
/// <param name="RealFeatures">(N, D) of the captions' own pictures.</param>
/// <param name="ClipScores">Of the generated pictures, N.</param>
/// <param name="RealClipScores">Of the captions' own pictures, N.</param>
/// <param name="Diversities">Median pairwise similarity among one caption's generations, for the captions that several pictures were drawn
/// of; may be empty.</param>
internal sealed record QualitySamples(Tensor Features, Tensor RealFeatures, IReadOnlyList<double> ClipScores,
    IReadOnlyList<double> RealClipScores, IReadOnlyList<double> Diversities);

/// <summary>Quality over one set of captions, with 95 % bootstrap intervals over captions.</summary>
public sealed record QualityFigures
{
    public required int Captions { get; init; }
    /// <summary>Frechet distance to the captions' own pictures. Biased upwards by few pictures: compare figures of as many only.</summary>
    public required Interval FrechetDistance { get; init; }
    /// <summary>Kernel distance (unbiased squared MMD) to the same.</summary>
    public required Interval KernelDistance { get; init; }
    /// <summary>Mean cosine of picture and caption.</summary>
    public required Interval ClipScore { get; init; }
    /// <summary>What the captions' own pictures reach.</summary>
    public required double RealClipScore { get; init; }
    /// <summary>Median over captions of the median pairwise similarity among a caption's generations (lower is more diverse); null where
    /// not measured.</summary>
    public required Interval? Diversity { get; init; }

    /// <param name="below">Uniform integer below its argument.</param>
    /// <param name="resamples">Bootstrap samples.</param>
    /// <exception cref="DoriException">Fewer than 2 captions.</exception>
    internal static QualityFigures Of(QualitySamples samples, Func<int, int> below, int resamples = 200)
    {
        using var scope = NewDisposeScope();
        int n = samples.ClipScores.Count;
        (Tensor features, Tensor real) = Rotated(samples.Features, samples.RealFeatures);
        return new QualityFigures
        {
            Captions = n,
            FrechetDistance = Bootstrap(n, rows => Frechet(features, real, rows), below, resamples),
            KernelDistance = Bootstrap(n, rows => Kernel(samples.Features, samples.RealFeatures, rows), below, resamples),
            ClipScore = Bootstrap(n, rows => Mean(samples.ClipScores, rows), below, resamples),
            RealClipScore = samples.RealClipScores.Average(),
            Diversity = samples.Diversities.Count == 0 ? null
                : Bootstrap(samples.Diversities.Count, rows => Statistics.Median(rows.Select(i => samples.Diversities[i])), below,
                    resamples),
        };
    }

    /// <summary>How a second model differs from a first over the same captions: second - first, resampled in pairs.</summary>
    /// <exception cref="ArgumentException">They are not of the same captions.</exception>
    internal static QualityDifference Difference(QualitySamples first, QualitySamples second, Func<int, int> below, int resamples = 200)
    {
        int n = first.ClipScores.Count;
        if (second.ClipScores.Count != n || second.Diversities.Count != first.Diversities.Count)
            throw new ArgumentException("Both need the same captions.", nameof(second));
        using var scope = NewDisposeScope();
        (Tensor a, Tensor realA) = Rotated(first.Features, first.RealFeatures);
        (Tensor b, Tensor realB) = Rotated(second.Features, second.RealFeatures);
        return new QualityDifference
        {
            FrechetDistance = Bootstrap(n, rows => Frechet(b, realB, rows) - Frechet(a, realA, rows), below, resamples),
            KernelDistance =
                Bootstrap(n, rows => Kernel(second.Features, second.RealFeatures, rows) - Kernel(first.Features, first.RealFeatures, rows),
                below, resamples),
            ClipScore = Statistics.PairedBootstrap(second.ClipScores, first.ClipScores, below),
            Diversity = first.Diversities.Count == 0 ? null : Statistics.PairedBootstrap(second.Diversities, first.Diversities, below),
        };
    }

    /// <summary>
    /// A statistic of all rows, and the 95 % interval of resampled ones moved to it. A resample holds pictures twice, which raises a
    /// distance of distributions by itself: plain percentiles would lie above the figure. So the resamples' spread is taken around their
    /// own mean.
    /// </summary>
    internal static Interval Bootstrap(int count, Func<int[], double> statistic, Func<int, int> below, int resamples)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 1);
        double value = statistic([.. Enumerable.Range(0, count)]);
        var draws = new double[resamples];
        var rows = new int[count];
        for (int r = 0; r < resamples; r++)
        {
            for (int i = 0; i < count; i++) rows[i] = below(count);
            draws[r] = statistic(rows);
        }
        double mean = draws.Average();
        (double low, double high) = Statistics.Percentiles(draws, 0.95);
        return new Interval(value, value + low - mean, value + high - mean);
    }

    /// <summary>Both in one orthonormal basis of their common span where that is smaller than D: a Frechet distance does not change, and
    /// 2048 values become some hundreds.</summary>
    private static (Tensor, Tensor) Rotated(Tensor a, Tensor b)
    {
        Tensor x = a.to(float64), y = b.to(float64);
        if (a.shape[0] + b.shape[0] >= a.shape[1]) return (x, y);
        (Tensor basis, Tensor _) = linalg.qr(cat([x, y], 0).t()); // (D, N + M)
        return (matmul(x, basis), matmul(y, basis));
    }

    private static double Frechet(Tensor a, Tensor b, int[] rows) => OnRows(a, b, rows, Measures.FrechetDistance.Between);

    private static double Kernel(Tensor a, Tensor b, int[] rows) => OnRows(a, b, rows, Measures.KernelDistance.Between);

    private static double OnRows(Tensor a, Tensor b, int[] rows, Func<Tensor, Tensor, double> distance)
    {
        using var scope = NewDisposeScope();
        Tensor chosen = tensor(rows.Select(row => (long)row).ToArray());
        return distance(a.index_select(0, chosen), b.index_select(0, chosen));
    }

    private static double Mean(IReadOnlyList<double> values, int[] rows) => rows.Sum(row => values[row]) / rows.Length;
}

/// <summary>Second model - first, with 95 % intervals.</summary>
public sealed record QualityDifference
{
    public required Interval FrechetDistance { get; init; }
    public required Interval KernelDistance { get; init; }
    public required Interval ClipScore { get; init; }
    /// <summary>Mean difference over captions; null where not measured.</summary>
    public required Interval? Diversity { get; init; }
}
