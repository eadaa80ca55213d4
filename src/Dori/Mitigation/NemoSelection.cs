namespace Dori.Mitigation;

/// <summary>What the selection came to.</summary>
/// <param name="Initial">Neurons of the initial selection.</param>
/// <param name="InitialSimilarity">Similarity of blocked to unblocked under it.</param>
/// <param name="Theta">Outliers beyond which it marked.</param>
/// <param name="TopK">Most active neurons a layer that it marked besides.</param>
/// <param name="Threshold">What the refinement held similarities against: the one asked for, or, where no selection reached it, the best
/// reached.</param>
/// <param name="Refined">Neurons that remain.</param>
/// <param name="RefinedSimilarity">Similarity under those.</param>
/// <param name="Evaluations">Blocked sets that were tried.</param>
internal sealed record NemoSelected(NemoNeurons Initial, double InitialSimilarity, double Theta, int TopK, double Threshold,
    NemoNeurons Refined, double RefinedSimilarity, int Evaluations);

/// <summary>
/// NeMo's choice of neurons, apart from the network (method.md section 4, steps 4 and 5): it knows activations and a function that says
/// how similar the noise differences stay when a set of neurons is blocked.
/// </summary>
/// <param name="similarity">
/// (blocked, enough) -> the similarity. Where that is at least enough, any value from enough up to it will do: the set is refused all the
/// same.
/// </param>
internal sealed class NemoSelection(double[][] activations, double[][] outliers, Func<NemoNeurons, double, double> similarity,
    double threshold)
{
    private const double FirstTheta = 5, ThetaStep = 0.25, LastTheta = 1;
    private int _evaluations;

    public NemoSelected Run()
    {
        (NemoNeurons initial, double reached, double theta, int k, double limit) = Initial();
        (NemoNeurons refined, double after) = Refine(initial, reached, limit);
        return new NemoSelected(initial, reached, theta, k, limit, refined, after, _evaluations);
    }

    /// <summary>
    /// Marks more and more neurons until blocking them changes the differences enough. As in the published code, the descent ends when
    /// theta arrives at 1, before anything is marked at 1: the last selection is that of 1.25.
    /// </summary>
    private (NemoNeurons, double Similarity, double Theta, int TopK, double Limit) Initial()
    {
        double theta = FirstTheta;
        NemoNeurons? marked = null;
        double reached = 1;
        for (int k = 0; ; k++, theta -= ThetaStep)
        {
            NemoNeurons next = Mark(theta, k);
            if (marked is null || !next.SameAs(marked)) reached = Similarity(next, double.PositiveInfinity);
            marked = next;
            if (reached <= threshold) return (marked, reached, theta, k, threshold);
            if (theta - ThetaStep <= LastTheta) return (marked, reached, theta, k, reached);
        }
    }

    internal NemoNeurons Mark(double theta, int k) => new(activations.Select((layer, l) =>
        Enumerable.Range(0, layer.Length).Where(j => outliers[l][j] > theta)
            .Concat(Enumerable.Range(0, layer.Length).OrderByDescending(j => layer[j]).ThenBy(j => j).Take(k))));

    /// <summary>Gives back what is not needed to stay below the limit: whole layers, then neurons, both from the last layer to the
    /// first.</summary>
    private (NemoNeurons, double) Refine(NemoNeurons marked, double reached, double limit)
    {
        for (int layer = marked.Layers.Count - 1; layer >= 0; layer--)
            if (marked.Layers[layer].Count > 0) Try(marked.Without(layer));
        for (int layer = marked.Layers.Count - 1; layer >= 0; layer--)
            foreach (int neuron in marked.Layers[layer]) Try(marked.Without(layer, neuron));
        return (marked, reached);

        void Try(NemoNeurons fewer)
        {
            double without = Similarity(fewer, limit);
            if (without < limit) (marked, reached) = (fewer, without);
        }
    }

    private double Similarity(NemoNeurons blocked, double enough)
    {
        if (blocked.Count == 0) return 1; // nothing is blocked: the differences are the same
        _evaluations++;
        return similarity(blocked, enough);
    }
}
