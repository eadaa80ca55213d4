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
    /// <summary>Whether pictures are shown, or called by their hashes alone: not every picture may be passed on.</summary>
    public bool Pictures { get; init; } = true;
    /// <summary>Whether the run folder holds a picture of this path.</summary>
    public Func<string, bool> HasPicture { get; init; } = _ => false;
    /// <summary>
    /// Where the whole file of a picture of the set lies, relative to the report, by its path in the set; null: nowhere.
    /// </summary>
    public Func<string, string?> OriginalFile { get; init; } = _ => null;
    /// <summary>The command that runs the audit again.</summary>
    public required string Command { get; init; }
    /// <summary>The program's version.</summary>
    public required string Version { get; init; }
    /// <summary>Who had it computed and when; the report never asks the clock.</summary>
    public RunLog Log { get; init; } = new();
    /// <summary>
    /// What a page is told from others by, under the title and on every printed page: model and detector by their hashes, seed, sampler,
    /// guidance, machine.
    /// </summary>
    public string Identity { get; init; } = "";
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
