using Dori.Diffusion;
using Dori.Locality;

namespace Dori.Tests.Locality;

/// <summary>Random points with known structure.</summary>
internal static class Points
{
    /// <summary>Normal points around (shift, 0, 0, ...).</summary>
    public static double[][] Cloud(RandomSource random, int count, int width, double shift = 0, double scale = 1) =>
        [.. Enumerable.Range(0, count)
            .Select(_ => Enumerable.Range(0, width).Select(d => scale * random.NextNormal() + (d == 0 ? shift : 0)).ToArray())];

    public static DistanceMatrix Distances(params IReadOnlyList<double[]> points)
    {
        int n = points.Count;
        var values = new double[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                values[i * n + j] = Math.Sqrt(points[i].Zip(points[j], (a, b) => (a - b) * (a - b)).Sum());
        return new DistanceMatrix(n, values);
    }

    public static int[] Range(int first, int count) => [.. Enumerable.Range(first, count)];

    /// <summary>Kolmogorov's distance of values in [0, 1] from the uniform distribution.</summary>
    public static double FromUniform(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Select((value, i) =>
            Math.Max(Math.Abs((i + 1.0) / sorted.Length - value), Math.Abs((double)i / sorted.Length - value))).Max();
    }
}
