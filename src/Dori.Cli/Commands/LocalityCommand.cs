using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Locality;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Reporting;
using Spectre.Console.Cli;
using Spectre.Console;
using TorchSharp;

namespace Dori.Cli.Commands;

internal sealed class LocalitySettings : SearchSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--images <DIR>"),
        Description("A folder, .tar or .parquet with the pictures in question, others to compare with, and controls (role=control)")]
    public string Images { get; init; } = "";

    [CommandOption("-o|--output <RUN>"),
        Description("The run folder; one that holds the same run is resumed, also with more searches or pictures")]
    public string Run { get; init; } = "";

    [CommandOption("--items <LIST>"),
        Description("The pictures in question: item names by commas, or a number: the first N audited (default: 1)")]
    public string Items { get; init; } = "1";

    [CommandOption("--searches <N>"), Description("Searches for each of them, all from N(0, I) (default: 100)")]
    public int Searches { get; init; } = 100;

    [CommandOption("--others <N>"),
        Description("Further pictures of the same kind with one search each, for triggers of different pictures (default: 12)")]
    public int Others { get; init; } = 12;

    [CommandOption("--no-weights"), Description("Leave out the third chapter, which marks, prunes and searches anew")]
    public bool NoWeights { get; init; }

    [CommandOption("--methods <LIST>"),
        Description(
        "Whose marks the third chapter compares and prunes, by commas: NeMo, Wanda (default: both; NeMo takes most of the time)")]
    public string Methods { get; init; } = "NeMo,Wanda";

    [CommandOption("--weight-triggers <N>"), Description("Triggers of each picture that the third chapter prunes for (default: 6)")]
    public int WeightTriggers { get; init; } = 6;

    [CommandOption("--sparsity <S>"), Description("Wanda's share of each output row (default: the model's, else 0.01)")]
    public double? Sparsity { get; init; }
}

/// <summary>Is memorization local? Searches, then the three tests, then a report with one verdict each.</summary>
internal sealed class LocalityCommand(Shell shell) : Command<LocalitySettings>
{
    protected override int Execute(CommandContext context, LocalitySettings settings, CancellationToken cancellation)
    {
        Check(settings);
        Checkpoint folder = settings.OpenModel(settings.Model);
        PictureSet set = PictureSet.Load(settings.Images, settings.Reading);
        IReadOnlyList<string> pictureNotes = PictureLosses.Of(set);
        LocalityPlan plan = Plan(settings, set);
        using TorchScriptCopyDetector detector = CopyDetectors.Load(settings.SideFolder(settings.Model), settings.CopyDetector,
            settings.Preset, settings.Device, "generations are compared with pictures by one");
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device, settings.Dtype);
        string[] notes = [.. model.Notes, .. set.Warnings, .. pictureNotes, .. CaptionLosses.Of(set, model.Tokenizer)];
        shell.Warn(notes);
        // The audit's own units: searches from random starts, with a look at what the start itself generates.
        AuditOptions options =
            settings.Over(AuditOptions.For(model.Defaults, detector.Preset.Threshold))
            with { Starts = [AuditStart.Random], CurveSteps = [0], CurveGenerations = 1, Generations = settings.Generations ?? 4 };
        options.Check();
        Workers workers = settings.Machine.WorkersFor(model);
        var weights = new WeightSpaceOptions
        {
            Methods = CommonSettings.Parts(settings.Methods),
            Triggers = settings.WeightTriggers,
            Sparsity = settings.Sparsity ?? model.Defaults.WandaSparsity,
        };
        weights.Check();

        AuditUnit[] units = [.. plan.Units(options.Seed)];
        Manifest manifest =
            Manifest.Of(folder, set, detector, options, settings.Machine, workers, shell.CommandLine) with { Notes = notes };
        RunWatch watch = shell.Watch(settings);
        var search = new UnitSearch(model, detector, set, workers, watch, settings.DespiteControl);
        RunFolder run = search.Begin(Path.Combine(settings.Run, "searches"), manifest, folder, units);
        IReadOnlyList<AuditUnit> open = run.Open(units);
        if (open.Count > 0)
            watch.Say($"{units.Length} searches, {units.Length - open.Count} done already; "
                + CostEstimate.Of(CostTrial.Run(model, detector, options, workers), model, options, open, workers));
        search.Run(run, units);

