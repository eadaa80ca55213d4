using Dori.Measures;

namespace Dori.Locality;

/// <summary>How far apart one kind of vectors lies compared with another: a ratio of mean pairwise distances.</summary>
/// <param name="Ratio">Below 1: the first kind lies closer together.</param>
/// <param name="Low">95 % bootstrap interval (vectors resampled within their groups).</param>
/// <param name="High">95 % bootstrap interval.</param>
/// <param name="PValue">Permutation test of ratio 1, two-sided.</param>
internal sealed record Comparison(double Ratio, double Low, double High, double PValue);

/// <summary>
/// Comparisons of spread (method.md section 6: discrepancy is the mean pairwise L2 distance). Randomness comes from outside:
/// <c>below(n)</c> is a uniform integer from 0 to n - 1.
/// </summary>
internal static class Dispersion
{
    public const int Resamples = 2000, Permutations = 1999;

    /// <summary>
    /// Mean pairwise distance within the groups (averaged over them) over that of the reference. The permutation test sees every group
    /// from its own mean, as in Anderson 2006 (PERMDISP): another place alone is not another spread.
    /// </summary>
    /// <param name="groups">Indices; at least two a group, none in two of them</param>
    /// <param name="reference">At least two indices</param>
    public static Comparison Against(DistanceMatrix distances, IReadOnlyList<int[]> groups, int[] reference, Func<int, int> below,
        int resamples = Resamples, int permutations = Permutations)
    {
        int[][] all = [.. groups, reference];
        Check(all, fewest: 2);
        int[] places = [.. all.SelectMany(group => group)];
        int[] labels = [.. all.SelectMany((group, label) => Enumerable.Repeat(label, group.Length))];
        DistanceMatrix own = distances.Of(places), centred = SeenFromOwnMeans(own, labels);
        int[][] slots = Slots(all);
        double Ratio(DistanceMatrix d, int[][] members) => members[..^1].Average(d.Mean) / d.Mean(members[^1]);
        double p =
            Statistics.PermutationPValue(places.Length, order => Math.Abs(Math.Log(Ratio(centred, Placed(slots, order)))), below,
            permutations);
        return WithInterval(Ratio(own, slots), () => Ratio(own, Resample(slots, below)), p, resamples);
    }

    /// <summary>
    /// Mean pairwise distance of some vectors over that of others which they come from one by one, such as a search's ends and starts:
    /// pairs are resampled together, and the permutation test swaps the two of a pair. Each side of each group is seen from its own mean.
    /// </summary>
    /// <param name="groups">First[k] comes from Second[k]; at least two pairs a group; the ratio averages over groups on both sides</param>
    public static Comparison Paired(DistanceMatrix distances, IReadOnlyList<(int[] First, int[] Second)> groups, Func<int, int> below,
        int resamples = Resamples, int permutations = Permutations)
    {
        int[][] all = [.. groups.SelectMany(group => new[] { group.First, group.Second })];
        if (groups.Any(group => group.First.Length != group.Second.Length))
            throw new ArgumentException("Pairs need two sides.", nameof(groups));
        Check(all, fewest: 2);
        DistanceMatrix own = distances.Of([.. all.SelectMany(group => group)]);
        DistanceMatrix centred = SeenFromOwnMeans(own, [.. all.SelectMany((group, label) => Enumerable.Repeat(label, group.Length))]);
        int[][] slots = Slots(all);
        static double Ratio(DistanceMatrix d, int[][] sides) =>
            sides.Where((_, i) => i % 2 == 0).Average(d.Mean) / sides.Where((_, i) => i % 2 == 1).Average(d.Mean);
        double observed = Math.Abs(Math.Log(Ratio(centred, slots)));
        double[] swapped = [.. Enumerable.Range(0, permutations).Select(_ =>
        {
            int[][] sides = [.. slots.Select(side => (int[])side.Clone())];
            for (int i = 0; i < sides.Length; i += 2)
                for (int k = 0; k < sides[i].Length; k++)
                    if (below(2) == 1) (sides[i][k], sides[i + 1][k]) = (sides[i + 1][k], sides[i][k]);
            return Math.Abs(Math.Log(Ratio(centred, sides)));
        })];
        return WithInterval(Ratio(own, slots), () => Ratio(own, ResamplePairs(slots, below)),
            Statistics.ConformalPValue(observed * (1 - 1e-12), swapped), resamples);
    }

    /// <summary>
    /// Mean pairwise distance within groups over the mean distance between vectors of different groups; labels are permuted.
    /// </summary>
    /// <param name="groups">At least two, one of them with two indices; a group of one speaks only of the distance between groups</param>
    public static Comparison WithinOverBetween(DistanceMatrix distances, IReadOnlyList<int[]> groups, Func<int, int> below,
        int resamples = Resamples, int permutations = Permutations)
    {
        if (groups.Count < 2 || groups.All(group => group.Length < 2))
            throw new ArgumentException("Two groups are needed, and a pair within one of them.", nameof(groups));
        Check(groups, fewest: 1);
        DistanceMatrix own = distances.Of([.. groups.SelectMany(group => group)]);
        int[][] slots = Slots(groups);
        double Ratio(int[][] members)
        {
            double between = 0;
            int pairs = 0;
            for (int a = 0; a < members.Length; a++)
                for (int b = 0; b < a; b++)
                {
                    if (members[a].Length == 1 && members[b].Length == 1 && members[a][0] == members[b][0]) continue; // one drawn twice
                    between += own.MeanBetween(members[a], members[b]);
                    pairs++;
                }
            return members.Where(group => group.Length > 1).Average(own.Mean) / (between / pairs);
        }
        // A single is a draw from the groups: singles are resampled among themselves.
        int[][] large = [.. slots.Where(group => group.Length > 1)], singles = [.. slots.Where(group => group.Length == 1)];
        int[][] Draw() => [.. Resample(large, below), .. singles.Select(_ => singles[below(singles.Length)])];
        double p = Statistics.PermutationPValue(own.Count, order => Math.Abs(Math.Log(Ratio(Placed(slots, order)))), below, permutations);
        return WithInterval(Ratio(slots), () => Ratio(Draw()), p, resamples);
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

    private static int[][] ResamplePairs(int[][] slots, Func<int, int> below)
    {
        var sides = new int[slots.Length][];
        for (int i = 0; i < slots.Length; i += 2)
        {
            int n = slots[i].Length;
            int[] drawn;
            do drawn = [.. Enumerable.Range(0, n).Select(_ => below(n))];
            while (drawn.All(k => k == drawn[0]));
            sides[i] = [.. drawn.Select(k => slots[i][k])];
            sides[i + 1] = [.. drawn.Select(k => slots[i + 1][k])];
        }
        return sides;
    }

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

    private static int[][] Placed(int[][] slots, IReadOnlyList<int> order) =>
        [.. slots.Select(group => group.Select(slot => order[slot]).ToArray())];

    private static void Check(IReadOnlyList<int[]> groups, int fewest)
    {
        if (groups.Any(group => group.Length < fewest)) throw new ArgumentException($"A group needs {fewest} vectors.", nameof(groups));
        if (groups.SelectMany(group => group).GroupBy(i => i).Any(same => same.Count() > 1))
            throw new ArgumentException("A vector is in two groups.", nameof(groups));
    }
}
