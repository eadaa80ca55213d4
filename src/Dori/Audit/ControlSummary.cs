namespace Dori.Audit;

/// <summary>How the controls came out, and whether a verdict can rest on them.</summary>
public sealed record ControlSummary
{
    public required int Items { get; init; }
    /// <summary>Controls whose best similarity, over all starts and snapshots, passes the threshold.</summary>
    public required int AboveThreshold { get; init; }
    /// <summary>Fewest controls with which p can reach 0.05: 19.</summary>
    public required int Needed { get; init; }
    public required bool Enough { get; init; }
    /// <summary>Smallest p-value that this many controls can give: 1 / (1 + controls).</summary>
    public required double SmallestPValue { get; init; }
    /// <summary>False discovery rate of the Benjamini-Hochberg list.</summary>
    public required double FalseDiscoveryRate { get; init; }
}
