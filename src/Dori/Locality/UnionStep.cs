using Dori.Measures;

namespace Dori.Locality;

/// <summary>Pruning what the first so many triggers mark together, and searching anew.</summary>
/// <param name="Triggers">0: nothing is pruned.</param>
/// <param name="Marked">Weights set to 0.</param>
/// <param name="Share">Of the weights of the layers that the method looks at.</param>
/// <param name="Found">A fresh search still brings the picture back.</param>
/// <param name="Searches">Fresh searches made: they end with the first that finds the picture.</param>
/// <param name="Similarity">Best over these.</param>
/// <param name="LossRatio">Denoising loss on ordinary pictures over the unpruned model's: the quality lost.</param>
internal sealed record UnionStep(int Triggers, long Marked, double Share, bool Found, int Searches, double Similarity, double LossRatio);
