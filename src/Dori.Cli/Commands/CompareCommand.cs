using System.ComponentModel;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Quality;
using Dori.Reporting;
using Spectre.Console.Cli;
using TorchSharp;

namespace Dori.Cli.Commands;

internal sealed class CompareSettings : ReferenceSettings
{
    [CommandArgument(0, "<MODEL>"), Description("Diffusers folders; the first is what the others are compared with")]
    public string[] Models { get; init; } = [];

    [CommandOption("--images <DIR>"), Description("Pictures with captions to look for (folder, .tar or .parquet), with its controls")]
    public string Images { get; init; } = "";

    [CommandOption("--controls <DIR>"),
        Description("Pictures that no model has seen (default: those of --images with role control)")]
    public string? Controls { get; init; }

    [CommandOption("--limit <N>"), Description("The first N items of each role and kind")]
    public int? Limit { get; init; }

    [CommandOption("-o|--output <RUN>"),
        Description("The folder for all runs and the comparison; one that holds the same comparison is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--ordinary <PATH>"), Description("Ordinary pictures with captions (folder, .tar or .parquet): quality is compared too")]
    public string? Ordinary { get; init; }

    [CommandOption("--captions <N>"), Description("Ordinary captions, and related ones at most, for quality"), DefaultValue(200)]
    public int Captions { get; init; } = 200;

    [CommandOption("--features <FILE>"),
        Description(
        "A TorchScript feature network with its preset beside it; it is code and will be run (default: the copy detector's descriptors)")]
    public string? Features { get; init; }

    [CommandOption("--clip <DIR>"), Description("A CLIP model's folder (default: the first model's clip folder)")]
    public string? Clip { get; init; }
}

/// <summary>Several models under one audit, and what each lost in quality.</summary>
internal sealed class CompareCommand(Shell shell) : Command<CompareSettings>
{
    protected override int Execute(CommandContext context, CompareSettings settings, CancellationToken cancellation)
    {
        if (settings.Models.Length < 2)
            throw new DoriException("compare: two models or more are wanted; the first is what the others are compared with");
        if (settings.Images.Length == 0)
            throw new DoriException("compare: --images DIR is missing: the folder with the pictures to look for");
        if (settings.Run.Length == 0) throw new DoriException("compare: -o RUN is missing: the folder for the results");
        if (settings.Limit < 1) throw new DoriException($"--limit {settings.Limit}: at least 1 is wanted");
        CheckAlike(settings);
        PictureSet set = Pictures(settings);
        using var scope = torch.NewDisposeScope();
        string[] names = Names(settings.Models);
        ComparedRun[] runs = [.. names.Select((name, m) =>
            Run(settings, m == 0 ? Checkpoint.Open(settings.Models[0]) : settings.OpenModel(settings.Models[m]), name, set,
            settings.OpenReference(settings.Models[m])))];
        Comparison comparison = Comparison.Run(runs, settings.Seed);
        Report.Write(settings.Run, comparison, runs, settings.Ordinary, shell.CommandLine, settings.CaptionColumn,
            settings.Caption);
        ComparisonOutcome.Say(shell, settings, comparison, settings.Run);
        return DoriApp.Done;
    }

    private ComparedRun Run(CompareSettings settings, Checkpoint model, string name, PictureSet set, Checkpoint? reference)
    {
        if (!settings.Quiet) shell.Say(name);
        string folder = Path.Combine(settings.Run, name);
        // The reference may be one of the models; its own audit is what the others' reference then takes over.
        if (reference is not null && reference.Sha256() == model.Sha256()) reference = null;
        RunFolder audit = settings.Audit(shell, model, set, reference: reference).Run(Path.Combine(folder, "audit"));
        Report.Write(audit);
        if (settings.Ordinary is not { } ordinary) return new ComparedRun(name, audit);
        var evaluation = new Evaluation(model, ordinary)
        {
            Options = own => own with
            {
                Captions = settings.Captions,
                Related = settings.Captions,
                Seed = settings.Seed,
                Guidance = settings.Guidance ?? own.Guidance,
                Sampler = settings.SamplerName ?? own.Sampler,
                SamplerSteps = settings.SamplerSteps ?? own.SamplerSteps,
            },
            Machine = settings.Machine,
            Removed = EvaluateCommand.Removed(set),
            // One ruler for all: CLIP and the detector of the first model, even where a later one brings others.
            Clip = settings.Clip ?? Path.Combine(settings.Models[0], "clip"),
            CopyDetector = settings.CopyDetector ?? settings.Models[0],
            Features = settings.Features,
            Preset = settings.Preset,
            CaptionColumn = settings.CaptionColumn,
            Caption = settings.Caption,
            Watch = shell.Watch(settings),
        };
        return new ComparedRun(name, audit, evaluation.Run(Path.Combine(folder, "quality")));
    }

    /// <summary>What would make the models' figures incomparable is refused before hours of work.</summary>
    private static void CheckAlike(CompareSettings settings)
    {
        string? ruler = null, options = null;
        foreach (string model in settings.Models)
        {
            string mine = "";
            if (settings.CopyDetector is null && Directory.Exists(Path.Combine(model, "copy_detector")))
                using (TorchScriptCopyDetector detector = TorchScriptCopyDetector.Load(model))
                    mine = $"{detector.Preset.Name} {detector.Sha256}";
            AuditOptions own = settings.Over(AuditOptions.For(ModelDefaults.Read(model), 0.5, settings.Protocol));
            if (own.StopAtVerdict)
                throw new DoriException("compare: --protocol quick ends searches at their verdicts, and here the similarities are "
                    + "compared; choose standard or published");
            string chosen =
                $"guidance {own.Guidance}, sampler {own.Sampler}, {own.SamplerSteps} sampler steps, {own.Steps} search steps of "
                + $"{own.SearchBatch} at {own.LearningRate}";
            if ((ruler ??= mine) != mine)
                throw new DoriException(
                $"{model}: brings another copy detector than {settings.Models[0]}; name one for all with --copy-detector");
            if ((options ??= chosen) != chosen)
                throw new DoriException(
                $"{model}: its dori.json asks for {chosen}, {settings.Models[0]} for {options}; give them as options, so that all are "
                + $"judged alike");
        }
    }

    private static PictureSet Pictures(CompareSettings settings)
    {
        PictureSet set = PictureSet.Load(settings.Images, settings.Reading);
        if (settings.Controls is { } controls) set = set.WithControls(PictureSet.Load(controls, settings.Reading));
        return settings.Limit is { } limit ? set.Limit(limit) : set;
    }

    private static string[] Names(string[] models)
    {
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        return [.. models.Select(model =>
        {
            string stem = new DirectoryInfo(model).Name, name = stem;
            for (int n = 2; !taken.Add(name); n++) name = $"{stem}-{n}";
            return name;
        })];
    }
}
