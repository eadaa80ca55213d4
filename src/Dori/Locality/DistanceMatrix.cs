using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>Pairwise Euclidean distances of a set of vectors: all that the statistics of this room look at.</summary>
internal sealed class DistanceMatrix
{
    private const long ChunkElements = 1 << 22;
    private readonly double[] _values; // row by row

    /// <param name="values">count x count, row by row; symmetric, zero on the diagonal</param>
    public DistanceMatrix(int count, double[] values)
    {
        if (values.Length != count * count)
            throw new ArgumentException($"{count} items have {count * count} distances, not {values.Length}.", nameof(values));
        (Count, _values) = (count, values);
    }

    /// <summary>Vectors.</summary>
    public int Count { get; }

    public double this[int i, int j] => _values[i * Count + j];

    /// <param name="rows">(N, ...), any floating type; each row is one vector</param>
    /// <exception cref="DoriException">A value is not finite.</exception>
    public static DistanceMatrix Of(Tensor rows)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        int n = (int)rows.shape[0];
        Tensor flat = rows.detach().reshape(n, -1).cpu(); // (N, D)
        long width = flat.shape[1], chunk = Math.Max(1, ChunkElements / Math.Max(n, 1));
        Tensor gram = zeros(n, n, float64);
        for (long at = 0; at < width; at += chunk)
        {
            using var inner = NewDisposeScope();
            Tensor part = flat.narrow(1, at, Math.Min(chunk, width - at)).to(float64);
            // Seen from their mean, vectors that lie close together keep the digits in which they differ.
            part = part.Plus(part.mean([0L], keepdim: true), -1);
            gram.Add_(matmul(part, part.t()));
        }
        double[] products = gram.contiguous().data<double>().ToArray();
        var values = new double[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++)
            {
                double squared = products[i * n + i] + products[j * n + j] - 2 * products[i * n + j];
                if (!double.IsFinite(squared))
                    throw new DoriException(
                    $"locality: vector {i} or {j} holds a number that is not finite; the search diverged, or the model is broken");
                values[i * n + j] = values[j * n + i] = Math.Sqrt(Math.Max(0, squared));
            }
        return new DistanceMatrix(n, values);
    }

    /// <summary>Distances among some of the vectors, in the order given.</summary>
    public DistanceMatrix Of(IReadOnlyList<int> items)
    {
        int n = items.Count;
        var values = new double[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                values[i * n + j] = this[items[i], items[j]];
        return new DistanceMatrix(n, values);
    }

    /// <summary>Mean over the pairs of different vectors; an item may be named twice (a bootstrap sample), and is no pair with
    /// itself.</summary>
    /// <returns>NaN where there is no pair.</returns>
    public double Mean(IReadOnlyList<int> items)
    {
        double sum = 0;
        int pairs = 0;
        for (int a = 0; a < items.Count; a++)
            for (int b = 0; b < a; b++)
            {
                if (items[a] == items[b]) continue;
                sum += this[items[a], items[b]];
                pairs++;
            }
        return sum / pairs;
    }

    /// <summary>Mean over the pairs of one vector from each side.</summary>
    public double MeanBetween(IReadOnlyList<int> first, IReadOnlyList<int> second)
    {
        double sum = 0;
        foreach (int i in first)
            foreach (int j in second)
                sum += this[i, j];
        return sum / ((double)first.Count * second.Count);
    }

    /// <summary>
    /// Inner products of the vectors, each seen from the mean of its own group: distances alone tell them (Gower 1966).
    /// </summary>
    /// <param name="groups">Group of each vector, 0 .. G - 1; all 0 gives the products seen from the common mean.</param>
    /// <returns>count x count, row by row</returns>
    internal double[] CentredProducts(int[] groups)
    {
        int n = Count, g = groups.Max() + 1;
        var size = new int[g];
        foreach (int group in groups) size[group]++;
        var product = new double[n * n];
        var toGroup = new double[n * g]; // mean product of a vector with a group
        var between = new double[g * g];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
            {
                double value = product[i * n + j] = -0.5 * this[i, j] * this[i, j]; // up to terms of i and of j alone, which cancel below
                toGroup[i * g + groups[j]] += value / size[groups[j]];
            }
        for (int i = 0; i < n; i++)
            for (int b = 0; b < g; b++)
                between[groups[i] * g + b] += toGroup[i * g + b] / size[groups[i]];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                product[i * n + j] += between[groups[i] * g + groups[j]] - toGroup[j * g + groups[i]] - toGroup[i * g + groups[j]];
        return product;
    }

    /// <summary>(N, N), float32: for files.</summary>
    public Tensor ToTensor() => tensor(_values.Select(v => (float)v).ToArray(), [Count, Count]);
}
