using Dori.Diffusion;
using Dori.Locality;

namespace Dori.Tests.Locality;

public class ClustersTests
{
    [Fact]
    public void Silhouettes_by_hand()
    {
        DistanceMatrix d = Points.Distances([0], [2], [10], [14], [5]);
        double[] s = Clusters.Silhouettes(d, [0, 0, 1, 1, 2]);
        Assert.Equal((5.0 - 2) / 5, s[0], 12);  // own 2; others 12 and 5
        Assert.Equal((3.0 - 2) / 3, s[1], 12);
        Assert.Equal((5.0 - 4) / 5, s[2], 12);
        Assert.Equal((9.0 - 4) / 9, s[3], 12);
        Assert.Equal(0, s[4]);                  // alone
        double[] wrong = Clusters.Silhouettes(d, [0, 1, 0, 1, 1]);
        Assert.True(wrong[0] < 0);
        Assert.Throws<ArgumentException>(() => Clusters.Silhouettes(d, [0, 0, 0, 0, 0]));
    }

    [Fact]
    public void Neighbours_by_hand()
    {
        // Two tight quartets: the 3 nearest of each are its own.
        DistanceMatrix d = Points.Distances([0], [1], [2], [3], [100], [101], [102], [103]);
        NeighbourTest all = Clusters.Test(d, [0, 0, 0, 0, 1, 1, 1, 1], null, RandomSource.For("a").Next, 9999);
        Assert.Equal(1, all.Share);
        Assert.Equal(3.0 / 7, all.Expected, 12);
        Assert.InRange(all.PValue, 0.02, 0.04); // 2 of the 70 assignments
        NeighbourTest mixed = Clusters.Test(d, [0, 1, 0, 1, 0, 1, 0, 1], 0, RandomSource.For("a").Next);
        Assert.Equal(1.0 / 3, mixed.Share, 12);
        Assert.Equal(3.0 / 7, mixed.Expected, 12);
    }

    [Fact]
    public void Planted_clusters_are_found_at_their_distance_and_not_without_it()
    {
        RandomSource random = RandomSource.For("clusters");
        int[] labels = [.. Enumerable.Repeat(0, 20), .. Enumerable.Repeat(1, 20)];
        DistanceMatrix apart = Points.Distances([.. Points.Cloud(random, 20, 4, 12), .. Points.Cloud(random, 20, 4)]);
        Assert.InRange(Clusters.Silhouettes(apart, labels).Average(), 0.7, 0.85); // 1 - E within / E between, about 1 - 2.7 / 12.3
        Assert.Equal(1, Clusters.Test(apart, labels, 0, random.Next).Share);
        Assert.Equal(1.0 / (1 + Dispersion.Permutations), Clusters.Test(apart, labels, 0, random.Next).PValue);
        DistanceMatrix together = Points.Distances(Points.Cloud(random, 40, 4));
        Assert.InRange(Clusters.Silhouettes(together, labels).Average(), -0.1, 0.1);
    }

    [Fact]
    public void Without_clusters_p_values_are_uniform()
    {
        RandomSource random = RandomSource.For("no clusters");
        int[] labels = [.. Enumerable.Repeat(0, 15), .. Enumerable.Repeat(1, 15)];
        double[] p =
            [.. Enumerable.Range(0, 1000)
            .Select(_ => Clusters.Test(Points.Distances(Points.Cloud(random, 30, 4)), labels, null, random.Next, 199).PValue)];
        // A share of 90 neighbours has few values: p errs a little to the larger side, never to the smaller.
        Assert.InRange(Points.FromUniform(p), 0, 0.09);
        foreach (double level in (double[])[0.01, 0.05, 0.1, 0.25, 0.5])
            Assert.InRange(p.Count(v => v <= level) / 1000.0, 0, level + 3 * Math.Sqrt(level * (1 - level) / 1000));
    }
}
