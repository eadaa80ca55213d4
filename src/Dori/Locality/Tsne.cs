namespace Dori.Locality;

/// <summary>
/// Exact t-SNE (van der Maaten and Hinton 2008): a picture of who is near whom. Nothing in it is random: it begins from the principal
/// components, and the same distances give the same picture.
/// </summary>
internal static class Tsne
{
    private const int Exaggerated = 250;
    private const double Exaggeration = 12, SmallestGain = 0.01;

    /// <param name="perplexity">Effective number of neighbours; held at a third of the points where there are few. Null: 30</param>
    /// <param name="iterations">Of gradient descent, the first 250 with early exaggeration</param>
    /// <returns>One point a vector, around (0, 0)</returns>
    public static IReadOnlyList<(double X, double Y)> Embed(DistanceMatrix distances, double? perplexity = null, int iterations = 1000)
    {
        int n = distances.Count;
        if (n < 4) return PrincipalComponents.Of(distances).Points;
        double[] p = Affinities(distances, Math.Min(perplexity ?? 30, (n - 1) / 3.0));
        double[] y = Start(distances), gradient = new double[2 * n], velocity = new double[2 * n], gains = new double[2 * n];
        Array.Fill(gains, 1);
        double rate = Math.Max(n / Exaggeration / 4, 50); // Belkina et al. 2019
        double[] exaggerated = [.. p.Select(value => value * Exaggeration)];
        for (int step = 0; step < iterations; step++)
        {
            Gradient(step < Exaggerated ? exaggerated : p, y, gradient);
            double momentum = step < Exaggerated ? 0.5 : 0.8;
            for (int i = 0; i < y.Length; i++)
            {
                gains[i] = Math.Max(SmallestGain, velocity[i] * gradient[i] < 0 ? gains[i] + 0.2 : gains[i] * 0.8); // Jacobs 1988
                velocity[i] = momentum * velocity[i] - rate * gains[i] * gradient[i];
                y[i] += velocity[i];
            }
        }
        double[] mean = [0, 0];
        for (int i = 0; i < y.Length; i++) mean[i % 2] += y[i] / n;
        return [.. Enumerable.Range(0, n).Select(i => (y[2 * i] - mean[0], y[2 * i + 1] - mean[1]))];
    }

    /// <summary>The first two principal components, the first with standard deviation 1e-4.</summary>
    private static double[] Start(DistanceMatrix distances)
    {
        (double X, double Y)[] points = [.. PrincipalComponents.Of(distances).Points];
        double deviation = Math.Sqrt(points.Average(point => point.X * point.X)), scale = deviation > 0 ? 1e-4 / deviation : 1;
        return [.. points.SelectMany(point => new[] { point.X * scale, point.Y * scale })];
    }

    /// <summary>Joint probabilities p_ij = (p_j|i + p_i|j) / 2 n, each p_.|i with the wanted perplexity.</summary>
    /// <returns>n x n, row by row; sum 1</returns>
    internal static double[] Affinities(DistanceMatrix distances, double perplexity)
    {
        int n = distances.Count;
        double[][] rows = [.. Enumerable.Range(0, n).Select(i => Conditional(distances, i, perplexity))];
        var joint = new double[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                joint[i * n + j] = (rows[i][j] + rows[j][i]) / (2 * n);
        return joint;
    }

    /// <summary>p_j|i: a Gaussian around i as wide as the perplexity, exp of its entropy, asks for. Bisection on the precision.</summary>
    internal static double[] Conditional(DistanceMatrix distances, int i, double perplexity)
    {
        int n = distances.Count;
        double nearest = Enumerable.Range(0, n).Where(j => j != i).Min(j => distances[i, j] * distances[i, j]);
        double mean = Enumerable.Range(0, n).Sum(j => distances[i, j] * distances[i, j]) / (n - 1);
        double low = 0, high = double.PositiveInfinity, beta = mean > 0 ? 1 / mean : 1;
        var p = new double[n];
        for (int step = 0; step < 200; step++)
        {
            double sum = 0, weighted = 0;
            for (int j = 0; j < n; j++)
            {
                double d = distances[i, j] * distances[i, j] - nearest; // the shift cancels, and keeps the largest term at 1
                p[j] = j == i ? 0 : Math.Exp(-beta * d);
                sum += p[j];
                weighted += p[j] * d;
            }
            double entropy = Math.Log(sum) + beta * weighted / sum, off = entropy - Math.Log(perplexity);
            for (int j = 0; j < n; j++) p[j] /= sum;
            if (Math.Abs(off) < 1e-10) break;
            if (off > 0) low = beta;
            else high = beta;
            beta = double.IsInfinity(high) ? beta * 2 : (low + high) / 2;
        }
        return p;
    }

    /// <summary>KL(P || Q) with Student-t similarities q_ij, and its gradient 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i -
    /// y_j|^2).</summary>
    /// <param name="y">x0, y0, x1, y1, ...</param>
    /// <param name="gradient">Filled; as long as <paramref name="y"/></param>
    internal static double Gradient(double[] p, double[] y, double[] gradient)
    {
        int n = y.Length / 2;
        var kernel = new double[n * n];
        double sum = 0, divergence = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++)
            {
                double dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1];
                sum += 2 * (kernel[i * n + j] = kernel[j * n + i] = 1 / (1 + dx * dx + dy * dy));
            }
        Array.Clear(gradient);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
            {
                if (i == j) continue;
                double k = kernel[i * n + j], q = k / sum, pij = p[i * n + j], pull = 4 * (pij - q) * k;
                gradient[2 * i] += pull * (y[2 * i] - y[2 * j]);
                gradient[2 * i + 1] += pull * (y[2 * i + 1] - y[2 * j + 1]);
                if (pij > 0) divergence += pij * Math.Log(pij / q);
            }
        return divergence;
    }
}
