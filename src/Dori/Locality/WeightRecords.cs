using Dori.Measures;

namespace Dori.Locality;

/// <summary>Third chapter: do the triggers of one picture use the same weights, and does pruning for one silence the others?</summary>
public sealed record WeightSpace
{
    public required LocalityVerdict Verdict { get; init; }
    public required IReadOnlyList<WeightMethod> Methods { get; init; }
}

/// <summary>One pruning method's part.</summary>
public sealed record WeightMethod
{
    /// <summary>NeMo or Wanda.</summary>
    public required string Method { get; init; }
    /// <summary>Captions of different audited pictures that the triggers are compared with.</summary>
    public required int Captions { get; init; }
    public required IReadOnlyList<WeightLayer> Layers { get; init; }
    /// <summary>Over all pictures; null where no picture has two triggers.</summary>
    public TransferRates? Transfer { get; init; }
    public required IReadOnlyList<WeightPicture> Pictures { get; init; }
}

/// <summary>Agreement at a layer: mean intersection over union of what is marked, pairs of two empty sets apart.</summary>
public sealed record WeightLayer
{
    public required string Layer { get; init; }
    /// <summary>Weights of the layer.</summary>
    public required long Weights { get; init; }
    /// <summary>Mean number marked for a trigger.</summary>
    public required double Marked { get; init; }
    /// <summary>Between triggers of one picture; null where all pairs are empty.</summary>
    public required double? Triggers { get; init; }
    /// <summary>Share of those pairs in which neither marks anything: agreement by definition only.</summary>
    public required double TriggersEmpty { get; init; }
    /// <summary>Between captions of different pictures: the null.</summary>
    public required double? Captions { get; init; }
    public required double CaptionsEmpty { get; init; }
    /// <summary>Between triggers of different pictures; null with one picture, or where all pairs are empty.</summary>
    public required double? OtherTriggers { get; init; }
    /// <summary>Triggers minus Captions with its 95 % bootstrap interval; null where one is missing.</summary>
    public required Interval? Difference { get; init; }
    /// <summary>Permutation test of no difference, two-sided.</summary>
    public required double? PValue { get; init; }
    /// <summary>Whether one picture's triggers agree more than captions: the interval lies above 0; null where there is nothing to compare.</summary>
    public bool? Closer => Difference is null ? null : Difference.Low > 0;
}

/// <summary>How many triggers still bring their picture back after pruning. Intervals count each trigger once, as its pairs depend on each other.</summary>
/// <param name="Own">What the trigger itself marks was pruned.</param>
/// <param name="Other">What another trigger of the same picture marks was pruned.</param>
/// <param name="Null">What a different picture's caption marks was pruned.</param>
public sealed record TransferRates(Rate Own, int OwnTried, Rate Other, int OtherTried, Rate Null, int NullTried);

/// <summary>One picture's causal test with one method.</summary>
public sealed record WeightPicture
{
    public string Schema { get; init; } = "dori.locality.weights/1";
    /// <summary>What decided the figures; other settings are computed anew.</summary>
    public required string Settings { get; init; }
    public required string Method { get; init; }
    public required string Item { get; init; }
    /// <summary>Numbers of the searches whose ends are tested.</summary>
    public required IReadOnlyList<int> Triggers { get; init; }
    /// <summary>Best similarity from each trigger without any pruning.</summary>
    public required IReadOnlyList<double> Unpruned { get; init; }
    /// <summary>[pruned for trigger i][generated from trigger j]: best similarity.</summary>
    public required IReadOnlyList<IReadOnlyList<double>> Transfer { get; init; }
    /// <summary>[pruned for a different picture's caption][generated from trigger j].</summary>
    public required IReadOnlyList<IReadOnlyList<double>> Null { get; init; }
    /// <summary>Ascending number of triggers.</summary>
    public required IReadOnlyList<UnionStep> Unions { get; init; }
}

/// <summary>Pruning what the first so many triggers mark together, and searching anew.</summary>
/// <param name="Triggers">0: nothing is pruned.</param>
/// <param name="Marked">Weights set to 0.</param>
/// <param name="Share">Of the weights of the layers that the method looks at.</param>
/// <param name="Found">A fresh search still brings the picture back.</param>
/// <param name="Searches">Fresh searches made: they end with the first that finds the picture.</param>
/// <param name="Similarity">Best over these.</param>
/// <param name="LossRatio">Denoising loss on ordinary pictures over the unpruned model's: the quality lost.</param>
public sealed record UnionStep(int Triggers, long Marked, double Share, bool Found, int Searches, double Similarity, double LossRatio);
