using System.ComponentModel;
using System.Globalization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Pictures;
using Dori.Reporting;
using Spectre.Console;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class FalseAlarmsSettings : ReferenceSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--controls <DIR>"),
        Description("Pictures (folder, .tar or .parquet) that the model has certainly never seen; where it has roles, those with role "
        + "control")]
    public string Controls { get; init; } = "";

    [CommandOption("-o|--output <RUN>"), Description("The run folder; one that holds the same run is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--limit <N>"), Description("The first N pictures")]
    public int? Limit { get; init; }

    [CommandOption("--draws <N>"), Description("Random draws of controls that each picture is judged beside"), DefaultValue(200)]
    public int Draws { get; init; } = 200;

    [CommandOption("--controls-each <N>"), Description("Controls in each draw"), DefaultValue(40)]
    public int ControlsEach { get; init; } = 40;
}

/// <summary>Pictures that the model has never seen, audited as if they were suspects: how often is one called retained?</summary>
internal sealed class FalseAlarmsCommand(Shell shell) : Command<FalseAlarmsSettings>
{
    protected override int Execute(CommandContext context, FalseAlarmsSettings settings, CancellationToken cancellation)
    {
        if (settings.Controls.Length == 0)
            throw new DoriException("false-alarms: --controls DIR is missing: pictures that the model has certainly never seen");
        if (settings.Run.Length == 0) throw new DoriException("false-alarms: -o RUN is missing: the folder for the results");
        if (settings.Draws is < 1 or > 100_000) throw new DoriException($"--draws {settings.Draws}: 1 to 100000 is possible");
        if (settings.ControlsEach < Verdicts.ControlsNeeded)
            throw new DoriException($"--controls-each {settings.ControlsEach}: at least {Verdicts.ControlsNeeded} are needed to judge");
        Checkpoint model = settings.OpenModel(settings.Model);
        RunFolder run = settings.Audit(shell, model, CalibrateCommand.ControlsOf(settings.Controls, settings.Reading, settings.Limit),
            options => options with
            {
                Starts = settings.Starts is null ? [AuditStart.Prompt, AuditStart.Caption] : options.Starts,
                StopAtVerdict = false, // there are only controls, which never stop
            }, reference: settings.OpenReference(settings.Model)).Run(settings.Run);
        Report.Write(run);
        FalseAlarms alarms = FalseAlarms.Of(run.Manifest, run.ReadUnits().Records, run.ReadReference(), settings.Draws,
            settings.ControlsEach);
        AtomicFile.WriteText(Path.Combine(settings.Run, "false-alarms.json"), alarms.ToJson() + "\n");
        if (settings.Json) shell.Output.WriteLine(alarms.ToJson());
        else if (!settings.Quiet) Print(alarms, settings.Run);
        return DoriApp.Done;
    }

    private void Print(FalseAlarms alarms, string folder)
    {
        var table = new PlainTable("starts", "cries", "of pictures", "rate, 95 %");
        foreach (FalseAlarmRow row in alarms.Rows)
            table.AddRow(row.Starts, row.Cry,
                string.Create(CultureInfo.InvariantCulture, $"{row.Expected:0.0} of {alarms.Pictures}"), Show.Plain(row.Rate));
        shell.Console.Write(table);
        shell.Console.WriteLine($"{alarms.Pictures} distinct pictures that {alarms.Model.Name} has never seen, each judged beside "
            + $"{alarms.Draws} random draws of {alarms.ControlsEach} of the others ({alarms.CopyDetector}, threshold "
            + $"{alarms.Threshold.ToString(CultureInfo.InvariantCulture)}, {alarms.Steps} search steps, {alarms.Generations} generations)");
        shell.Console.WriteLine($"Figures: {Path.Combine(folder, "false-alarms.json")}; report: {Path.Combine(folder, "report.html")}");
    }
}
