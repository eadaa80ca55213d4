using System.ComponentModel;
using System.Text.Json.Nodes;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Mitigation.Adversarial;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

/// <summary>Options of adversarial fine-tuning: what most people set; all others stand in a file.</summary>
internal sealed class MitigateAdversarialSettings : MitigateSettings
{
    [CommandOption("--ordinary <PATH>"),
        Description("Ordinary pictures with captions: a folder, .tar or .parquet (default: the model draws them itself)")]
    public string? Ordinary { get; init; }

    [CommandOption("--ordinary-captions <FILE>"),
        Description("Where it draws them itself: captions, one a line (default: those of the controls in --images)")]
    public string? OrdinaryCaptions { get; init; }

    [CommandOption("--ordinary-limit <N>"), Description("The first N ordinary pairs (default: all given, or 512 drawn)")]
    public int? OrdinaryLimit { get; init; }

    [CommandOption("--work <DIR>"),
        Description("Surrogates and the training's state; the same command resumes from it (default: NEWMODEL.work)")]
    public override string? Work { get; init; }

    [CommandOption("--options <FILE.json>"),
        Description("Any of the options that a mitigation.json records, or such a file itself; what the command line says goes before it")]
    public string? OptionsFile { get; init; }

    [CommandOption("--epochs <N>"), Description("Passes over the pictures, one search each (default: the model's, else 5 as published)")]
    public int? Epochs { get; init; }

    [CommandOption("--train-steps <N>"), Description("Training steps in all, instead of --epochs")]
    public int? TrainSteps { get; init; }

    [CommandOption("--steps <N>", IsHidden = true)]
    public int? OldSteps { get; init; }

    [CommandOption("--learning-rate <R>"), Description("AdamW's rate (default: the model's, else 1e-5)")]
    public double? LearningRate { get; init; }

    [CommandOption("--train-rank <RANK>"),
        Description("Train low-rank updates of this rank instead of all weights, for comparison (published to fail)")]
    public int? TrainRank { get; init; }

    [CommandOption("--micro-batch <N>"),
        Description("Rows that go through the UNet at once: fewer need less memory (default: the model's, else 4)")]
    public int? MicroBatch { get; init; }

    [CommandOption("--surrogates <N>"), Description("Surrogates for each picture (default: 8)")]
    public int? Surrogates { get; init; }

    [CommandOption("--check-every <N>"), Description("Training steps from one small held-out audit to the next; 0: none (default: 0)")]
    public int? CheckEvery { get; init; }

    [CommandOption("--save-every <N>"), Description("Training steps from one writing of the state to the next (default: 64)")]
    public override int SaveEvery { get; init; } = 64;

    [CommandOption("--copy-detector <PATH>"),
        Description("TorchScript file or folder; it is code and will be run (default: the model's own copy_detector folder)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"),
        Description("How pictures are brought to that file: nemo, wen, concept-ablation (default: the JSON beside it)")]
    public string? Preset { get; init; }

    public override MitigateInputs Inputs => new(CopyDetector, Preset, null, Ordinary, OrdinaryLimit);

    public override IEnumerable<string> FormerNames => OldSteps is null ? [] : ["--steps is called --train-steps now"];

    public override IMitigation Mitigation()
    {
        IReadOnlyList<string>? captions = OrdinaryCaptions is not { } file ? null
            : File.Exists(file) ? [.. InputFile.ReadLines(file, InputKind.Metadata).Select(line => line.Trim())
                .Where(line => line.Length > 0).Distinct()]
            : throw new DoriException($"{file}: no such file of captions");
        return new AdversarialMitigation(Options, captions);
    }

    /// <summary>The command line over the file over the model's own over the published ones.</summary>
    private AdversarialOptions Options(DiffusionModel model)
    {
        List<(string, JsonObject)> over = [];
        // Where there are no ordinary pictures, those that the model draws are all.
        if (Ordinary is null) over.Add(("--ordinary-limit",
            new JsonObject { ["ownGenerations"] = OrdinaryLimit ?? OrdinaryGenerations.DefaultCount }));
        if (OptionsFile is { } file) over.Add((file, AdversarialOptions.Read(file)));
        over.Add(("the command line", CommandLine()));
        return AdversarialOptions.For(model, over);
    }

    private JsonObject CommandLine()
    {
        var given = new JsonObject();
        Put("epochs", Epochs);
        Put("steps", TrainSteps ?? OldSteps);
        Put("learningRate", LearningRate);
        Put("trainRank", TrainRank);
        Put("microBatch", MicroBatch);
        if (Surrogates is { } count) given["surrogates"] = new JsonObject { ["count"] = count,
            ["attempts"] = Math.Max(new SurrogateOptions().Attempts, 3 * count) };
        if (CheckEvery is { } every) given["heldOut"] = new JsonObject { ["every"] = every };
        return given;

        void Put(string name, JsonNode? value)
        {
            if (value is not null) given[name] = value;
        }
    }
}
