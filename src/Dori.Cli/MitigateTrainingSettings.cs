using System.ComponentModel;
using Dori.Mitigation;
using Dori.Training;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Options of every mitigation that trains weights. Null: the method's published value.</summary>
internal abstract class MitigateTrainingSettings : MitigateSettings
{
    [CommandOption("--iterations <N>"), Description("Training steps (default: the model's, else as published)")]
    public int? Iterations { get; init; }

    [CommandOption("--learning-rate <R>"), Description("Of the optimiser (default: the model's, else as published for Stable Diffusion)")]
    public double? LearningRate { get; init; }

    /// <summary>The command line over a method's own.</summary>
    public TrainingOptions Training(TrainingOptions own) =>
        own with { Steps = Iterations ?? own.Steps, LearningRate = LearningRate ?? own.LearningRate };
}

/// <summary>Options of methods that need pictures in the memorized ones' place, given or generated.</summary>
internal abstract class MitigatePicturesSettings : MitigateTrainingSettings
{
    [CommandOption("--generated <N>"), Description("Generations wanted for each picture where none are given"), DefaultValue(16)]
    public int Generated { get; init; } = 16;

    [CommandOption("--tries <N>"), Description("Generations to look at for them, at most"), DefaultValue(200)]
    public int Tries { get; init; } = 200;

    [CommandOption("--most-similar <S>"), Description("A generation more similar to the picture than this is rejected"), DefaultValue(0.5)]
    public double MostSimilar { get; init; } = 0.5;

    [CommandOption("--generator <MODEL>"), Description("Generates with this model, such as a pruned one, instead of MODEL")]
    public string? Generator { get; init; }

    [CommandOption("--guidance <W>"), Description("Classifier-free guidance of these generations (default: the model's, else 7.5)")]
    public double? Guidance { get; init; }

    [CommandOption("--copy-detector <PATH>"),
        Description("TorchScript file or folder; it is code and will be run (default: the model's own copy_detector folder)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"),
        Description("How pictures are brought to that file: nemo, wen, concept-ablation (default: the JSON beside it)")]
    public string? Preset { get; init; }

    [CommandOption("--batch <N>"), Description("Pictures in every step (default: as published)")]
    public int? Batch { get; init; }

    [CommandOption("--micro-batch <N>"), Description("Pictures that go through the UNet at once: fewer need less memory")]
    public int? MicroBatch { get; init; }

    public override MitigateInputs Inputs => new(CopyDetector, Preset, Generator);

    public ReplacementOptions Replacements
    {
        get
        {
            var options = new ReplacementOptions { Count = Generated, Tries = Tries, MostSimilar = MostSimilar, Guidance = Guidance };
            options.Check();
            return options;
        }
    }
}
