using System.ComponentModel;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Pictures;
using Spectre.Console.Cli;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli;

/// <summary>Options of every verb.</summary>
internal class CommonSettings : CommandSettings
{
    [CommandOption("--device <DEVICE>"), Description("cpu or cuda"), DefaultValue("cpu")]
    public string DeviceName { get; init; } = "cpu";

    [CommandOption("--dtype <DTYPE>"),
        Description("The UNet's numbers: float32 or bfloat16 (default: float32 on the CPU, bfloat16 on CUDA)")]
    public string? DtypeName { get; init; }

    [CommandOption("--threads <N>"), Description("Processor threads in all (default: one per core)")]
    public int? ThreadCount { get; init; }

    [CommandOption("--quiet"), Description("No progress, no tables")]
    public bool Quiet { get; init; }

    [CommandOption("--json"), Description("The result as JSON on standard output, and nothing else there")]
    public bool Json { get; init; }

    public Device Device => DeviceName switch
    {
        "cpu" => CPU,
        "cuda" =>
            cuda.is_available() ? CUDA
            : throw new DoriException(
            "--device cuda: this build's libtorch sees no CUDA device; build with -p:TorchBackend=cuda, or use --device cpu"),
        _ => throw new DoriException($"--device {DeviceName}: not known; cpu and cuda are possible"),
    };

    public ScalarType Dtype => (DtypeName ?? (DeviceName == "cuda" ? "bfloat16" : "float32")) switch
    {
        "float32" => ScalarType.Float32,
        "bfloat16" => ScalarType.BFloat16,
        _ => throw new DoriException($"--dtype {DtypeName}: not known; float32 and bfloat16 are possible"),
    };

    public Machine Machine => new() { Device = Device, Dtype = Dtype, Threads = Threads };

    public int Threads => ThreadCount switch
    {
        null => Environment.ProcessorCount,
        >= 1 and <= 1024 => ThreadCount.Value,
        _ => throw new DoriException($"--threads {ThreadCount}: 1 to 1024 is possible"),
    };
}

/// <summary>How pictures are drawn and searched for. Null: the model's own default (its dori.json, else the published one).</summary>
internal class SearchSettings : ModelSettings
{
    [CommandOption("--steps <N>"), Description("Search steps that the verdict rests on (default: the model's, else 50)")]
    public int? Steps { get; init; }

    [CommandOption("--generations|-n <N>"), Description("Pictures generated per item and start (default: 10)")]
    public int? Generations { get; init; }

    [CommandOption("--starts <LIST>"),
        Description("Where searches begin, by commas: prompt (no search), caption, random, other (default: all)")]
    public string? Starts { get; init; }

    [CommandOption("--curve <LIST>"), Description("Further steps at which the curve is taken, by commas, or none (default: 0,1,10,25)")]
    public string? Curve { get; init; }

    [CommandOption("--curve-generations <N>"), Description("Pictures generated at each step of the curve (default: 4)")]
    public int? CurveGenerations { get; init; }

    [CommandOption("--seed <N>"), Description("Every random number follows from it (default: 0)")]
    public long Seed { get; init; }

    [CommandOption("--guidance <W>"), Description("Classifier-free guidance (default: the model's, else 7.5)")]
    public double? Guidance { get; init; }

    [CommandOption("--sampler <NAME>"), Description("ddim, pndm, euler, dpm-solver++ or dpm-solver++-karras (default: the model's)")]
    public string? SamplerName { get; init; }

    [CommandOption("--sampler-steps <N>"), Description("Sampler steps a picture (default: the model's, else 50)")]
    public int? SamplerSteps { get; init; }

    [CommandOption("--search-batch <B>"), Description("(noise, time step) pairs in every search step (default: the model's, else 8)")]
    public int? SearchBatch { get; init; }

    [CommandOption("--micro-batch <N>"), Description("Pairs that go through the UNet at once: fewer need less memory (default: all)")]
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

    [CommandOption("--copy-detector <PATH>"),
        Description("TorchScript file or folder; it is code and will be run (default: the model's own copy_detector folder)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"),
        Description("How pictures are brought to that file: nemo, wen, concept-ablation (default: the JSON beside it)")]
    public string? Preset { get; init; }

    [CommandOption("--despite-control")]
    [Description("Search although the positive control failed: everything is measured and nothing judged")]
    public bool DespiteControl { get; init; }

    /// <summary>The command line over what the model's folder asks for.</summary>
    public AuditOptions Over(AuditOptions own)
    {
        int steps = Steps ?? own.Steps, batch = SearchBatch ?? own.SearchBatch, generations = Generations ?? own.Generations;
        var options = own with
        {
            Starts = Starts is null ? own.Starts : [.. Starts.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)],
            Seed = Seed,
            Steps = steps,
            SearchBatch = batch,
            MicroBatch = MicroBatch ?? batch,
            LearningRate = LearningRate ?? own.LearningRate,
            CurveSteps = Curve is null ? [.. own.CurveSteps.Where(s => s < steps)] : CurveSteps(Curve),
            Generations = generations,
            CurveGenerations = CurveGenerations ?? Math.Min(own.CurveGenerations, generations),
            GenerationBatch = GenerationBatch ?? own.GenerationBatch,
            Guidance = Guidance ?? own.Guidance,
            Sampler = SamplerName ?? own.Sampler,
            SamplerSteps = SamplerSteps ?? own.SamplerSteps,
            Threshold = Threshold ?? own.Threshold,
            Mirror = !NoMirror,
        };
        options.Check();
        return options;
    }

    /// <summary>An audit under these settings.</summary>
    /// <param name="adjust">Last changes to the options.</param>
    public Audit.Audit Audit(Shell shell, Checkpoint model, PictureSet pictures, Func<AuditOptions, AuditOptions>? adjust = null,
        Checkpoint? original = null, (int Index, int Count)? shard = null) => new(model, pictures)
    {
        Options = own => adjust is null ? Over(own) : adjust(Over(own)),
        Machine = Machine,
        CopyDetector = CopyDetector,
        Preset = Preset,
        Original = original,
        Shard = shard ?? (1, 1),
        DespiteControl = DespiteControl,
        Command = shell.CommandLine,
        Watch = shell.Watch(this),
    };

    private static int[] CurveSteps(string text)
    {
        if (text == "none") return [];
        try
        {
            return [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).Order()
                .Distinct()];
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new DoriException($"--curve {text}: numbers of steps by commas are wanted, such as 0,1,10,25, or none", e);
        }
    }
}
