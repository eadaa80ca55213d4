using System.ComponentModel;
using System.Globalization;
using Dori.Diffusion;
using Dori.Mitigation;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

/// <summary>Options of adversarial fine-tuning. Null: the preset for the model's size.</summary>
internal sealed class MitigateAdversarialSettings : MitigateSettings
{
    [CommandOption("--ordinary <PATH>"), Description("Ordinary pictures with captions: a webdataset (.tar) or an imagefolder (default: the model draws them itself)")]
    public string? Ordinary { get; init; }

    [CommandOption("--ordinary-captions <FILE>"), Description("Where it draws them itself: captions, one a line (default: those of the controls in --images)")]
    public string? OrdinaryCaptions { get; init; }

    [CommandOption("--work <DIR>"), Description("Surrogates and the training's state; the same command resumes from it (default: NEWMODEL.work)")]
    public string? Work { get; init; }

    [CommandOption("--ordinary-limit <N>"), Description("The first N ordinary pairs (default: all given, or 512 drawn)")]
    public int? OrdinaryLimit { get; init; }

    [CommandOption("--epochs <N>"), Description("Passes over the pictures, one search each (published: 5; small models: 15)")]
    public int? Epochs { get; init; }

    [CommandOption("--steps <N>"), Description("Outer steps in all, instead of --epochs")]
    public int? Steps { get; init; }

    [CommandOption("--picture-batch <N>"), Description("Pictures searched for and trained against together (default: 4)")]
    public int? PictureBatch { get; init; }

    [CommandOption("--steps-per-search <N>"), Description("Outer steps for each renewal of the searches (published: 1; small models: 16)")]
    public int? StepsPerSearch { get; init; }

    [CommandOption("--searches <N>"), Description("Searches for each picture at a renewal (default: 1)")]
    public int? Searches { get; init; }

    [CommandOption("--search-steps <N>"), Description("Steps of the inner search (published: 50)")]
    public int? SearchSteps { get; init; }

    [CommandOption("--snapshots <LIST>"), Description("Steps of the inner search trained against besides its last, by commas, or none (default: 10,25)")]
    public string? Snapshots { get; init; }

    [CommandOption("--search-batch <B>"), Description("(noise, time step) pairs in a step of the inner search (default: the model's, else 8)")]
    public int? SearchBatch { get; init; }

    [CommandOption("--ordinary-pairs <N>"), Description("Ordinary pairs in an outer step (default: 24; small models: 72)")]
    public int? OrdinaryPairs { get; init; }

    [CommandOption("--distillation <SHARE>"), Description("Share of a teacher's prediction, beside the noise, in what is trained: the original model's for ordinary pairs, the pruned one's for surrogates (default: 0; small models: 1)")]
    public double? Distillation { get; init; }

    [CommandOption("--own-generations <N>"), Description("Pictures that the model draws from the captions of --ordinary, as further ordinary pairs (default: 0; small models: 768)")]
    public int? OwnGenerations { get; init; }

    [CommandOption("--related-share <SHARE>"), Description("Share of the ordinary pairs that is drawn from captions that share words with those to be forgotten (default: 0; small models: 0.6)")]
    public double? RelatedShare { get; init; }

    [CommandOption("--guidance-weight <W>"), Description("Ordinary pairs with and without caption, and this factor for what their errors differ by, which guidance multiplies; 0: one row a pair (default: 0; small models: 6)")]
    public double? GuidanceWeight { get; init; }

    [CommandOption("--guidance-shortfall <W>"), Description("Ordinary pairs with and without caption, and this factor for the square of the share of guidance that the model has lost on average (default: 0; small models: 0.05)")]
    public double? GuidanceShortfall { get; init; }

    [CommandOption("--empty-captions <SHARE>"), Description("Share of the ordinary pairs that comes with the empty prompt (default: 0.1; with --guidance-weight or --guidance-shortfall: half, always)")]
    public double? EmptyCaptions { get; init; }

    [CommandOption("--draws <N>"), Description("Draws for each adversarial condition in an outer step (default: 1)")]
    public int? Draws { get; init; }

    [CommandOption("--replay <N>"), Description("Draws of other pictures' last finds in an outer step (default: 8)")]
    public int? Replay { get; init; }

    [CommandOption("--search-generations <N>"), Description("Pictures generated from what each inner search found, to search and weigh most where most is found; 0: pictures in turn, all alike (default: 0; small models: 4)")]
    public int? SearchGenerations { get; init; }

    [CommandOption("--adversarial-weight <W>"), Description("Factor of the adversarial loss (default: 1)")]
    public double? AdversarialWeight { get; init; }

    [CommandOption("--learning-rate <R>"), Description("AdamW's rate (default: 1e-5; small models: 1e-3)")]
    public double? LearningRate { get; init; }

    [CommandOption("--cooldown <SHARE>"), Description("Share of the steps, the last ones, over which the rate falls to 0 (default: 0, a constant rate; small models: 0.7)")]
    public double? Cooldown { get; init; }

    [CommandOption("--restart <FACTOR>"), Description("Multiple of the rate that the fall begins with (default: 1; small models: 2)")]
    public double? Restart { get; init; }

    [CommandOption("--weight-decay <D>"), Description("AdamW's decay (default: 0.01)")]
    public double? WeightDecay { get; init; }

    [CommandOption("--ema <D>"), Description("Decay of a running average of the weights, which is then the result; 0: none (small models: 0.98)")]
    public double? Ema { get; init; }

    [CommandOption("--lora <RANK>"), Description("Train low-rank updates of this rank instead of all weights, for comparison (published to fail)")]
    public int? Lora { get; init; }

    [CommandOption("--lora-layers <WHICH>"), Description("attention or all-linear"), DefaultValue("attention")]
    public string LoraLayersName { get; init; } = "attention";

