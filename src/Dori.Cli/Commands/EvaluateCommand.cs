using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Pictures.Sources;
using Dori.Quality;
using Spectre.Console.Cli;
using Spectre.Console;
using TorchSharp;

namespace Dori.Cli.Commands;

internal sealed class EvaluateSettings : SamplingSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--ordinary <PATH>"), Description("Ordinary pictures with captions: a folder, a .tar or a .parquet")]
    public string Ordinary { get; init; } = "";

    [CommandOption("--images <DIR>"), Description("The removed pictures, in the same forms: captions related to theirs are evaluated too")]
    public string? Images { get; init; }

    [CommandOption("-o|--output <RUN>"), Description("The folder for the results; one that holds the same run is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--captions <N>"), Description("Ordinary captions, one picture each"), DefaultValue(200)]
    public int Captions { get; init; } = 200;

    [CommandOption("--related <N>"), Description("Related captions at most"), DefaultValue(200)]
    public int Related { get; init; } = 200;

    [CommandOption("--diversity-captions <N>"),
        Description("Captions of each set that several pictures are drawn of, for diversity; 0 for none"), DefaultValue(16)]
    public int DiversityCaptions { get; init; } = 16;

    [CommandOption("--generations|-n <N>"), Description("Pictures of each of those"), DefaultValue(4)]
    public int Generations { get; init; } = 4;

    [CommandOption("--resamples <N>"), Description("Bootstrap samples for the intervals"), DefaultValue(200)]
    public int Resamples { get; init; } = 200;

    [CommandOption("--generation-batch <N>"), Description("Pictures generated at once, and captions of a chunk"), DefaultValue(10)]
    public int GenerationBatch { get; init; } = 10;

    [CommandOption("--features <FILE>"),
        Description(
        "A TorchScript feature network with its preset beside it (FILE.json); it is code and will be run (default: the copy detector's "
        + "descriptors)")]
    public string? Features { get; init; }

    [CommandOption("--clip <DIR>"), Description("A CLIP model's folder (default: the model's own clip folder)")]
    public string? Clip { get; init; }

    [CommandOption("--caption-column <NAME>"),
        Description("The column or field that holds the captions (default: text, caption or prompt)")]
    public string? CaptionColumn { get; init; }

    [CommandOption("--caption <TEXT>"),
        Description("The prompt of pictures without a caption of their own, as DreamBooth trains them; \"\" for none")]
    public string? Caption { get; init; }

    [CommandOption("--copy-detector <PATH>"),
        Description("TorchScript file or folder; it is code and will be run (default: the model's own copy_detector folder)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"),
        Description("How pictures are brought to that file: nemo, wen, concept-ablation (default: the JSON beside it)")]
    public string? Preset { get; init; }

    /// <summary>How sets of pictures are read.</summary>
    public PictureReading Reading => new(CaptionColumn, Caption);

    public QualityOptions Over(QualityOptions own) => own with
    {
        Captions = Captions,
        Related = Related,
        DiversityCaptions = DiversityCaptions,
        DiversityGenerations = Generations,
        Seed = Seed,
        Chunk = GenerationBatch,
        Guidance = Guidance ?? own.Guidance,
        Sampler = SamplerName ?? own.Sampler,
        SamplerSteps = SamplerSteps ?? own.SamplerSteps,
        Resamples = Resamples,
    };
}

/// <summary>What a model's ordinary pictures are worth: distances to real ones, fit to their captions, diversity.</summary>
internal sealed class EvaluateCommand(Shell shell) : Command<EvaluateSettings>
{
    protected override int Execute(CommandContext context, EvaluateSettings settings, CancellationToken cancellation)
    {
        if (settings.Ordinary.Length == 0)
            throw new DoriException(
            "evaluate: --ordinary PATH is missing: a folder, .tar or .parquet of ordinary pictures with captions (the built-in model's: "
            + "models/emoji/ordinary.tar)");
        if (settings.Run.Length == 0) throw new DoriException("evaluate: -o RUN is missing: the folder for the results");
        string[] removed = settings.Images is { } images ? Removed(PictureSet.Load(images, settings.Reading)) : [];
        using var scope = torch.NewDisposeScope();
        QualitySummary summary = new Evaluation(settings.OpenModel(settings.Model), settings.Ordinary)
        {
            Options = settings.Over,
            Machine = settings.Machine,
            Removed = removed,
            Clip = settings.Clip,
            Features = settings.Features,
            CopyDetector = settings.CopyDetector,
            Preset = settings.Preset,
            CaptionColumn = settings.CaptionColumn,
            Caption = settings.Caption,
            Watch = shell.Watch(settings),
        }.Run(settings.Run).Summary;
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(summary, QualityJson.Default.QualitySummary));
        else if (!settings.Quiet) Print(summary, settings.Run);
        return DoriApp.Done;
    }

    /// <summary>Captions of what is audited; controls were never learnt, and so not removed.</summary>
    public static string[] Removed(PictureSet set) =>
        [.. set.Items.Where(item => item.Role != PictureRole.Control && item.Caption.Length > 0).Select(item => item.Caption).Distinct()];

    private void Print(QualitySummary summary, string run)
    {
        var table =
            new PlainTable("captions", "pictures", "Frechet, 95 %", "real pictures'", "kernel x 1000, 95 %", "CLIP score, 95 %",
            "real pictures'", "similarity among a caption's, 95 %");
        foreach (QualitySet set in summary.Sets)
            table.AddRow(set.Name, $"{set.Figures.Captions}", Show(set.Figures.FrechetDistance),
                set.FrechetFloor is { } floor ? Number(floor) : "-", Show(set.Figures.KernelDistance, 1000), Show(set.Figures.ClipScore),
                Number(set.Figures.RealClipScore), set.Figures.Diversity is { } diversity ? Show(diversity) : "-");
        shell.Console.Write(table);
        shell.Console.WriteLine($"Features: {summary.FeatureNetwork}; CLIP: {summary.Clip}; similarity: {summary.CopyDetector}.");
        foreach (string warning in summary.Warnings) shell.Console.WriteLine($"Note: {Flags.In(warning)}");
        shell.Console.WriteLine($"Figures: {Path.Combine(run, "quality.json")}");
    }

    private static string Show(Interval i, double scale = 1) =>
        $"{Number(i.Value * scale)} ({Number(i.Low * scale)} to {Number(i.High * scale)})";

    private static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
