using MathNet.Numerics;

namespace Dori.Measures;

/// <summary>Which hypotheses a false discovery rate lets through, and the adjusted p-values: the smallest rate that would let each
/// through.</summary>
internal sealed record Discoveries(IReadOnlyList<bool> Rejected, IReadOnlyList<double> AdjustedPValues);

/// <summary>A figure and its interval.</summary>
public sealed record Interval(double Value, double Low, double High);

// Tests and what they draw on. Randomness comes from outside: `below(n)` gives a uniform integer from 0 to n - 1.
internal static partial class Statistics
{
    /// <summary>
    /// Conformal p-value: (1 + controls with at least this value) / (1 + controls). Valid where the item is exchangeable with the controls.
    /// The same formula gives a permutation test's p-value from the statistics of random permutations.
    /// </summary>
    /// <returns>From 1 / (1 + controls) to 1.</returns>
    public static double ConformalPValue(double value, IReadOnlyCollection<double> controls)
    {
        if (double.IsNaN(value) || controls.Any(double.IsNaN)) throw new ArgumentException("A value is not a number.", nameof(value));
        return (1.0 + controls.Count(control => control >= value)) / (1.0 + controls.Count);
    }

    /// <summary>Benjamini and Hochberg 1995: the step-up procedure that keeps the false discovery rate at q for independent or positively
    /// dependent tests.</summary>
    /// <param name="pValues">In any order, each in [0, 1]; may be empty.</param>
    /// <param name="rate">The false discovery rate q, above 0 and below 1.</param>
    /// <returns>In the order of <paramref name="pValues"/>.</returns>
    public static Discoveries BenjaminiHochberg(IReadOnlyList<double> pValues, double rate)
    {
        if (!(rate > 0 && rate < 1)) throw new ArgumentOutOfRangeException(nameof(rate));
        int m = pValues.Count;
        if (pValues.Any(p => !(p >= 0 && p <= 1))) throw new ArgumentOutOfRangeException(nameof(pValues));
        int[] order = [.. Enumerable.Range(0, m).OrderBy(i => pValues[i])];
        var adjusted = new double[m];
        double smallest = 1;
        for (int rank = m; rank >= 1; rank--)
            adjusted[order[rank - 1]] = smallest = Math.Min(smallest, pValues[order[rank - 1]] * m / rank);

        // The largest rank whose p-value lies on or below rank / m * q, compared without division so that equality survives rounding.
        int last = Enumerable.Range(1, m).LastOrDefault(rank => pValues[order[rank - 1]] * m <= rank * rate * (1 + 1e-12));
        var rejected = new bool[m];
        foreach (int i in order.Take(last)) rejected[i] = true;
        return new Discoveries(rejected, adjusted);
    }