    [CommandOption("--micro-batch <N>"), Description("Rows that go through the UNet at once: fewer need less memory (default: by the model's size)")]
    public int? MicroBatch { get; init; }

    [CommandOption("--surrogates <N>"), Description("Surrogates for each picture (default: 8)")]
    public int? Surrogates { get; init; }

    [CommandOption("--sparsity <LIST>"), Description("Wanda's sparsity for them, and those to fall back on, by commas (default: by the model's size)")]
    public string? Sparsity { get; init; }

    [CommandOption("--surrogate-similarity <S>"), Description("Similarity to the picture above which a surrogate is rejected (default: 0.5)")]
    public double? SurrogateSimilarity { get; init; }

    [CommandOption("--check-every <N>"), Description("Outer steps from one small held-out audit to the next; 0: none (default: 0)")]
    public int CheckEvery { get; init; }

    [CommandOption("--check-pictures <N>"), Description("Pictures in it: the first N (default: 4)")]
    public int? CheckPictures { get; init; }

    [CommandOption("--check-generations <N>"), Description("Pictures generated in it from each prompt and each search (default: 4)")]
    public int? CheckGenerations { get; init; }

    [CommandOption("--check-patience <N>"), Description("Stop once so many in a row found nothing; 0: never (default: 2)")]
    public int? CheckPatience { get; init; }

    [CommandOption("--save-every <N>"), Description("Outer steps from one writing of the state to the next (default: 64)")]
    public int SaveEvery { get; init; } = 64;

    [CommandOption("--copy-detector <PATH>"), Description("TorchScript file or folder; it is code and will be run (default: the model's own copy_detector folder)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"), Description("How pictures are brought to that file: nemo, wen, concept-ablation (default: the JSON beside it)")]
    public string? Preset { get; init; }

    /// <summary>The command line over the preset.</summary>
    public AdversarialFineTuningOptions Options(DiffusionModel model)
    {
        AdversarialFineTuningOptions preset = AdversarialFineTuningOptions.For(model);
        var options = preset with
        {
            Epochs = Epochs ?? preset.Epochs,
            Steps = Steps,
            PictureBatch = PictureBatch ?? preset.PictureBatch,
            StepsPerSearch = StepsPerSearch ?? preset.StepsPerSearch,
            SearchesPerPicture = Searches ?? preset.SearchesPerPicture,
            SearchSteps = SearchSteps ?? preset.SearchSteps,
            SnapshotSteps = Snapshots is null ? preset.SnapshotSteps : Numbers("--snapshots", Snapshots, text => int.Parse(text, CultureInfo.InvariantCulture)),
            SearchBatch = SearchBatch ?? preset.SearchBatch,
            OrdinaryPairs = OrdinaryPairs ?? preset.OrdinaryPairs,
            DistillationShare = Distillation ?? preset.DistillationShare,
            OwnGenerations = OwnGenerations ?? preset.OwnGenerations,
            RelatedShare = RelatedShare ?? preset.RelatedShare,
            GuidanceWeight = GuidanceWeight ?? preset.GuidanceWeight,
            GuidanceShortfallWeight = GuidanceShortfall ?? preset.GuidanceShortfallWeight,
            EmptyCaptionShare = EmptyCaptions ?? preset.EmptyCaptionShare,
            DrawsPerCondition = Draws ?? preset.DrawsPerCondition,
            ReplayDraws = Replay ?? preset.ReplayDraws,
            SearchGenerations = SearchGenerations ?? preset.SearchGenerations,
            AdversarialWeight = AdversarialWeight ?? preset.AdversarialWeight,
            LearningRate = LearningRate ?? preset.LearningRate,
            CooldownShare = Cooldown ?? preset.CooldownShare,
            RestartFactor = Restart ?? preset.RestartFactor,
            WeightDecay = WeightDecay ?? preset.WeightDecay,
            EmaDecay = Ema ?? preset.EmaDecay,
            LoraRank = Lora ?? 0,
            LoraLayers = LoraLayersName switch
            {
                "attention" => LoraLayers.Attention,
                "all-linear" => LoraLayers.AllLinear,
                _ => throw new DoriException($"--lora-layers {LoraLayersName}: not known; attention and all-linear are possible"),
            },
            MicroBatch = MicroBatch ?? preset.MicroBatch,
            Seed = Seed,
            HeldOut = CheckEvery == 0 ? null : HeldOut(),
        };
        options.Check();
        return options;
    }

    private HeldOutOptions HeldOut()
    {
        var preset = new HeldOutOptions();
        return preset with
        {
            Every = CheckEvery,
            Pictures = CheckPictures ?? preset.Pictures,
            Generations = CheckGenerations ?? preset.Generations,
            Patience = CheckPatience ?? preset.Patience,
        };
    }

    public SurrogateOptions SurrogateOptions(DiffusionModel model)
    {
        SurrogateOptions preset = Dori.Mitigation.SurrogateOptions.For(model);
        int count = Surrogates ?? preset.Count;
        var options = preset with
        {
            Count = count,
            Attempts = Math.Max(preset.Attempts, 3 * count),
            Sparsities = Sparsity is null ? preset.Sparsities : Numbers("--sparsity", Sparsity, text => double.Parse(text, CultureInfo.InvariantCulture)),
            LargestSimilarity = SurrogateSimilarity ?? preset.LargestSimilarity,
            Seed = Seed,
        };
        options.Check();
        return options;
    }

    private static T[] Numbers<T>(string option, string text, Func<string, T> parse)
    {
        if (text == "none") return [];
        try
        {
            return [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(parse).Order().Distinct()];
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new DoriException($"{option} {text}: numbers by commas are wanted", e);
        }
    }
}
