using Dori.Measures;

namespace Dori.Locality;

/// <summary>One picture's causal test with one method.</summary>
internal sealed record WeightPicture
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
