using System.ComponentModel;
using Dori.Audit;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class DemoSettings : SearchSettings
{
    [CommandOption("-o|--output <RUN>"), Description("The run folder"), DefaultValue("demo")]
    public string Run { get; init; } = "demo";
}

/// <summary>An audit of the built-in model small enough for minutes: 6 verbatim pictures, 4 templates and 20 controls, by prompt and by search from the caption.</summary>
internal sealed class DemoCommand(Shell shell) : Command<DemoSettings>
{
    protected override int Execute(CommandContext context, DemoSettings settings, CancellationToken cancellation)
    {
        string model = Shell.BuiltInModel, pictures = Path.Combine(model, "pictures");
        Summary summary = new AuditJob(shell, settings).Run(model, () => Select(PictureSet.Load(pictures)), pictures, settings.Run, (1, 1), options => options with
        {
            Starts = settings.Starts is null ? [AuditStart.Prompt, AuditStart.Caption] : options.Starts,
            Generations = settings.Generations ?? 4,
            CurveSteps = settings.Curve is null ? [0, 10, 25] : options.CurveSteps,
            CurveGenerations = settings.CurveGenerations ?? 2,
        });
        return AuditJob.ExitCode(summary, gate: false);
    }

    private static PictureSet Select(PictureSet set) => set.Where(item => item.Role == "control" ? Rank(item) < 20 : item.Kind == "verbatim" ? Rank(item) < 6 : Rank(item) < 4);

    /// <summary>The built-in set numbers its items: v00, t00, c00.</summary>
    private static int Rank(PictureItem item) => int.Parse(item.Id[1..]);
}
