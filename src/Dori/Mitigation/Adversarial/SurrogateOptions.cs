namespace Dori.Mitigation.Adversarial;

/// <summary>How surrogates are made. All of it decides their bytes.</summary>
internal sealed record SurrogateOptions
{
    /// <summary>Surrogates wanted for each picture.</summary>
    public int Count { get; init; } = 8;
    /// <summary>Similarity to the picture above which a generation is rejected (Concept Ablation's filter).</summary>
    public double LargestSimilarity { get; init; } = 0.5;
    /// <summary>
    /// Wanda's sparsity, and those to fall back on one after the other where too few generations pass; ascending. Published: 1 %.
    /// </summary>
    public IReadOnlyList<double> Sparsities { get; init; } = [0.01, 0.02, 0.05, 0.1];
    /// <summary>Generations tried at each sparsity before the next.</summary>
    public int Attempts { get; init; } = 24;
    /// <summary>Latents sampled at a time; part of what decides the bytes.</summary>
    public int Batch { get; init; } = 4;

    /// <exception cref="DoriException">A value out of range.</exception>
    public void Check()
    {
        if (Count is < 1 or > 1000) throw new DoriException($"surrogates.count: {Count} is out of range; 1 to 1000 is possible");
        if (!(LargestSimilarity is > -1 and <= 1))
            throw new DoriException($"surrogates.largestSimilarity: {LargestSimilarity} is out of range; above -1 to 1 is possible");
        if (Sparsities.Count == 0 || Sparsities.Any(s => !(s is > 0 and <= 1))
            || !Sparsities.Zip(Sparsities.Skip(1)).All(pair => pair.First < pair.Second))
            throw new DoriException("surrogates.sparsities: shares above 0 to 1 in ascending order are wanted, such as 0.01,0.05,0.1");
        if (Attempts < Count || Batch is < 1 or > 1000)
            throw new DoriException($"surrogates: {Attempts} attempts for {Count} surrogates, {Batch} at a time; at least as many "
                + $"attempts as surrogates, and 1 to 1000 at a time, are possible");
    }
}
