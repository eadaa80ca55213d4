using Dori.Diffusion;
using Dori.Locality;

namespace Dori.Tests.Locality;

public class TsneTests
{
    [Theory]
    [InlineData(5)]
    [InlineData(20)]
    public void Every_row_has_the_wanted_perplexity(double perplexity)
    {
        RandomSource random = RandomSource.For("perplexity");
        DistanceMatrix d = Points.Distances([.. Points.Cloud(random, 30, 5), .. Points.Cloud(random, 30, 5, 40, 100)]);
        for (int i = 0; i < d.Count; i++)
        {
            double[] p = Tsne.Conditional(d, i, perplexity);
            Assert.Equal(0, p[i]);
            Assert.Equal(1, p.Sum(), 10);
            Assert.Equal(perplexity, Math.Exp(-p.Where(v => v > 0).Sum(v => v * Math.Log(v))), 6);
        }
        double[] joint = Tsne.Affinities(d, perplexity);
        Assert.Equal(1, joint.Sum(), 10);
        Assert.Equal(joint[1 * 60 + 2], joint[2 * 60 + 1]);
    }

    [Fact]
    public void The_gradient_agrees_with_finite_differences()
    {
        RandomSource random = RandomSource.For("gradient");
        double[] p = Tsne.Affinities(Points.Distances(Points.Cloud(random, 12, 5)), 4);
        double[] y = [.. Enumerable.Range(0, 24).Select(_ => random.NextNormal())], gradient = new double[24], unused = new double[24];
        Tsne.Gradient(p, y, gradient);
        const double h = 1e-5;
        for (int i = 0; i < y.Length; i++)
        {
            double[] up = [.. y], down = [.. y];
            up[i] += h;
            down[i] -= h;
            Assert.Equal((Tsne.Gradient(p, up, unused) - Tsne.Gradient(p, down, unused)) / (2 * h), gradient[i], 7);
        }
    }

    [Fact]
    public void Three_clusters_stay_three_and_the_same_input_gives_the_same_picture()
    {
        RandomSource random = RandomSource.For("three");
        double[][] points =
            [.. Enumerable.Range(0, 3).SelectMany(c => Points.Cloud(random, 15, 10, 0).Select(p => { p[c] += 15; return p; }))];
        int[] labels = [.. Enumerable.Range(0, 45).Select(i => i / 15)];
        DistanceMatrix d = Points.Distances(points);
        IReadOnlyList<(double X, double Y)> y = Tsne.Embed(d);
        DistanceMatrix shown = Points.Distances([.. y.Select(p => new[] { p.X, p.Y })]);
        Assert.All(Clusters.Silhouettes(shown, labels), s => Assert.True(s > 0.5));
        Assert.Equal(y, Tsne.Embed(d));
        Assert.Equal(0, y.Sum(p => p.X), 6);
    }

    [Fact]
    public void It_lowers_the_divergence_and_takes_points_that_coincide()
    {
        RandomSource random = RandomSource.For("divergence");
        double[][] cloud = Points.Cloud(random, 20, 6);
        DistanceMatrix d = Points.Distances([.. cloud, cloud[0], cloud[0]]);
        double[] p = Tsne.Affinities(d, 7), unused = new double[44];
        double[] Flat(IReadOnlyList<(double X, double Y)> y) => [.. y.SelectMany(v => new[] { v.X, v.Y })];
        double[] start = Flat(PrincipalComponents.Of(d).Points);
        double after = Tsne.Gradient(p, Flat(Tsne.Embed(d)), unused);
        Assert.True(double.IsFinite(after) && after < Tsne.Gradient(p, start, unused));
    }
}
