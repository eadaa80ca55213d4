namespace Dori.Audit;

/// <summary>Another model that a run searches for the same pictures, in a run folder within its own.</summary>
internal enum Beside
{
    /// <summary>The ancestor that is expected to hold the pictures: its audited items.</summary>
    Original,
    /// <summary>A model that is expected not to hold them: all items, since the controls say what differs without memory.</summary>
    Reference,
}

/// <summary>What a run folder holds of another model.</summary>
/// <param name="Control">Its own positive control; null where none is recorded.</param>
/// <param name="Notes">What was read of it otherwise than it says, one sentence each.</param>
/// <param name="Records">Checked against the plan.</param>
/// <param name="Wrong">Records that are not its units, one sentence each; they count as missing.</param>
internal sealed record BesideUnits(PositiveControl? Control, IReadOnlyList<string> Notes, IReadOnlyList<UnitRecord> Records,
    IReadOnlyList<string> Wrong);
