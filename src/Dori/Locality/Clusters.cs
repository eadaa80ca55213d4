using Dori.Measures;

namespace Dori.Locality;

/// <summary>Share of nearest neighbours that bear the same label.</summary>
/// <param name="Share">0 to 1</param>
/// <param name="Expected">The share that random labels give.</param>
/// <param name="PValue">Permutation test: how often random labels give at least this share.</param>
internal sealed record NeighbourTest(double Share, double Expected, double PValue);

/// <summary>Are labelled vectors clusters? Answered with numbers.</summary>
internal static class Clusters
{
    public const int Neighbours = 3;

    /// <summary>
    /// Silhouette of every vector (Rousseeuw 1987): (b - a) / max(a, b), a its mean distance to its own cluster, b to the nearest other
    /// one. 1: far from all others; 0: between two; below 0: closer to another cluster. By the book's reading a mean up to 0.25 is no
    /// structure, above 0.5 a reasonable one.
    /// </summary>
    /// <param name="labels">Two different ones at least; a vector alone in its cluster has 0</param>
    public static double[] Silhouettes(DistanceMatrix distances, IReadOnlyList<int> labels)
    {
        int n = distances.Count;
        int[] known = [.. labels.Distinct().Order()];
        if (labels.Count != n || known.Length < 2)
            throw new ArgumentException("A label for each vector, and two different ones, are needed.", nameof(labels));
        var values = new double[n];
        for (int i = 0; i < n; i++)
        {
            double a = 0, b = double.PositiveInfinity;
            bool alone = false;
            foreach (int label in known)
            {
                double sum = 0;
                int count = 0;
                for (int j = 0; j < n; j++)
                {
                    if (j == i || labels[j] != label) continue;
                    sum += distances[i, j];
                    count++;
                }
                if (label != labels[i]) b = Math.Min(b, sum / count);
                else if (count == 0) alone = true;
                else a = sum / count;
            }
            values[i] = alone || Math.Max(a, b) == 0 ? 0 : (b - a) / Math.Max(a, b);
        }
        return values;
    }

    /// <summary>
    /// Schilling 1986 and Henze 1988: do the 3 nearest neighbours bear a vector's own label more often than random labels would?
    /// Ties go to the lower index.
    /// </summary>
    /// <param name="asked">Label whose vectors are asked for their neighbours; null asks all.</param>
    /// <param name="below">Uniform integer below its argument.</param>
    public static NeighbourTest Test(DistanceMatrix distances, IReadOnlyList<int> labels, int? asked, Func<int, int> below,
        int permutations = Dispersion.Permutations)
    {
        int n = distances.Count, k = Math.Min(Neighbours, n - 1);
        if (labels.Count != n || k < 1) throw new ArgumentException("A label for each of two vectors at least is needed.", nameof(labels));
        int[][] nearest =
            [.. Enumerable.Range(0, n)
            .Select(i => Enumerable.Range(0, n).Where(j => j != i).OrderBy(j => distances[i, j]).Take(k).ToArray())];
        double Share(IReadOnlyList<int> order)
        {
            int same = 0, all = 0;
            for (int i = 0; i < n; i++)
            {
                int label = labels[order[i]];
                if (asked is { } only && label != only) continue;
                foreach (int j in nearest[i])
                    if (labels[order[j]] == label) same++;
                all += k;
            }
            return (double)same / all;
        }
        double p = Statistics.PermutationPValue(n, Share, below, permutations);
        double[] sizes =
            [.. labels.GroupBy(label => label).Where(group => asked is null || group.Key == asked).Select(group => (double)group.Count())];
        double expected = sizes.Sum(size => size * (size - 1) / (n - 1)) / sizes.Sum();
        return new NeighbourTest(Share([.. Enumerable.Range(0, n)]), expected, p);
    }
}
