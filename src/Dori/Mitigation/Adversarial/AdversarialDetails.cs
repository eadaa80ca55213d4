namespace Dori.Mitigation.Adversarial;

/// <summary>
/// What adversarial fine-tuning has to say in a <see cref="MitigationRecord"/>. Holds no times: the same training writes the same.
/// </summary>
internal sealed record AdversarialDetails
{
    /// <summary>Where the ordinary pairs come from; below, how many were used, and how many left out as copies.</summary>
    public required IReadOnlyList<RecordedSource> Ordinary { get; init; }
    public required int OrdinaryPairs { get; init; }
    public required int OrdinaryDropped { get; init; }
    public required RecordedSource CopyDetector { get; init; }
    /// <summary>float32's last bits depend on it.</summary>
    public required int ThreadsEach { get; init; }
    public required IReadOnlyList<RecordedSurrogates> Surrogates { get; init; }
    /// <summary>Outer steps: done, and planned.</summary>
    public int Steps { get; init; }
    public int PlannedSteps { get; init; }
    public IReadOnlyList<HeldOutCheck> Checks { get; init; } = [];
}

/// <param name="Id">The picture's.</param>
internal sealed record RecordedSurrogates(string Id, string Caption, IReadOnlyList<float> Similarities, IReadOnlyList<double> Sparsities);
