using Dori.Diffusion;
using Dori.Locality;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Locality;

public class DistanceMatrixTests
{
    [Fact]
    public void Distances_are_euclidean_over_all_of_a_row()
    {
        using Tensor rows = tensor(new float[] { 0, 0, 0, 0, 3, 0, 0, 4, 1, 1, 1, 1 }).reshape(3, 2, 2);
        DistanceMatrix d = DistanceMatrix.Of(rows);
        Assert.Equal(5, d[0, 1], 12);
        Assert.Equal(2, d[0, 2], 12);
        Assert.Equal(Math.Sqrt(4 + 1 + 1 + 9), d[1, 2], 12);
        Assert.Equal(d[1, 2], d[2, 1]);
        Assert.Equal(0, d[1, 1]);
        Assert.Equal((5 + 2 + Math.Sqrt(15)) / 3, d.Mean([0, 1, 2]), 12);
        Assert.Equal(5, d.Mean([0, 1, 0]), 12); // a bootstrap sample: 0 is no pair with itself
        Assert.Equal((5 + Math.Sqrt(15)) / 2, d.MeanBetween([0, 2], [1]), 12);
        Assert.True(double.IsNaN(d.Mean([0])));
    }

    [Fact]
    public void Wide_rows_are_taken_in_parts_and_a_common_offset_costs_no_digits()
    {
        using var scope = NewDisposeScope();
        RandomSource random = RandomSource.For("wide");
        Tensor rows = random.Normal(3, 2_000_000); // more than one part
        double expected = (rows[0] - rows[1]).to(float64).norm().item<double>();
        Assert.Equal(expected, DistanceMatrix.Of(rows)[0, 1], expected * 1e-7);
        Tensor offset = (rows[.., ..100].to(float64) + 1e6).clone();
        Assert.Equal((offset[0] - offset[2]).norm().item<double>(), DistanceMatrix.Of(offset)[0, 2], 1e-6);
    }

    [Fact]
    public void A_number_that_is_not_finite_is_refused()
    {
        using Tensor rows = tensor(new float[] { 0, float.NaN, 1, 2 }).reshape(2, 2);
        Assert.Throws<DoriException>(() => DistanceMatrix.Of(rows));
    }

    [Fact]
    public void Products_seen_from_group_means_are_those_of_the_centred_vectors()
    {
        RandomSource random = RandomSource.For("groups");
        double[][] points = [.. Points.Cloud(random, 4, 3, 5), .. Points.Cloud(random, 3, 3, -2)];
        int[] groups = [0, 0, 0, 0, 1, 1, 1];
        double[] products = Points.Distances(points).CentredProducts(groups);
        double[] Mean(int g) => [.. Enumerable.Range(0, 3).Select(d => points.Where((_, i) => groups[i] == g).Average(p => p[d]))];
        for (int i = 0; i < 7; i++)
            for (int j = 0; j < 7; j++)
                Assert.Equal(Enumerable.Range(0, 3).Sum(d => (points[i][d] - Mean(groups[i])[d]) * (points[j][d] - Mean(groups[j])[d])),
                    products[i * 7 + j], 10);
    }

    [Fact]
    public void Principal_components_of_a_line_and_of_a_known_ellipse()
    {
        PrincipalComponents line = PrincipalComponents.Of(Points.Distances([0, 0], [3, 4], [6, 8]));
        Assert.Equal(1, line.Shares.X, 10);
        Assert.Equal([5.0, 0, 5], line.Points.Select(p => Math.Round(Math.Abs(p.X), 9)));
        Assert.Equal(10, Math.Abs(line.Points[2].X - line.Points[0].X), 9);
        PrincipalComponents cross = PrincipalComponents.Of(Points.Distances([3, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0]));
        Assert.Equal(0.9, cross.Shares.X, 10); // 18 of 20
        Assert.Equal(0.1, cross.Shares.Y, 10);
    }
}
