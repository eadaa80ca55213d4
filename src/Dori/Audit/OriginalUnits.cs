namespace Dori.Audit;

/// <summary>What a run folder holds of the original: the ancestor that is expected to hold the pictures.</summary>
/// <param name="Control">Its own positive control; null where none is recorded.</param>
/// <param name="Notes">What was read of it otherwise than it says, one sentence each.</param>
/// <param name="Records">Of the audited items, checked against the plan.</param>
/// <param name="Wrong">Records that are not its units, one sentence each; they count as missing.</param>
internal sealed record OriginalUnits(PositiveControl? Control, IReadOnlyList<string> Notes, IReadOnlyList<UnitRecord> Records,
    IReadOnlyList<string> Wrong);