        torch.set_num_threads(settings.Threads);
        var stages = new StageProgress(shell, settings.Quiet);
        var study = new LocalityStudy(model, run, set, plan)
        {
            Weights = settings.NoWeights ? null : (pictures, captions) =>
                new WeightSpaceTest(model, detector, set, options, weights, workers, Path.Combine(settings.Run, "weights"))
                    .Run(pictures, captions, stages.Report, shell.Interrupted),
        };
        LocalityOutcome outcome = study.Run(stages.Report, shell.Interrupted);
        Write(settings, run, units, outcome, weights);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(outcome.Summary, LocalityJson.Default.LocalitySummary));
        else if (!settings.Quiet) Print(settings, outcome.Summary);
        return DoriApp.Done;
    }

    private static void Check(LocalitySettings settings)
    {
        if (settings.Images.Length == 0)
            throw new DoriException("locality: --images DIR is missing: the folder with the pictures in question");
        if (settings.Run.Length == 0) throw new DoriException("locality: -o RUN is missing: the folder for the results");
        if (settings.Searches is < 3 or > 100_000) throw new DoriException($"--searches {settings.Searches}: 3 to 100000 is possible");
        if (settings.Others is < 0 or > 10_000) throw new DoriException($"--others {settings.Others}: 0 to 10000 is possible");
    }

    private static LocalityPlan Plan(LocalitySettings settings, PictureSet set)
    {
        PictureItem[] audited = [.. set.Items.Where(item => item.Role != PictureRole.Control)], items;
        if (int.TryParse(settings.Items, NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            items = count >= 1 && count <= audited.Length ? audited[..count]
                : throw new DoriException($"--items {count}: the set has {audited.Length} audited pictures; 1 to that many are possible");
        else
        {
            string[] names = CommonSettings.Parts(settings.Items);
            items = [.. names.Distinct().Select(name => audited.FirstOrDefault(item => item.Id == name)
                ?? throw new DoriException(
                    $"--items {name}: no audited picture has this name; the first are "
                    + $"{string.Join(", ", audited.Take(5).Select(item => item.Id))}"))];
            if (items.Length == 0) throw new DoriException("--items: name at least one picture, or give a number");
        }
        return new LocalityPlan(items,
            [.. audited.Where(item => !items.Contains(item) && item.Kind == items[0].Kind).Take(settings.Others)], settings.Searches);
    }

    private static void Write(LocalitySettings settings, RunFolder run, AuditUnit[] units, LocalityOutcome outcome,
        WeightSpaceOptions weights)
    {
        Manifest manifest = run.Manifest;
        UnitCost[] costs = [.. units.Select(unit => run.ReadCost(unit.Id)).OfType<UnitCost>()];
        string third = settings.NoWeights ? "left out"
            : string.Create(CultureInfo.InvariantCulture,
                $"{string.Join(" and ", weights.Methods)}, {weights.Triggers} triggers a picture; Wanda marks "
                + $"{weights.Sparsity * 100:0.##} % of each output row");
        LocalityReport.Write(Path.Combine(settings.Run, "report.html"), outcome, new ReportContext
        {
            OriginalPicture = RunFacts.Originals(run),
            GeneratedPicture = run.ReadPart,
            Command = manifest.Command,
            Version = manifest.Version,
            Facts = [.. RunFacts.Of(manifest), ("Weights", third)],
            Cost = RunFacts.Cost(costs, what: "searches"),
        });
        LocalityTables.Write(settings.Run, outcome);
        // last: it says that the rest is there
        AtomicFile.WriteText(Path.Combine(settings.Run, "summary.json"),
            JsonSerializer.Serialize(outcome.Summary, LocalityJson.Default.LocalitySummary) + "\n");
    }

    private void Print(LocalitySettings settings, LocalitySummary s)
    {
        foreach (
            (string chapter, LocalityVerdict? verdict) in new[] { ("Input space", s.Input.Verdict),
            ("Activation space", s.Activation.Verdict), ("Weight space", s.Weight?.Verdict) })
        {
            if (verdict is null) continue;
            shell.Console.WriteLine($"{chapter}: {verdict.Outcome}. {verdict.Sentence}");
            foreach (string figure in verdict.Figures) shell.Console.WriteLine($"  {figure}");
        }
        foreach (string warning in s.Warnings) shell.Console.WriteLine($"Note: {Flags.In(warning)}");
        shell.Console.WriteLine($"Report: {Path.Combine(settings.Run, "report.html")}");
    }

    /// <summary>One plain line a stage, and one for each further third of it.</summary>
    private sealed class StageProgress(Shell shell, bool quiet)
    {
        private string _stage = "";
        private int _said;

        public void Report(string stage, double share)
        {
            int third = (int)(3 * share);
            if (quiet || (stage == _stage && third <= _said)) return;
            (_stage, _said) = (stage, third);
            shell.Error.WriteLine($"dori: {stage}, {100 * share:0} %");
        }
    }
}
