namespace Dori.Mitigation.Adversarial;

/// <summary>Losses of one outer step.</summary>
/// <param name="Ordinary">Mean over the ordinary rows.</param>
/// <param name="Adversarial">Mean over the others.</param>
/// <param name="GradientNorm">Of all weights' gradients as one vector.</param>
/// <param name="Search">Mean of the searches' last losses; null where none were made for this step.</param>
/// <param name="GuidanceShortfall">See <see cref="TrainingRows.Shortfall"/>; NaN where ordinary pairs do not come in twos.</param>
internal readonly record struct StepLosses(double Ordinary, double Adversarial, double GradientNorm, double? Search,
    double GuidanceShortfall)
{
    public const string OrdinaryName = "ordinary";

    /// <summary>
    /// Mean loss on ordinary pairs, over so many steps, above which training has diverged: what is to be predicted has variance 1, and
    /// predicting nothing costs that.
    /// </summary>
    private const double DivergedLoss = 0.5;

    private const int DivergenceWindow = 16;

    /// <summary>A collapsed model is silent as well: it must not pass for one that has forgotten.</summary>
    /// <param name="ordinary">Loss on ordinary pairs, of the steps so far.</param>
    public static bool HaveDiverged(IReadOnlyList<double> ordinary) =>
        ordinary.Count >= DivergenceWindow && ordinary.Skip(ordinary.Count - DivergenceWindow).Average() > DivergedLoss;

    /// <summary>By name, for the record; what there is not is left out.</summary>
    public IReadOnlyDictionary<string, double> Named()
    {
        var named = new SortedDictionary<string, double>(StringComparer.Ordinal)
        {
            [OrdinaryName] = Ordinary, ["adversarial"] = Adversarial, ["gradientNorm"] = GradientNorm,
        };
        if (Search is { } search) named["search"] = search;
        if (!double.IsNaN(GuidanceShortfall)) named["guidanceShortfall"] = GuidanceShortfall;
        return named;
    }
}
