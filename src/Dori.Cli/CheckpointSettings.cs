using System.ComponentModel;
using System.Globalization;
using Dori.Checkpoints;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>How every verb that takes a MODEL opens it.</summary>
internal class CheckpointSettings : CommonSettings
{
    private const double LargestScale = 100;

    [CommandOption("--lora <FILE[:SCALE]>"),
        Description("A LoRA to merge into the model, as a file or a folder, at a scale (default: 1); repeatable")]
    public string[] Loras { get; init; } = [];

    [CommandOption("--embedding <FILE>"),
        Description("A word of textual inversion (.safetensors), known by its file's name or its key; repeatable")]
    public string[] Embeddings { get; init; } = [];

    [CommandOption("--config <FOLDER>"),
        Description("For a single file of another kind than SD 1.x, 2.x: a diffusers folder that its configs, and missing parts, come "
        + "from")]
    public string? Config { get; init; }

    [CommandOption("--prediction-type <TYPE>"),
        Description("For a single file: epsilon or v_prediction (default: what the file, its config or its weights say)")]
    public string? PredictionType { get; init; }

    [CommandOption("--threads <N>"), Description("Processor threads in all (default: one per core)")]
    public int? ThreadCount { get; init; }

    public int Threads => ThreadCount switch
    {
        null => Environment.ProcessorCount,
        >= 1 and <= 1024 => ThreadCount.Value,
        _ => throw new DoriException($"--threads {ThreadCount}: 1 to 1024 is possible"),
    };

    /// <summary>The model with its adapters.</summary>
    /// <exception cref="DoriException">Whatever <see cref="Checkpoint.Open"/> refuses, or an option that cannot be read.</exception>
    public Checkpoint OpenModel(string model) => Checkpoint.Open(model, ModelOptions());

    /// <summary>The model with one of its adapters.</summary>
    /// <inheritdoc cref="OpenModel"/>
    public Checkpoint OpenWith(string model, (string Path, double Scale) adapter) =>
        Checkpoint.Open(model, ModelOptions() with { Adapters = [adapter] });

    /// <summary>Another model than the one in question: without its adapters and words, a single file read by the same
    /// options.</summary>
    /// <inheritdoc cref="OpenModel"/>
    protected Checkpoint OpenOther(string model) =>
        Checkpoint.Open(model, Directory.Exists(model) ? null : ModelOptions() with { Adapters = [], Embeddings = [] });

    /// <summary>The model as <see cref="OpenModel"/> opens it.</summary>
    private CheckpointOptions ModelOptions() => new()
    {
        Adapters = [.. Loras.Select(Parse)],
        Embeddings = Embeddings,
        Config = Config,
        PredictionType = PredictionType is null or "epsilon" or "v_prediction" ? PredictionType
            : throw new DoriException($"--prediction-type {PredictionType}: not known; epsilon and v_prediction are possible"),
    };

    /// <summary>Where a model's own copy detector and CLIP lie.</summary>
    public string SideFolder(string model) => Config ?? model;

    /// <summary>A path may hold colons: what follows the last one is a scale where it is a number.</summary>
    internal static (string Path, double Scale) Parse(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon < 0 || File.Exists(text) || Directory.Exists(text)) return (text, 1);
        if (!double.TryParse(text[(colon + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out double scale))
            throw new DoriException($"--lora {text}: no such file or folder; FILE or FILE:SCALE is wanted, such as style.safetensors:0.8");
        return Math.Abs(scale) <= LargestScale ? (text[..colon], scale) :
            throw new DoriException($"--lora {text}: a scale from -{LargestScale} to {LargestScale} is possible");
    }
}
