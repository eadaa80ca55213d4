using Dori.Diffusion;
using Dori.Locality;

namespace Dori.Tests.Locality;

public class DispersionTests
{
    [Fact]
    public void The_ratio_is_that_of_the_mean_pairwise_distances()
    {
        DistanceMatrix d = Points.Distances([0], [1], [3], [10], [14]); // within the first three: 1, 3, 2; the last two: 4
        Comparison c = Dispersion.Against(d, [[0, 1, 2]], [3, 4], RandomSource.For("a").Next);
        Assert.Equal(0.5, c.Ratio, 12);
        // Between: 10, 9, 7, 14, 13, 11.
        Assert.Equal((2 + 4) / 2.0 / (64 / 6.0), Dispersion.WithinOverBetween(d, [[0, 1, 2], [3, 4]], RandomSource.For("a").Next).Ratio,
            12);
        Assert.Throws<ArgumentException>(() => Dispersion.Against(d, [[0]], [1, 2], RandomSource.For("a").Next));
        Assert.Throws<ArgumentException>(() => Dispersion.Against(d, [[0, 1]], [1, 2], RandomSource.For("a").Next));
        Assert.Throws<ArgumentException>(() => Dispersion.WithinOverBetween(d, [[0, 1]], RandomSource.For("a").Next));
    }

    [Fact]
    public void Half_the_spread_is_found_wherever_the_clouds_lie()
    {
        RandomSource random = RandomSource.For("half");
        foreach (double shift in (double[])[0, 30])
        {
            DistanceMatrix d = Points.Distances([.. Points.Cloud(random, 20, 20, shift, 0.5), .. Points.Cloud(random, 20, 20)]);
            Comparison c = Dispersion.Against(d, [Points.Range(0, 20)], Points.Range(20, 20), random.Next);
            Assert.InRange(c.Ratio, 0.42, 0.58);
            Assert.InRange(0.5, c.Low, c.High);
            Assert.Equal(1.0 / (1 + Dispersion.Permutations), c.PValue);
        }
    }

    [Fact]
    public void Planted_groups_lie_closer_within_than_between_by_the_known_factor()
    {
        RandomSource random = RandomSource.For("planted");
        // In 50 dimensions, E|x - y| is close to sqrt(2 * 50) within and sqrt(2 * 50 + 100) between clouds 10 apart.
        DistanceMatrix d = Points.Distances([.. Points.Cloud(random, 15, 50), .. Points.Cloud(random, 15, 50, 10)]);
        Comparison c = Dispersion.WithinOverBetween(d, [Points.Range(0, 15), Points.Range(15, 15)], random.Next);
        Assert.InRange(c.Ratio, Math.Sqrt(0.5) - 0.04, Math.Sqrt(0.5) + 0.04);
        Assert.True(c.High < 1);
        Assert.Equal(1.0 / (1 + Dispersion.Permutations), c.PValue);
    }

    [Fact]
    public void A_single_speaks_only_of_the_distance_between_groups()
    {
        DistanceMatrix d = Points.Distances([0], [1], [3], [10], [14]);
        Comparison c = Dispersion.WithinOverBetween(d, [[0, 1, 2], [3], [4]], RandomSource.For("a").Next);
        Assert.Equal(2 / ((26 / 3.0 + 38 / 3.0 + 4) / 3), c.Ratio, 12);
        Assert.True(c.Low <= c.Ratio && c.Ratio <= c.High);
    }

    [Fact]
    public void Ends_that_shrink_towards_their_mean_are_found_against_their_own_starts()
    {
        RandomSource random = RandomSource.For("paired");
        double[][] starts = Points.Cloud(random, 10, 30), ends = [.. starts.Select(p => p.Select(v => 0.9 * v + 4).ToArray())];
        Comparison c =
            Dispersion.Paired(Points.Distances([.. ends, .. starts]), [(Points.Range(0, 10), Points.Range(10, 10))], random.Next);
        Assert.Equal(0.9, c.Ratio, 9);
        Assert.Equal(0.9, c.Low, 9); // of each resampled pair, exactly
        Assert.Equal(0.9, c.High, 9);
        Assert.InRange(c.PValue, 0, 0.01); // 2 of the 1024 ways to swap, one of them the other sign
    }

    [Fact]
    public void Pairs_of_equal_spread_give_uniform_p_values()
    {
        RandomSource random = RandomSource.For("null pairs");
        double distance = Points.FromUniform(Enumerable.Range(0, 1000).Select(_ =>
        {
            double[][] common = Points.Cloud(random, 12, 6), a = Points.Cloud(random, 12, 6, 9), b = Points.Cloud(random, 12, 6);
            double[][] Joined(double[][] own) => [.. common.Zip(own, (x, y) => x.Zip(y, (u, v) => u + v).ToArray())];
            return Dispersion.Paired(Points.Distances([.. Joined(a), .. Joined(b)]), [(Points.Range(0, 12), Points.Range(12, 12))],
                random.Next, resamples: 1, permutations: 199).PValue;
        }));
        Assert.InRange(distance, 0, 1.63 / Math.Sqrt(1000));
    }

    [Theory]
    [InlineData(12, 12, 0)]
    [InlineData(8, 20, 0)]
    [InlineData(12, 12, 25)] // another place, the same spread
    public void Equal_spread_gives_uniform_p_values(int first, int second, double shift)
    {
        RandomSource random = RandomSource.For("null", $"{first} {second} {shift}");
        double distance = Points.FromUniform(Enumerable.Range(0, 1000).Select(_ =>
        {
            DistanceMatrix d = Points.Distances([.. Points.Cloud(random, first, 6, shift), .. Points.Cloud(random, second, 6)]);
            return Dispersion.Against(d, [Points.Range(0, first)], Points.Range(first, second), random.Next, resamples: 1,
                permutations: 199).PValue;
        }));
        Assert.InRange(distance, 0, 1.63 / Math.Sqrt(1000)); // Kolmogorov's 1 % bound
    }

    [Fact]
    public void Equal_groups_give_uniform_p_values_within_over_between()
    {
        RandomSource random = RandomSource.For("null groups");
        double distance = Points.FromUniform(Enumerable.Range(0, 1000).Select(_ =>
            Dispersion.WithinOverBetween(Points.Distances(Points.Cloud(random, 18, 6)),
                [Points.Range(0, 6), Points.Range(6, 6), Points.Range(12, 6)], random.Next, resamples: 1, permutations: 199).PValue));
        Assert.InRange(distance, 0, 1.63 / Math.Sqrt(1000));
    }

    [Fact]
    public void The_interval_covers_the_true_ratio_about_as_often_as_it_says()
    {
        RandomSource random = RandomSource.For("coverage");
        int covered = Enumerable.Range(0, 200).Count(_ =>
        {
            DistanceMatrix d = Points.Distances([.. Points.Cloud(random, 25, 6, 0, 0.7), .. Points.Cloud(random, 25, 6)]);
            Comparison c = Dispersion.Against(d, [Points.Range(0, 25)], Points.Range(25, 25), random.Next, resamples: 200, permutations: 1);
            return c.Low <= 0.7 && 0.7 <= c.High;
        });
        Assert.InRange(covered / 200.0, 0.87, 1);
    }
}
