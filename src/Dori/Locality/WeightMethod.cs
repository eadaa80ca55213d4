using Dori.Measures;

namespace Dori.Locality;

/// <summary>One pruning method's part.</summary>
internal sealed record WeightMethod
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
