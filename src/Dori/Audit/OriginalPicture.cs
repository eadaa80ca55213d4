namespace Dori.Audit;

/// <summary>What the original gives back of one audited item.</summary>
/// <param name="Similarity">Best over all generations of all starts and snapshots, prompt included; -1 where no unit is there.</param>
/// <param name="Start">The start that gave it; empty where no unit is there.</param>
/// <param name="Step">Search steps after which it came; 0 for the prompt.</param>
/// <param name="PromptSimilarity">Best by the prompt alone; -1 where it was not tried.</param>
/// <param name="GivenBack">Whether the best passes the threshold.</param>
/// <param name="Complete">Whether every start has been searched.</param>
public sealed record OriginalPicture(string Item, double Similarity, AuditStart? Start, int Step, double PromptSimilarity, bool GivenBack,
    bool Complete);
