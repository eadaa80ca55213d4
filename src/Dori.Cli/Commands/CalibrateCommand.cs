using System.ComponentModel;
using System.Globalization;
using System.Text.Json.Serialization;
using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Pictures;
using Dori.Pictures.Sources;
using Dori.Reporting;
using Spectre.Console.Cli;
using Spectre.Console;

namespace Dori.Cli.Commands;

internal sealed class CalibrateSettings : StartsSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--controls <DIR>"),
        Description("Pictures (folder, .tar or .parquet) that the model has never seen; where it has roles, those with role control")]
    public string Controls { get; init; } = "";

    [CommandOption("-o|--output <RUN>"), Description("The run folder; one that holds the same run is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--limit <N>"), Description("The first N controls")]
    public int? Limit { get; init; }
}

/// <summary>What controls do at every step of a long search, and the last step before the first of them passes for a copy.</summary>
/// <param name="Budget">
/// Largest number of steps tried up to which no control passes the threshold from any start; -1 where even the first does, or where the
/// positive control failed.
/// </param>
/// <param name="Clean">Whether no control passed at any step tried, so that the budget may be larger still.</param>
/// <param name="Judged">Whether the positive control passed: the controls of a model that cannot draw are clean after any search.</param>
internal sealed record Calibration(string Schema, bool Judged, int Budget, bool Clean, int Controls, int Generations, double Threshold,
    IReadOnlyList<GroupSummary> Curve);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(Calibration))]
internal sealed partial class CalibrationJson : JsonSerializerContext;

internal sealed class CalibrateCommand(Shell shell) : Command<CalibrateSettings>
{
    private static readonly int[] s_steps = [0, 1, 10, 25, 50, 75, 100];

    protected override int Execute(CommandContext context, CalibrateSettings settings, CancellationToken cancellation)
    {
        if (settings.Controls.Length == 0)
            throw new DoriException("calibrate: --controls DIR is missing: a folder of pictures that the model has never seen");
        if (settings.Run.Length == 0) throw new DoriException("calibrate: -o RUN is missing: the folder for the results");
        Checkpoint model = settings.OpenModel(settings.Model);
        RunFolder run = settings.Audit(shell, model, ControlsOf(settings.Controls, settings.Reading, settings.Limit), options =>
        {
            int steps = settings.StepsAsked ?? 150, generations = settings.Generations ?? 4;
            return options with
            {
                Starts = settings.Starts is null ? [AuditStart.Caption] : options.Starts,
                Steps = steps,
                CurveSteps = settings.Curve is null ? [.. s_steps.Where(s => s < steps)] : options.CurveSteps,
                Generations = generations,
                StopAtVerdict = false,
                CurveGenerations = generations, // a budget is compared with the same number of tries at every step
            };
        }).Run(settings.Run);
        Summary summary = Report.Write(run);
        Calibration calibration = Read(summary);
        AtomicFile.WriteText(Path.Combine(settings.Run, "calibration.json"),
            JsonSerializer.Serialize(calibration, CalibrationJson.Default.Calibration) + "\n");
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(calibration, CalibrationJson.Default.Calibration));
        else if (!settings.Quiet) Print(calibration, summary);
        return DoriApp.Done;
    }

    /// <summary>Those of a set with role control; all where it has no roles.</summary>
    internal static PictureSet ControlsOf(string path, PictureReading reading, int? first)
    {
        PictureSet set = PictureSet.Load(path, reading);
        bool roles = set.Items.Any(item => item.Role == PictureRole.Control);
        PictureSet controls = roles ? set.Where(item => item.Role == PictureRole.Control) : set.Where(_ => false).WithControls(set);
        return first is { } limit ? controls.Limit(limit) : controls;
    }

    private static Calibration Read(Summary summary)
    {
        int[] steps = [.. summary.Curve.Select(g => g.Steps).Distinct().Order()];
        int? first = summary.Curve.Where(g => g.MemorizationRate.Count > 0).Select(g => (int?)g.Steps).Min();
        bool judged = summary.Control is { Holds: true };
        int budget = !judged ? -1 : steps.Where(s => first is null || s < first).DefaultIfEmpty(-1).Max();
        return new Calibration("dori.calibration/2", judged, budget, judged && first is null,
            summary.Controls.Items, summary.Generations, summary.Threshold, summary.Curve);
    }

    private void Print(Calibration calibration, Summary summary)
    {
        var table = new PlainTable("start", "steps", "controls above the threshold", "rate, 95 %", "best similarity");
        foreach (GroupSummary g in calibration.Curve)
            table.AddRow(g.Start.Text(), $"{g.Steps}", $"{g.MemorizationRate.Count} of {g.Distinct ?? g.Images}",
                Show.Plain(g.MemorizationRate),
                string.Create(CultureInfo.InvariantCulture, $"{g.Similarity.Median:0.00} ± {g.Similarity.Mad:0.00}"));
        shell.Console.Write(table);
        shell.Console.WriteLine(!calibration.Judged ? "The positive control failed: no budget is cleared."
            : calibration.Budget < 0
            ? "Controls pass the threshold without any search: no budget is clean; the threshold or the controls are at fault."
            : $"Budget: {calibration.Budget} steps: the largest of those tried up to which none of {calibration.Controls} controls passes "
                + $"{calibration.Threshold.ToString(CultureInfo.InvariantCulture)} ({summary.CopyDetector}, {calibration.Generations} "
                + $"generations){(calibration.Clean ? "; none passed at all, so it may be larger (--steps)" : "")}. Use it as `dori audit "
                + $"--search-steps {calibration.Budget}`.");
    }
}
