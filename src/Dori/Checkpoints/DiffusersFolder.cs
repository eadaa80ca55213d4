using Dori.Models;

namespace Dori.Checkpoints;

/// <summary>
/// A text-to-image model in the layout that diffusers publishes: <c>model_index.json</c> and one folder a component. Opening it reads and
/// checks the configs; weights are read where a component is opened.
/// </summary>
internal sealed partial class DiffusersFolder : ICheckpointSource
{
    /// <summary>File name before any <c>.fp16</c> and shard number.</summary>
    internal const string ModelBaseName = "diffusion_pytorch_model", TextBaseName = "model";

    private DiffusersFolder(string path) => Path = path;

    /// <summary>As given to <see cref="Open"/>.</summary>
    public string Path { get; }
    public required UNetConfig UNet { get; init; }
    public required VaeConfig Vae { get; init; }
    public required ClipTextConfig TextEncoder { get; init; }
    public ClipTextConfig? TextEncoder2 { get; private init; }
    public bool ForcesZeros { get; private init; }
    public required SchedulerConfig Scheduler { get; init; }
    string? ICheckpointSource.Folder => Path;
    ModelNotes ICheckpointSource.Collected => Collected;
    /// <summary>Path of the tokenizer's folder.</summary>
    public string Tokenizer => PathOf("tokenizer");

    /// <summary>
    /// What was read otherwise than it is written, or cannot be known from the files: for every run and report. One sentence each.
    /// </summary>
    public IReadOnlyList<string> Notes => Collected.Said;

    /// <summary>What was passed over without loss: for <c>info</c>. One sentence each.</summary>
    public IReadOnlyList<string> Details => Collected.Details;

    internal ModelNotes Collected { get; private init; } = new();

    /// <exception cref="DoriException">No diffusers folder, a component of another class, or whatever <see cref="ConfigFiles"/>
    /// refuses.</exception>
    public static DiffusersFolder Open(string folder)
    {
        string index = System.IO.Path.Combine(folder, "model_index.json");
        if (!File.Exists(index)) throw NoModel.At(folder);
        var notes = new ModelNotes();
        ModelIndex pipeline = ReadIndex(index, notes);
        string scheduler = System.IO.Path.Combine(folder, "scheduler", "scheduler_config.json");
        var opened = new DiffusersFolder(folder)
        {
            UNet = ConfigFiles.ReadUNet(System.IO.Path.Combine(folder, "unet", "config.json"), notes),
            Vae = ConfigFiles.ReadVae(System.IO.Path.Combine(folder, "vae", "config.json"), notes),
            TextEncoder = ConfigFiles.ReadClipText(System.IO.Path.Combine(folder, "text_encoder", "config.json"), notes),
            TextEncoder2 = !pipeline.IsXl ? null
                : ConfigFiles.ReadClipText(System.IO.Path.Combine(folder, "text_encoder_2", "config.json"), notes) with { Projects = true },
            ForcesZeros = pipeline.ForcesZeros,
            Scheduler = pipeline.IsXl ? ConfigFiles.ReadSchedulerAsWritten(scheduler, notes)
                : ConfigFiles.ReadScheduler(scheduler, notes),
            Collected = notes,
        };
        if (opened.UNet is { CrossAttentionDim: 1024, SampleSize: >= 96 } && !ConfigFiles.SaysPrediction(scheduler))
            notes.Say("scheduler/scheduler_config.json: prediction_type is absent and taken as epsilon, the default; "
                + "Stable Diffusion 2 at this size predicts the velocity (v_prediction).");
        string named = opened.Scheduler.StandsInFor ?? opened.Scheduler.ClassName;
        if (named != pipeline.Scheduler)
            throw new DoriException(
                $"{folder}: model_index.json names the scheduler {pipeline.Scheduler}, scheduler/scheduler_config.json {named}; make both "
                    + "name the same");
        foreach (string tokenizer in pipeline.IsXl ? [opened.Tokenizer, opened.PathOf("tokenizer_2")] : new[] { opened.Tokenizer })
            if (!Directory.Exists(tokenizer))
                throw new DoriException($"{tokenizer}: no such folder; the tokenizer's vocab.json and merges.txt, or tokenizer.json, "
                    + "belong there");
        return opened;
    }

    public ClipTokenizer OpenTokenizer() => ClipTokenizer.Load(Tokenizer, TextEncoder.MaxPositionEmbeddings);
    public WeightSet OpenUNet() => WeightSet.Open(PathOf("unet"), ModelBaseName);
    public WeightSet OpenVae() => WeightSet.Open(PathOf("vae"), ModelBaseName);
    public WeightSet OpenTextEncoder() => WeightSet.Open(PathOf("text_encoder"), TextBaseName);
    public ClipTokenizer OpenTokenizer2() => ClipTokenizer.Load(PathOf("tokenizer_2"), TextEncoder2!.MaxPositionEmbeddings);
    public WeightSet OpenTextEncoder2() => WeightSet.Open(PathOf("text_encoder_2"), TextBaseName);

    /// <summary>What <c>model_index.json</c> says.</summary>
    /// <param name="Scheduler">Its class.</param>
    /// <param name="IsXl">Two text encoders.</param>
    internal readonly record struct ModelIndex(string Scheduler, bool IsXl, bool ForcesZeros);

    private const string Xl = "StableDiffusionXLPipeline", XlRefiner = "StableDiffusionXLImg2ImgPipeline";

    /// <summary>Checks <c>model_index.json</c>.</summary>
    internal static ModelIndex ReadIndex(string path, ModelNotes? notes = null) => ConfigJson.Read(path, json =>
    {
        if (json.TextOrNull("_class_name") == XlRefiner)
            throw json.Refused("_class_name", $"StableDiffusionPipeline, {Xl}; this is SDXL's refiner or one that works on another model's "
                + "pictures");
        bool xl = json.Text("_class_name", null, "StableDiffusionPipeline", Xl) == Xl;
        if (xl)
        {
            json.Component("text_encoder_2", "transformers", "CLIPTextModelWithProjection");
            json.Component("tokenizer_2", "transformers", "CLIPTokenizer", "CLIPTokenizerFast");
            json.PassOver("it marks a finished picture", "add_watermarker");
        }
        json.Component("unet", "diffusers", "UNet2DConditionModel");
        json.Component("vae", "diffusers", "AutoencoderKL");
        json.Component("text_encoder", "transformers", "CLIPTextModel");
        json.Component("tokenizer", "transformers", "CLIPTokenizer", "CLIPTokenizerFast");
        string scheduler = json.Component("scheduler", "diffusers", ConfigFiles.SchedulerClasses, ConfigFiles.MayBeDiffusion);
        json.PassOver("they look at a finished picture, or take a picture for a prompt, and have no say in what the model holds",
            "safety_checker", "feature_extractor", "image_encoder", "requires_safety_checker");
        bool zeros = xl && json.Bool("force_zeros_for_empty_prompt", true);
        json.RefuseUnknown();
        return new ModelIndex(scheduler, xl, zeros);
    }, notes);

    private string PathOf(string name) => System.IO.Path.Combine(Path, name);
}
