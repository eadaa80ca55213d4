using Dori.Measures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Measures;

public class SimilarityTests
{
    private static Tensor Angles(params double[] degrees) =>
        tensor(degrees.SelectMany(d => new[] { (float)Math.Cos(d * Math.PI / 180), (float)Math.Sin(d * Math.PI / 180) }).ToArray(),
            [degrees.Length, 2]);

    [Fact]
    public void Cosine_is_the_angles()
    {
        using var scope = NewDisposeScope();
        Tensor cosines = Similarity.Matrix(Angles(0, 90), Angles(0, 60, 180));
        Assert.True(cosines.allclose(tensor(new[] { 1f, 0.5f, -1f, 0f, MathF.Sqrt(3) / 2, 0f }, [2, 3]), atol: 1e-6));
    }

    [Fact]
    public void The_nearest_reference_counts()
    {
        using var scope = NewDisposeScope();
        float[] best = Similarity.ToReferences(Angles(10, 100, 250), Angles(0, 90));
        Assert.Equal([Math.Cos(Math.PI / 18), Math.Cos(Math.PI / 18), Math.Cos(Math.PI * 110 / 180)], best.Select(b => (double)b),
            (a, b) => Math.Abs(a - b) < 1e-6);
    }

    [Fact]
    public void Diversity_is_the_median_of_the_pairs()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(0.5, Similarity.Diversity(Angles(0, 60, 90)), 6); // pairs at 60, 90 and 30 degrees
        Assert.Equal(1, Similarity.Diversity(Angles(30)));
    }
}
