using Dori.Audit;

namespace Dori.Reporting;

/// <summary>What the report needs beside the figures: the pictures, and what a reader needs to run the audit again.</summary>
internal sealed record ReportContext
{
    /// <summary>A picture of the set, by its path in the set: the file's bytes (PNG, JPEG, WebP or GIF), or null where it is
    /// gone.</summary>
    public required Func<string, byte[]?> OriginalPicture { get; init; }
    /// <summary>A generated picture, by its path in the run folder: the file's bytes, or null where it is gone.</summary>
    public required Func<string, byte[]?> GeneratedPicture { get; init; }
    /// <summary>The command that runs the audit again.</summary>
    public required string Command { get; init; }
    /// <summary>The program's version.</summary>
    public required string Version { get; init; }
    /// <summary>As it shall be printed; null leaves it out. The report never asks the clock.</summary>
    public string? Date { get; init; }
    /// <summary>What was run, on what, in the order to be printed: hashes, detector, device, dtype, threads, sampler, versions.</summary>
    public required IReadOnlyList<(string Name, string Value)> Facts { get; init; }
    /// <summary>What a pruning method says of the audited model; null where none does.</summary>
    public Mitigation.PruningRecord? Pruning { get; init; }
    /// <summary>Null where the ladder was not climbed.</summary>
    public LadderSummary? Ladder { get; init; }
    /// <summary>Null where no further random starts were tried.</summary>
    public PathsSummary? Paths { get; init; }
    /// <summary>Time and memory; null where not measured.</summary>
    public string? Cost { get; init; }
}
