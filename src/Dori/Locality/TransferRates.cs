using Dori.Measures;

namespace Dori.Locality;

/// <summary>How many triggers still bring their picture back after pruning. Intervals count each trigger once, as its pairs depend on each
/// other.</summary>
/// <param name="Own">What the trigger itself marks was pruned.</param>
/// <param name="Other">What another trigger of the same picture marks was pruned.</param>
/// <param name="Null">What a different picture's caption marks was pruned.</param>
internal sealed record TransferRates(Rate Own, int OwnTried, Rate Other, int OtherTried, Rate Null, int NullTried);
