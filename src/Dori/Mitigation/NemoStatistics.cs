namespace Dori.Mitigation;

/// <summary>
/// How strongly each value neuron answers to captions that are not memorized: mean and deviation over captions of its activation, which is
/// the mean over tokens of the value projection's absolute value (method.md section 4, step 1).
/// </summary>
internal sealed class NemoStatistics
{
    private NemoStatistics(double[][] mean, double[][] deviation, int captions) =>
        (Mean, Deviation, Captions) = (mean, deviation, captions);

    /// <summary>[layer][neuron]</summary>
    public IReadOnlyList<IReadOnlyList<double>> Mean { get; }
    /// <summary>[layer][neuron], of the sample (divided by captions - 1)</summary>
    public IReadOnlyList<IReadOnlyList<double>> Deviation { get; }
    public int Captions { get; }

    /// <param name="activations">[caption][layer][neuron], of at least two captions; see <see cref="Nemo.Activations"/></param>
    /// <exception cref="DoriException">Fewer than two captions.</exception>
    public static NemoStatistics Of(IReadOnlyList<double[][]> activations)
    {
        int n = activations.Count;
        if (n < 2)
            throw new DoriException(
            $"NeMo: {n} held-out captions; at least 2 are needed for a deviation, and some hundreds for a good one: give pictures with "
            + $"role control, or `Controls`");
        double[][] mean = Empty(), deviation = Empty();
        for (int layer = 0; layer < mean.Length; layer++)
        {
            for (int j = 0; j < mean[layer].Length; j++)
            {
                double m = activations.Average(caption => caption[layer][j]);
                mean[layer][j] = m;
                deviation[layer][j] = Math.Sqrt(activations.Sum(caption => (caption[layer][j] - m) * (caption[layer][j] - m)) / (n - 1));
            }
        }
        return new NemoStatistics(mean, deviation, n);

        double[][] Empty() => [.. activations[0].Select(layer => new double[layer.Length])];
    }

    /// <summary>|activation - mean| / deviation: how far out each neuron is, [layer][neuron].</summary>
    /// <param name="activations">[layer][neuron]</param>
    /// <returns>A neuron that never varies is infinitely far out where it does now, and NaN, which no threshold marks, where it does
    /// not.</returns>
    public double[][] Outliers(double[][] activations) =>
        [.. activations.Select((layer, l) => layer.Select((a, j) => Math.Abs(a - Mean[l][j]) / Deviation[l][j]).ToArray())];
}
