namespace Dori.Mitigation.Adversarial;

/// <summary>
/// A small audit during training, with starts and seeds that training never uses. Costs time, draws nothing that training draws.
/// </summary>
internal sealed record HeldOutOptions
{
    /// <summary>Outer steps from one check to the next; 0: there are none.</summary>
    public int Every { get; init; }
    /// <summary>The first so many pictures.</summary>
    public int Pictures { get; init; } = 4;
    /// <summary>Pictures generated from each prompt and each search.</summary>
    public int Generations { get; init; } = 4;
    /// <summary>Steps of each search: as many as the audit will take.</summary>
    public int SearchSteps { get; init; } = 50;
    /// <summary>Checks in a row that must find nothing for training to stop early; 0: it never does.</summary>
    public int Patience { get; init; } = 2;

    internal IEnumerable<(string Name, double Value, double Low, double High)> Ranges() =>
    [
        ("heldOut.every", Every, 1, 1_000_000), ("heldOut.pictures", Pictures, 1, 100_000), ("heldOut.generations", Generations, 1, 1000),
        ("heldOut.searchSteps", SearchSteps, 1, 100_000), ("heldOut.patience", Patience, 0, 1000),
    ];
}
