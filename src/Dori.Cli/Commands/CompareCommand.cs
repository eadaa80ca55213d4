using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Reporting;
using Spectre.Console;
using Spectre.Console.Cli;
using TorchSharp;

namespace Dori.Cli.Commands;

internal sealed class CompareSettings : SearchSettings
{
    [CommandArgument(0, "<MODEL>"), Description("Diffusers folders; the first is what the others are compared with")]
    public string[] Models { get; init; } = [];

    [CommandOption("--images <DIR>"), Description("An imagefolder of the pictures to look for, with its controls")]
    public string Images { get; init; } = "";

    [CommandOption("--controls <DIR>"), Description("An imagefolder of pictures that no model has seen (default: those of --images with role control)")]
    public string? Controls { get; init; }

    [CommandOption("--limit <N>"), Description("The first N items of each role and kind")]
    public int? Limit { get; init; }

    [CommandOption("-o|--output <RUN>"), Description("The folder for all runs and the comparison; one that holds the same comparison is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--ordinary <PATH>"), Description("Ordinary pictures with captions (.tar or imagefolder): quality is compared too")]
    public string? Ordinary { get; init; }

    [CommandOption("--captions <N>"), Description("Ordinary captions, and related ones at most, for quality"), DefaultValue(200)]
    public int Captions { get; init; } = 200;

    [CommandOption("--features <FILE>"), Description("A TorchScript feature network with its preset beside it; it is code and will be run (default: the copy detector's descriptors)")]
    public string? Features { get; init; }

    [CommandOption("--clip <DIR>"), Description("A CLIP model's folder (default: the first model's clip folder)")]
    public string? Clip { get; init; }
}

