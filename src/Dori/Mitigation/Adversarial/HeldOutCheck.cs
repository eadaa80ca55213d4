namespace Dori.Mitigation.Adversarial;

/// <summary>One small audit on the way. It stands for progress, not for the verdict: that is a whole audit's, with controls.</summary>
/// <param name="Step">Outer steps done.</param>
/// <param name="Prompt">Best similarity of each picture's generations from its caption.</param>
/// <param name="Search">The same after a search from its caption.</param>
/// <param name="Random">The same after a search from N(0, I).</param>
internal sealed record HeldOutCheck(int Step, IReadOnlyList<float> Prompt, IReadOnlyList<float> Search, IReadOnlyList<float> Random)
{
    /// <summary>Pictures that come back from any of the three.</summary>
    /// <param name="threshold">Similarity above which a generation is a copy.</param>
    public int Retained(double threshold) =>
        Enumerable.Range(0, Prompt.Count).Count(i => Prompt[i] > threshold || Search[i] > threshold || Random[i] > threshold);
}
