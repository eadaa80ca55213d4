using Dori.Measures;

namespace Dori.Locality;

/// <summary>Pairwise agreement of marked sets at a layer: intersection over union; two empty sets agree by definition only, and stay out of
/// every mean.</summary>
internal sealed class AgreementMatrix
{
    private const int Fewest = 3;
    private readonly double[] _values;

    /// <param name="agree">Of two sets: their agreement, 0 to 1; null where both are empty.</param>
    public AgreementMatrix(int count, Func<int, int, double?> agree)
    {
        (Count, _values) = (count, new double[count * count]);
        for (int i = 0; i < count; i++)
            for (int j = 0; j <= i; j++)
                _values[i * count + j] = _values[j * count + i] = agree(i, j) ?? double.NaN;
    }

    public int Count { get; }
    /// <summary>NaN where both are empty.</summary>
    public double this[int i, int j] => _values[i * Count + j];

    /// <summary>Mean over the pairs of different sets, and the share of pairs that are both empty. A set may be named twice (a bootstrap
    /// sample).</summary>
    /// <returns>Mean: null where no pair is left</returns>
    public (double? Mean, double Empty) Within(IReadOnlyList<int> items) => MeanOf(
        from a in Enumerable.Range(0, items.Count) from b in Enumerable.Range(0, a)
            where items[a] != items[b] select this[items[a], items[b]]);

    /// <summary>Over pairs of one set from each of two different groups.</summary>
    public (double? Mean, double Empty) Between(IReadOnlyList<int[]> groups) => MeanOf(
        from a in Enumerable.Range(0, groups.Count) from b in Enumerable.Range(0, a) from i in groups[a] from j in groups[b] select this[i,
            j]);

    /// <summary>Mean agreement within the groups minus that within the reference, with bootstrap interval and a permutation test over all
    /// sets.</summary>
    /// <param name="groups">Those of fewer than three sets are left out: resampling one pair shows no spread, and its interval would be a
    /// point.</param>
    /// <returns>Null where a side has too few sets, or no pair that is not empty.</returns>
    public (Interval Difference, double PValue)? Compare(IReadOnlyList<int[]> groups, int[] reference, Func<int, int> below,
        int resamples = Dispersion.Resamples, int permutations = Dispersion.Permutations)
    {
        int[][] all = [.. groups.Where(group => group.Length >= Fewest), reference];
        if (all.Length == 1 || reference.Length < Fewest) return null;
        if (Difference(all) is not { } observed) return null;
        int[] places = [.. all.SelectMany(group => group)];
        int at = 0;
        int[][] slots = [.. all.Select(group => Enumerable.Range((at += group.Length) - group.Length, group.Length).ToArray())];
        double p = Statistics.PermutationPValue(places.Length, order =>
            Math.Abs(Difference([.. slots.Select(group => group.Select(slot => places[order[slot]]).ToArray())]) ?? 0), below,
                permutations);
        double[] draws =
            [.. Enumerable.Range(0, resamples)
            .Select(_ => Difference([.. all.Select(group => group.Select(_ => group[below(group.Length)]).ToArray())])).OfType<double>()
            .Order()];
        var interval = draws.Length == 0 ? new Interval(observed, -1, 1)
            : new Interval(observed, draws[(int)(0.025 * (draws.Length - 1))], draws[(int)Math.Ceiling(0.975 * (draws.Length - 1))]);
        return (interval, p);
    }

    private double? Difference(int[][] groups)
    {
        double[] within = [.. groups[..^1].Select(group => Within(group).Mean).OfType<double>()];
        return within.Length == 0 || Within(groups[^1]).Mean is not { } reference ? null : within.Average() - reference;
    }

    private static (double? Mean, double Empty) MeanOf(IEnumerable<double> pairs)
    {
        double sum = 0;
        int empty = 0, full = 0;
        foreach (double value in pairs)
        {
            if (double.IsNaN(value)) empty++;
            else
            {
                sum += value;
                full++;
            }
        }
        return (full == 0 ? null : sum / full, empty + full == 0 ? 0 : (double)empty / (empty + full));
    }
}
