using System.ComponentModel;
using Dori.Audit;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class ReportSettings : CommonSettings
{
    [CommandArgument(0, "<RUN>"), Description("A run folder; its summary, tables and report are written anew")]
    public string Run { get; init; } = "";

    [CommandArgument(1, "[SHARD]"), Description("Run folders of other shards of the same run, whose units are taken over")]
    public string[] Shards { get; init; } = [];

    [CommandOption("--mixed-devices"), Description("Merge shards of other kinds of device, numbers or threads too; the report says so")]
    public bool MixedDevices { get; init; }

    [CommandOption("--gate"), Description(GateOptions.AskedText)]
    public bool Gate { get; init; }

    [CommandOption("--baseline <FILE>"), Description(GateOptions.BaselineText)]
    public string? Baseline { get; init; }

    [CommandOption("--fail-if <RULE>"), Description(GateOptions.FailIfText)]
    public string? FailIf { get; init; }

    public GateOptions GateOptions => new(Gate, Baseline, FailIf);

    [CommandOption("--no-pictures"), Description("Hashes, scores and verdicts only: for pictures that may not be passed on")]
    public bool NoPictures { get; init; }

    [CommandOption("--threads <N>", IsHidden = true), Description("Nothing: scripts give it to every verb")]
    public int? ThreadCount { get; init; }
}

internal sealed class ReportCommand(Shell shell) : Command<ReportSettings>
{
    protected override int Execute(CommandContext context, ReportSettings settings, CancellationToken cancellation)
    {
        settings.GateOptions.Check();
        RunFolder run = RunFolder.Open(settings.Run);
        foreach (
            (string shard,
            (int taken, IReadOnlyList<string> passed)) in settings.Shards.Zip(
                run.Merge([.. settings.Shards.Select(RunFolder.Open)], settings.MixedDevices)))
        {
            if (!settings.Quiet) shell.Say($"{taken} units taken over from {shard}");
            if (passed.Count > 0)
                shell.Error.WriteLine(
                    $"dori: warning: {shard}: {passed.Count} files are no units of this run and stay behind: "
                    + $"{string.Join(", ", passed.Take(5))}{(passed.Count > 5 ? ", ..." : "")}");
        }
        return settings.GateOptions.ExitCode(run, AuditOutcome.Finish(shell, run, settings, !settings.NoPictures));
    }
}
