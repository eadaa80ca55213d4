using MathNet.Numerics.Distributions;

namespace Dori.Measures;

/// <summary>Median and median absolute deviation (not scaled).</summary>
public sealed record Spread(double Median, double Mad);

/// <summary>
/// Share, count, and 95 % interval: Wilson's, or where it is said the exact one. Of a share of 0 <c>High</c> is the exact one-sided bound.
/// </summary>
public sealed record Rate(double Value, int Count, double Low, double High);

/// <summary>Robust summaries and rates. All values must be numbers: NaN is refused, as it would compare as "no copy".</summary>
internal static partial class Statistics
{
    /// <summary>The middle value, or the mean of the two in the middle.</summary>
    /// <exception cref="ArgumentException">No values, or one is not a number.</exception>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. Numbers(values)];
        Array.Sort(sorted);
        int half = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    /// <summary>Median and the median of the distances to it, without the factor 1.4826 for normal samples.</summary>
    /// <exception cref="ArgumentException">No values, or one is not a number.</exception>
    public static Spread Spread(IEnumerable<double> values)
    {
        double[] all = [.. values];
        double median = Median(all);
        return new Spread(median, Median(all.Select(value => Math.Abs(value - median))));
    }

    /// <summary>Wilson's score interval (1927), 95 %, without continuity correction.</summary>
    /// <param name="count">Successes, 0 to <paramref name="total"/>.</param>
    /// <param name="total">Trials; of none, the rate is 0 and the interval 0 to 1.</param>
    public static Rate Wilson(int count, int total)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, total);
        if (total == 0) return new Rate(0, 0, 0, 1);
        const double z = 1.959963984540054; // 97.5 % of the standard normal
        double n = total, p = count / n, zz = z * z / n;
        double center = (p + zz / 2) / (1 + zz), half = z * Math.Sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz);
        // At the ends the bound is the end itself, which rounding misses.
        return new Rate(p, count, count == 0 ? 0 : center - half, count == total ? 1 : center + half);
    }

    /// <summary>What is said of a share: Wilson's interval, and where none of them did the exact one-sided bound.</summary>
    /// <inheritdoc cref="Wilson"/>
    public static Rate Share(int count, int total) =>
        count == 0 && total > 0 ? Wilson(0, total) with { High = UpperBoundOfZero(total) } : Wilson(count, total);

    /// <summary>The same with Clopper and Pearson's exact interval.</summary>
    /// <inheritdoc cref="Wilson"/>
    public static Rate ExactShare(int count, int total) =>
        count == 0 && total > 0 ? new Rate(0, 0, 0, UpperBoundOfZero(total)) : ClopperPearson(count, total);

    /// <summary>Exact, one-sided, 95 %: the largest share under which none of so many is no rarer than 5 %, 1 - 0.05^(1/n).</summary>
    /// <param name="total">At least 1.</param>
    public static double UpperBoundOfZero(int total)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(total, 1);
        return 1 - Math.Pow(0.05, 1.0 / total);
    }

    /// <summary>
    /// Mean of values in [0, 1], none of which need be 0 or 1, with an interval that covers it in at least 95 % of cases: their sum's tails
    /// are at most e times a binomial's (Bentkus 2004, "On Hoeffding's inequalities"), so that it is Clopper and Pearson's at 2.5 % / e.
    /// Where all are 0 the bound is that of a share, since a value above 0 is at least as frequent as the mean is large.
    /// </summary>
    /// <param name="values">Independent, at least one.</param>
    public static Rate BoundedMean(IReadOnlyList<double> values)
    {
        double[] all = Numbers(values);
        if (all.Any(value => value is < 0 or > 1)) throw new ArgumentOutOfRangeException(nameof(values));
        double sum = all.Sum();
        int n = all.Length, below = (int)Math.Floor(sum + 1e-9), above = (int)Math.Ceiling(sum - 1e-9);
        if (sum == 0) return new Rate(0, 0, 0, UpperBoundOfZero(n));
        const double tail = 0.025 / Math.E;
        return new Rate(sum / n, (int)Math.Round(sum), below == 0 ? 0 : Beta.InvCDF(below, n - below + 1, tail),
            above == n ? 1 : Beta.InvCDF(above + 1, n - above, 1 - tail));
    }

    /// <summary>
    /// Clopper and Pearson's exact interval (1934), 95 %: the shares under which neither so many successes nor so few are rarer than 2.5 %.
    /// It covers at least so often as it says, whatever the share.
    /// </summary>
    /// <inheritdoc cref="Wilson"/>
    public static Rate ClopperPearson(int count, int total)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, total);
        if (total == 0) return new Rate(0, 0, 0, 1);
        const double tail = 0.025;
        return new Rate((double)count / total, count, count == 0 ? 0 : Beta.InvCDF(count, total - count + 1, tail),
            count == total ? 1 : Beta.InvCDF(count + 1, total - count, 1 - tail));
    }

    private static double[] Numbers(IEnumerable<double> values)
    {
        double[] all = [.. values];
        if (all.Length == 0) throw new ArgumentException("There are no values.", nameof(values));
        if (Array.Exists(all, double.IsNaN)) throw new ArgumentException("A value is not a number.", nameof(values));
        return all;
    }
}
