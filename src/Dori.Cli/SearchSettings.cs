using System.ComponentModel;
using Dori.Audit;
using Dori.Pictures.Sources;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>How pictures are searched for and compared. Null: the model's own default (its dori.json, else the published one).</summary>
internal class SearchSettings : SamplingSettings
{
    [CommandOption("--search-steps <N>"), Description("Search steps that the verdict rests on (default: the model's, else 50)")]
    public int? Steps { get; init; }

    [CommandOption("--steps <N>", IsHidden = true)]
    public int? OldSteps { get; init; }

    /// <summary>By either name.</summary>
    public int? StepsAsked => Steps ?? OldSteps;

    [CommandOption("--generations|-n <N>"), Description("Pictures generated per item and start (default: 10)")]
    public int? Generations { get; init; }

    [CommandOption("--search-batch <B>"), Description("(noise, time step) pairs in every search step (default: the model's, else 8)")]
    public int? SearchBatch { get; init; }

    [CommandOption("--micro-batch <N>"),
        Description("Pairs that go through the UNet at once: fewer need less memory (default: as many as fit)")]
    public int? MicroBatch { get; init; }

    [CommandOption("--generation-batch <N>"), Description("Pictures generated at once (default: 10)")]
    public int? GenerationBatch { get; init; }

    [CommandOption("--learning-rate <R>"), Description("Adam's rate in the search (default: the model's, else 0.1)")]
    public double? LearningRate { get; init; }

    [CommandOption("--threshold <S>"), Description("Similarity above which a generation is a copy (default: the copy detector's)")]
    public double? Threshold { get; init; }

    [CommandOption("--no-mirror"),
        Description("A generation that is the picture's mirror image does not count as the picture (the published protocol)")]
    public bool NoMirror { get; init; }

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

    [CommandOption("--despite-control")]
    [Description("Search although the positive control failed: everything is measured and nothing judged")]
    public bool DespiteControl { get; init; }

    /// <summary>How sets of pictures are read.</summary>
    public PictureReading Reading => new(CaptionColumn, Caption);

    public override IEnumerable<string> FormerNames => OldSteps is null ? [] : ["--steps is called --search-steps now"];

    /// <summary>The command line over what the model's folder asks for.</summary>
    public virtual AuditOptions Over(AuditOptions own)
    {
        int steps = StepsAsked ?? own.Steps, batch = SearchBatch ?? own.SearchBatch, generations = Generations ?? own.Generations;
        return own with
        {
            Seed = Seed,
            Steps = steps,
            SearchBatch = batch,
            MicroBatch = MicroBatch ?? batch,
            LearningRate = LearningRate ?? own.LearningRate,
            CurveSteps = [.. own.CurveSteps.Where(s => s < steps)],
            Generations = generations,
            CurveGenerations = Math.Min(own.CurveGenerations, generations),
            GenerationBatch = GenerationBatch ?? own.GenerationBatch,
            Guidance = Guidance ?? own.Guidance,
            Sampler = SamplerName ?? own.Sampler,
            SamplerSteps = SamplerSteps ?? own.SamplerSteps,
            Threshold = Threshold ?? own.Threshold,
            Mirror = own.Mirror && !NoMirror,
        };
    }
}
