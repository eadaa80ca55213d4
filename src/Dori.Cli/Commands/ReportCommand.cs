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

    [CommandOption("--gate"), Description("Exit code 1 where a picture is retained or undecided")]
    public bool Gate { get; init; }
}

internal sealed class ReportCommand(Shell shell) : Command<ReportSettings>
{
    protected override int Execute(CommandContext context, ReportSettings settings, CancellationToken cancellation)
    {
        RunFolder run = RunFolder.Open(settings.Run);
        foreach (string shard in settings.Shards)
        {
            int taken = run.Merge(RunFolder.Open(shard));
            if (!settings.Quiet) shell.Error.WriteLine($"dori: {taken} units taken over from {shard}");
        }
        return AuditJob.ExitCode(AuditJob.Finish(shell, run, settings), settings.Gate);
    }
}