/// <summary>Several models under one audit, and what each lost in quality.</summary>
internal sealed class CompareCommand(Shell shell) : Command<CompareSettings>
{
    protected override int Execute(CommandContext context, CompareSettings settings, CancellationToken cancellation)
    {
        if (settings.Models.Length < 2) throw new DoriException("compare: two models or more are wanted; the first is what the others are compared with");
        if (settings.Images.Length == 0) throw new DoriException("compare: --images DIR is missing: the folder with the pictures to look for");
        if (settings.Run.Length == 0) throw new DoriException("compare: -o RUN is missing: the folder for the results");
        if (settings.Limit < 1) throw new DoriException($"--limit {settings.Limit}: at least 1 is wanted");
        CheckAlike(settings);
        PictureSet set = Pictures(settings);
        using var scope = torch.NewDisposeScope();
        var models = new List<AuditedModel>();
        string[] names = Names(settings.Models);
        for (int m = 0; m < names.Length; m++) models.Add(Audit(settings, settings.Models[m], names[m], set, first: m == 0));
        Comparison comparison = Comparison.Of(models, RandomSource.For("compare", settings.Seed.ToString()).Next);
        Write(settings, comparison);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(comparison, CompareJson.Default.Comparison));
        else if (!settings.Quiet) Print(comparison, settings.Run);
        return DoriApp.Done;
    }

    private AuditedModel Audit(CompareSettings settings, string path, string name, PictureSet set, bool first)
    {
        if (!settings.Quiet) shell.Error.WriteLine($"dori: {name}");
        string folder = Path.Combine(settings.Run, name), audit = Path.Combine(folder, "audit");
        Summary summary = new AuditJob(shell, settings) { Silent = true }.Run(path, () => set, settings.Images, audit, (1, 1), options => options);
        RunFolder run = RunFolder.Open(audit);
        Manifest manifest = run.ReadManifest();
        UnitRecord[] units = [.. manifest.Pictures.Items.SelectMany(item => manifest.Options.Starts.Select(start => $"{item.Id}-{start}-{manifest.Options.Seed}")).Where(run.Has).Select(run.ReadUnit)];
        if (settings.Ordinary is not { } ordinary) return new AuditedModel(name, summary, units);
        // One ruler for all: CLIP and the detector of the first model, even where a later one brings others.
        string clip = settings.Clip ?? Path.Combine(settings.Models[0], "clip");
        var request = new QualityRequest(ordinary, clip, settings.Features, settings.CopyDetector ?? settings.Models[0], settings.Preset, EvaluateCommand.Removed(set));
        (QualitySummary quality, IReadOnlyDictionary<string, QualitySamples> samples) = new QualityJob(shell, settings).Run(path, request, Path.Combine(folder, "quality"), defaults => new QualityOptions
        {
            Captions = settings.Captions,
            Related = settings.Captions,
            Seed = settings.Seed,
            Guidance = settings.Guidance ?? defaults.Guidance,
            Sampler = settings.SamplerName ?? defaults.Sampler,
            SamplerSteps = settings.SamplerSteps ?? defaults.SamplerSteps,
        });
        return new AuditedModel(name, summary, units, quality, samples);
    }

    /// <summary>What would make the models' figures incomparable is refused before hours of work.</summary>
    private static void CheckAlike(CompareSettings settings)
    {
        string? ruler = null, options = null;
        foreach (string model in settings.Models)
        {
            string mine = "";
            if (settings.CopyDetector is null && Directory.Exists(Path.Combine(model, "copy_detector")))
                using (TorchScriptCopyDetector detector = TorchScriptCopyDetector.Load(model)) mine = $"{detector.Preset.Name} {detector.Sha256}";
            AuditOptions own = settings.Options(ModelDefaults.Read(model), 0.5);
            string chosen = $"guidance {own.Guidance}, sampler {own.Sampler}, {own.SamplerSteps} sampler steps, {own.Steps} search steps of {own.SearchBatch} at {own.LearningRate}";
            if ((ruler ??= mine) != mine) throw new DoriException($"{model}: brings another copy detector than {settings.Models[0]}; name one for all with --copy-detector");
            if ((options ??= chosen) != chosen) throw new DoriException($"{model}: its dori.json asks for {chosen}, {settings.Models[0]} for {options}; give them as options, so that all are judged alike");
        }
    }

    private static PictureSet Pictures(CompareSettings settings)
    {
        PictureSet set = PictureSet.Load(settings.Images);
        if (settings.Controls is { } controls) set = set.WithControls(PictureSet.Load(controls));
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

    private void Write(CompareSettings settings, Comparison comparison)
    {
        const int side = 192;
        using OrdinaryPictures? ordinary = settings.Ordinary is { } path ? OrdinaryPictures.Load(path) : null;
        CompareReport.Write(Path.Combine(settings.Run, "compare.html"), comparison, Small, index => ordinary?.Captions[index] ?? "", shell.CommandLine, Shell.Version);
        CompareTable.Write(Path.Combine(settings.Run, "compare.md"), comparison);
        AtomicFile.WriteText(Path.Combine(settings.Run, "compare.json"), JsonSerializer.Serialize(comparison, CompareJson.Default.Comparison) + "\n"); // last: it says that the rest is there

        byte[]? Small(string model, int index)
        {
            string file = Path.Combine(settings.Run, model, "quality", "pictures", $"{index:000000}-0.png");
            if (!File.Exists(file)) return null;
            using var scope = torch.NewDisposeScope();
            torch.Tensor picture = Picture.Load(file);
            return picture.shape[1] <= side ? File.ReadAllBytes(file) : Picture.EncodeJpeg(Picture.ResizeSmallEdge(picture, side));
        }
    }

    private void Print(Comparison comparison, string run)
    {
        string N(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
        var table = new Table().Border(TableBorder.Simple).AddColumns("pictures", "start", "model", "copies", "rate, 95 %", "best similarity", "p");
        foreach ((string group, string start) in comparison.Models[0].Rows.Select(row => (row.Group, row.Start)))
            foreach (ComparedModel model in comparison.Models)
                if (model.Rows.FirstOrDefault(row => row.Group == group && row.Start == start) is { } row)
                    table.AddRow(group, start, Markup.Escape(model.Name), $"{row.MemorizationRate.Count} of {row.Images}", $"{N(row.MemorizationRate.Value)} ({N(row.MemorizationRate.Low)} to {N(row.MemorizationRate.High)})",
                        $"{N(row.Similarity.Median)} ± {N(row.Similarity.Mad)}", comparison.Tests.FirstOrDefault(t => t.Model == model.Name && t.Group == group && t.Start == start) is { } test ? test.PValue.ToString("0.000", CultureInfo.InvariantCulture) : "");
        shell.Console.Write(table);
        foreach (string warning in comparison.Warnings) shell.Console.WriteLine($"Note: {warning}");
        shell.Console.WriteLine($"Report: {Path.Combine(run, "compare.html")}; table: {Path.Combine(run, "compare.md")}");
    }
}
