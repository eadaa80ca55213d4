using Dori.Audit;
using Dori.Reporting;

namespace Dori.Cli;

/// <summary>What the verbs that have a gate are asked of it.</summary>
/// <param name="Asked">Whether the exit code is to answer.</param>
/// <param name="Baseline">An earlier <c>gate.sarif</c>.</param>
/// <param name="FailIf">A <see cref="GateRule"/>.</param>
internal sealed record GateOptions(bool Asked, string? Baseline, string? FailIf)
{
    public const string AskedText =
            "Exit code 0 only where every picture is not found; 1 where one is retained or undecided, 2 where it is not known; writes "
            + "gate.junit.xml and gate.sarif",
        BaselineText = "An earlier run's gate.sarif: findings that it holds do not shut the gate (with --gate)",
        FailIfText =
            "When findings shut the gate, such as 'upper(rate) > 0.05' (default: always): rate, lower(rate), upper(rate) or found, "
            + "compared with a number (with --gate)";

    private GateRule? Rule => FailIf is null ? null : GateRule.Parse(FailIf);

    /// <summary>Before the work, not after it.</summary>
    /// <exception cref="DoriException">Options that cannot be.</exception>
    public void Check()
    {
        if (!Asked && (Baseline is not null || FailIf is not null)) throw new DoriException("--baseline and --fail-if belong to --gate");
        if (Baseline is { } file && !File.Exists(file)) throw new DoriException($"--baseline {file}: no such file");
        _ = Rule;
    }

    /// <exception cref="DoriException">The gate was asked, and it is not known whether the pictures are gone.</exception>
    public int ExitCode(RunFolder run, Summary summary)
    {
        if (!Asked) return DoriApp.Done;
        IReadOnlySet<string> known = Baseline is null ? new HashSet<string>() : GateFiles.Known(Baseline, run);
        GateFiles.Write(run, summary, known);
        var result = Gate.Of(summary, known, Rule);
        if (result.Outcome == GateOutcome.Unknown)
            throw new DoriException($"--gate: {result.Reason}, so the gate cannot open; see the report");
        return result.Outcome == GateOutcome.Open ? DoriApp.Done : DoriApp.Gate;
    }
}