    /// <summary>Exact sign test, one-sided: P(at least so many of n wins) where each is a fair coin's. Ties are dropped before.</summary>
    /// <returns>p-value; 1 where there are none.</returns>
    public static double SignTest(int wins, int losses)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(wins);
        ArgumentOutOfRangeException.ThrowIfNegative(losses);
        return Math.Min(1, LowerTail(losses, wins + losses));
    }

    /// <summary>Fisher's exact test, one-sided: given all margins, P(at least so many successes in the first group).</summary>
    /// <returns>1 where there is nothing to compare.</returns>
    public static double Fisher(int successes, int failures, int otherSuccesses, int otherFailures)
    {
        if (Math.Min(Math.Min(successes, failures), Math.Min(otherSuccesses, otherFailures)) < 0)
            throw new ArgumentOutOfRangeException(nameof(successes));
        int first = successes + failures, all = first + otherSuccesses + otherFailures, won = successes + otherSuccesses;
        double tail = 0;
        for (int k = successes; k <= Math.Min(first, won); k++)
            if (won - k <= all - first)
                tail += Math.Exp(SpecialFunctions.BinomialLn(first, k) + SpecialFunctions.BinomialLn(all - first, won - k)
                    - SpecialFunctions.BinomialLn(all, won));
        return Math.Min(1, tail);
    }

    /// <summary>P(X &lt;= k) of Binomial(n, 1/2).</summary>
    private static double LowerTail(int k, int n)
    {
        double tail = 0;
        for (int i = 0; i <= k; i++) tail += Math.Exp(SpecialFunctions.BinomialLn(n, i) - n * Constants.Ln2);
        return tail;
    }

    /// <summary>McNemar's exact test, two-sided: did one of two treatments succeed on more of the same items?</summary>
    /// <param name="onlyFirst">Items where the first alone succeeded.</param>
    /// <param name="onlySecond">Items where the second alone succeeded.</param>
    /// <returns>p-value; 1 where they never differ.</returns>
    public static double McNemar(int onlyFirst, int onlySecond)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(onlyFirst);
        ArgumentOutOfRangeException.ThrowIfNegative(onlySecond);
        return Math.Min(1, 2 * LowerTail(Math.Min(onlyFirst, onlySecond), onlyFirst + onlySecond));
    }

    /// <summary>Mean difference first - second over the same items, with the percentile interval of resampled items.</summary>
    /// <param name="first">One value per item; 0 and 1 for rates.</param>
    /// <param name="second">In the same order.</param>
    /// <param name="below">Uniform integer below its argument.</param>
    /// <param name="resamples">Bootstrap samples.</param>
    /// <param name="level">Coverage of the interval.</param>
    public static Interval PairedBootstrap(IReadOnlyList<double> first, IReadOnlyList<double> second, Func<int, int> below,
        int resamples = 10_000, double level = 0.95)
    {
        if (first.Count != second.Count) throw new ArgumentException("Both need one value per item.", nameof(second));
        double[] differences = Numbers(first.Zip(second, (a, b) => a - b));
        ArgumentOutOfRangeException.ThrowIfLessThan(resamples, 1);
        int n = differences.Length;
        var means = new double[resamples];
        for (int r = 0; r < resamples; r++)
        {
            double sum = 0;
            for (int i = 0; i < n; i++) sum += differences[below(n)];
            means[r] = sum / n;
        }
        Array.Sort(means);
        return new Interval(differences.Average(), Quantile(means, (1 - level) / 2), Quantile(means, (1 + level) / 2));
    }

    /// <summary>
    /// Permutation test: how often does a random assignment of the labels give a statistic at least as large as the true one?
    /// (1 + as large) / (1 + permutations), Phipson and Smyth 2010.
    /// </summary>
    /// <param name="count">Items.</param>
    /// <param name="statistic">Of an order of the items 0 .. count - 1; the true one is 0, 1, 2, ... The array must not be kept.</param>
    /// <param name="below">Uniform integer below its argument.</param>
    /// <param name="permutations">Random permutations.</param>
    public static double PermutationPValue(int count, Func<IReadOnlyList<int>, double> statistic, Func<int, int> below,
        int permutations = 9_999)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        double observed = statistic(order);
        // Equal statistics of different orders differ by rounding: they count as equal, which errs to the larger p.
        double bar = observed - 1e-12 * Math.Abs(observed);
        var permuted = new double[permutations];
        for (int p = 0; p < permutations; p++)
        {
            for (int i = count - 1; i > 0; i--)
            {
                int j = below(i + 1);
                (order[i], order[j]) = (order[j], order[i]);
            }
            permuted[p] = statistic(order);
        }
        return ConformalPValue(bar, permuted);
    }

    /// <summary>The middle share of values: its two ends.</summary>
    internal static (double Low, double High) Percentiles(IEnumerable<double> values, double level)
    {
        double[] sorted = Numbers(values);
        Array.Sort(sorted);
        return (Quantile(sorted, (1 - level) / 2), Quantile(sorted, (1 + level) / 2));
    }

    /// <summary>Linear interpolation between order statistics (the common "type 7").</summary>
    private static double Quantile(double[] sorted, double share)
    {
        double at = share * (sorted.Length - 1);
        int low = (int)at, high = Math.Min(low + 1, sorted.Length - 1);
        return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
    }
}
