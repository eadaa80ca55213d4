using Dori.Measures;

namespace Dori.Locality;

/// <summary>How far apart one kind of vectors lies compared with another: a ratio of mean pairwise distances.</summary>
/// <param name="Ratio">Below 1: the first kind lies closer together.</param>
/// <param name="Low">95 % bootstrap interval (vectors resampled within their groups).</param>
/// <param name="High">95 % bootstrap interval.</param>
/// <param name="PValue">Permutation test of ratio 1, two-sided.</param>
public sealed record Comparison(double Ratio, double Low, double High, double PValue);

/// <summary>
/// Comparisons of spread (method.md section 6: discrepancy is the mean pairwise L2 distance). Randomness comes from outside:
/// <c>below(n)</c> is a uniform integer from 0 to n - 1.
/// </summary>
public static class Dispersion
{
    public const int Resamples = 2000, Permutations = 1999;

    /// <summary>
    /// Mean pairwise distance within the groups (averaged over them) over that of the reference. The permutation test sees every group
    /// from its own mean, as in Anderson 2006 (PERMDISP): another place alone is not another spread.
    /// </summary>
    /// <param name="groups">Indices; at least two a group, none in two of them</param>
    /// <param name="reference">At least two indices</param>
    public static Comparison Against(DistanceMatrix distances, IReadOnlyList<int[]> groups, int[] reference, Func<int, int> below, int resamples = Resamples, int permutations = Permutations)
    {
        int[][] all = [.. groups, reference];
        Check(all);
        int[] places = [.. all.SelectMany(group => group)];
        int[] labels = [.. all.SelectMany((group, label) => Enumerable.Repeat(label, group.Length))];
        DistanceMatrix own = distances.Of(places), centred = SeenFromOwnMeans(own, labels);
        int[][] slots = Slots(all);
        double Ratio(DistanceMatrix d, int[][] members) => members[..^1].Average(d.Mean) / d.Mean(members[^1]);
        double p = Statistics.PermutationPValue(places.Length, order => Math.Abs(Math.Log(Ratio(centred, Placed(slots, order)))), below, permutations);
        return WithInterval(Ratio(own, slots), () => Ratio(own, Resample(slots, below)), p, resamples);
    }

    /// <summary>Mean pairwise distance within groups over the mean distance between vectors of different groups; labels are permuted.</summary>
    /// <param name="groups">At least two, with at least two indices each</param>
    public static Comparison WithinOverBetween(DistanceMatrix distances, IReadOnlyList<int[]> groups, Func<int, int> below, int resamples = Resamples, int permutations = Permutations)
    {
        if (groups.Count < 2) throw new ArgumentException("Two groups are needed.", nameof(groups));
        Check(groups);
        DistanceMatrix own = distances.Of([.. groups.SelectMany(group => group)]);
        int[][] slots = Slots(groups);
        double Ratio(int[][] members)
        {
            double between = 0;
            int pairs = 0;
            for (int a = 0; a < members.Length; a++)
                for (int b = 0; b < a; b++, pairs++) between += own.MeanBetween(members[a], members[b]);
            return members.Average(own.Mean) / (between / pairs);
        }
        double p = Statistics.PermutationPValue(own.Count, order => Math.Abs(Math.Log(Ratio(Placed(slots, order)))), below, permutations);
        return WithInterval(Ratio(slots), () => Ratio(Resample(slots, below)), p, resamples);
    }

    private static Comparison WithInterval(double ratio, Func<double> resampled, double p, int resamples)
    {
        double[] draws = [.. Enumerable.Range(0, resamples).Select(_ => resampled()).Where(double.IsFinite).Order()];
        return draws.Length == 0 ? new Comparison(ratio, double.NegativeInfinity, double.PositiveInfinity, p)
            : new Comparison(ratio, draws[(int)(0.025 * (draws.Length - 1))], draws[(int)Math.Ceiling(0.975 * (draws.Length - 1))], p);
    }

    /// <summary>A resampled group of one distinct vector has no pair: it is drawn again.</summary>
    private static int[][] Resample(int[][] slots, Func<int, int> below) => [.. slots.Select(group =>
    {
        int[] drawn;
        do drawn = [.. group.Select(_ => group[below(group.Length)])];
        while (drawn.All(i => i == drawn[0]));
        return drawn;
    })];

    private static DistanceMatrix SeenFromOwnMeans(DistanceMatrix distances, int[] labels)
    {
        int n = distances.Count;
        double[] product = distances.CentredProducts(labels);
        var values = new double[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                values[i * n + j] = Math.Sqrt(Math.Max(0, product[i * n + i] + product[j * n + j] - 2 * product[i * n + j]));
        return new DistanceMatrix(n, values);
    }

    private static int[][] Slots(IReadOnlyList<int[]> groups)
    {
        int at = 0;
        return [.. groups.Select(group => Enumerable.Range((at += group.Length) - group.Length, group.Length).ToArray())];
    }

    private static int[][] Placed(int[][] slots, IReadOnlyList<int> order) => [.. slots.Select(group => group.Select(slot => order[slot]).ToArray())];

    private static void Check(IReadOnlyList<int[]> groups)
    {
        if (groups.Any(group => group.Length < 2)) throw new ArgumentException("A group needs two vectors.", nameof(groups));
        if (groups.SelectMany(group => group).GroupBy(i => i).Any(same => same.Count() > 1)) throw new ArgumentException("A vector is in two groups.", nameof(groups));
    }
}
