using System.ComponentModel;
using Dori.Diffusion;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Options of every mitigation that trains weights. Null: the method's published value.</summary>
internal class MitigateTrainingSettings : MitigateSettings
{
    [CommandOption("--iterations <N>"), Description("Training steps (default: as published; for small models so many a picture)")]
    public int? Iterations { get; init; }

    [CommandOption("--learning-rate <R>"), Description("Of the optimiser (default: as published for Stable Diffusion; small models a larger one)")]
    public double? LearningRate { get; init; }
}

/// <summary>Options of methods that need pictures in the memorized ones' place, given or generated.</summary>
internal class MitigatePicturesSettings : MitigateTrainingSettings
{
    [CommandOption("--generated <N>"), Description("Generations wanted for each picture where none are given"), DefaultValue(16)]
    public int Generated { get; init; } = 16;

    [CommandOption("--tries <N>"), Description("Generations to look at for them, at most"), DefaultValue(200)]
    public int Tries { get; init; } = 200;

    [CommandOption("--most-similar <S>"), Description("A generation more similar to the picture than this is rejected"), DefaultValue(Mitigation.TrainingGenerations.MostSimilar)]
    public double MostSimilar { get; init; } = Mitigation.TrainingGenerations.MostSimilar;

    [CommandOption("--generator <MODEL>"), Description("Generates with this model, such as a pruned one, instead of MODEL")]
    public string? Generator { get; init; }

    [CommandOption("--guidance <W>"), Description("Classifier-free guidance of these generations (default: the model's, else 7.5)")]
    public double? Guidance { get; init; }

    [CommandOption("--copy-detector <PATH>"), Description("TorchScript file or folder; it is code and will be run (default: the model's own copy_detector folder)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"), Description("How pictures are brought to that file: nemo, wen, concept-ablation (default: the JSON beside it)")]
    public string? Preset { get; init; }

    [CommandOption("--batch <N>"), Description("Pictures in every step (default: as published)")]
    public int? Batch { get; init; }

    [CommandOption("--micro-batch <N>"), Description("Pictures that go through the UNet at once: fewer need less memory")]
    public int? MicroBatch { get; init; }

    public GenerationOptions Generation(DiffusionModel generator)
    {
        if (Generated is < 1 or > 100_000 || Tries < Generated || Tries > 1_000_000) throw new DoriException($"--generated {Generated} --tries {Tries}: at least 1 generation, and at least as many tries, are wanted");
        if (!(MostSimilar is >= -1 and <= 1)) throw new DoriException($"--most-similar {MostSimilar}: -1 to 1 is possible");
        GenerationOptions options = GenerationOptions.For(generator, batch: Math.Min(10, Tries));
        return options with { Guidance = Guidance ?? options.Guidance };
    }
}
