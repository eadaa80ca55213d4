namespace Dori.Checkpoints;

/// <summary>
/// A text-to-image model in the layout that diffusers publishes: <c>model_index.json</c> and one folder a component. Opening it reads and
/// checks the configs; weights are read where a component is opened.
/// </summary>
public sealed partial class DiffusersFolder
{
    /// <summary>File name before any <c>.fp16</c> and shard number.</summary>
    private const string ModelBaseName = "diffusion_pytorch_model", TextBaseName = "model";

    private DiffusersFolder(string path) => Path = path;

    /// <summary>As given to <see cref="Open"/>.</summary>
    public string Path { get; }
    public required UNetConfig UNet { get; init; }
    public required VaeConfig Vae { get; init; }
    public required ClipTextConfig TextEncoder { get; init; }
    public required SchedulerConfig Scheduler { get; init; }
    /// <summary>Path of the tokenizer's folder.</summary>
    public string Tokenizer => PathOf("tokenizer");

    /// <exception cref="DoriException">No diffusers folder, a component of another class, or whatever <see cref="ConfigFiles"/> refuses.</exception>
    public static DiffusersFolder Open(string folder)
    {
        string index = System.IO.Path.Combine(folder, "model_index.json");
        if (!File.Exists(index)) throw NoIndex(folder);
        string schedulerClass = ReadIndex(index);
        var opened = new DiffusersFolder(folder)
        {
            UNet = ConfigFiles.ReadUNet(System.IO.Path.Combine(folder, "unet", "config.json")),
            Vae = ConfigFiles.ReadVae(System.IO.Path.Combine(folder, "vae", "config.json")),
            TextEncoder = ConfigFiles.ReadClipText(System.IO.Path.Combine(folder, "text_encoder", "config.json")),
            Scheduler = ConfigFiles.ReadScheduler(System.IO.Path.Combine(folder, "scheduler", "scheduler_config.json")),
        };
        if (opened.Scheduler.ClassName != schedulerClass)
            throw new DoriException($"{folder}: model_index.json names the scheduler {schedulerClass}, scheduler/scheduler_config.json {opened.Scheduler.ClassName}; make both name the same");
        if (!Directory.Exists(opened.Tokenizer)) throw new DoriException($"{opened.Tokenizer}: no such folder; the tokenizer's vocab.json and merges.txt belong there");
        return opened;
    }

    public WeightSet OpenUNet() => WeightSet.Open(PathOf("unet"), ModelBaseName);
    public WeightSet OpenVae() => WeightSet.Open(PathOf("vae"), ModelBaseName);
    public WeightSet OpenTextEncoder() => WeightSet.Open(PathOf("text_encoder"), TextBaseName);

    /// <summary>Checks <c>model_index.json</c>.</summary>
    /// <returns>The scheduler's class.</returns>
    internal static string ReadIndex(string path) => ConfigJson.Read(path, json =>
    {
        json.Text("_class_name", null, "StableDiffusionPipeline");
        json.Component("unet", "diffusers", "UNet2DConditionModel");
        json.Component("vae", "diffusers", "AutoencoderKL");
        json.Component("text_encoder", "transformers", "CLIPTextModel");
        json.Component("tokenizer", "transformers", "CLIPTokenizer", "CLIPTokenizerFast");
        string scheduler = json.Component("scheduler", "diffusers", ConfigFiles.SchedulerClasses);
        // Parts that look at a finished picture, or take a picture for a prompt: none has a say in what the model holds.
        json.Ignore("safety_checker", "feature_extractor", "image_encoder", "requires_safety_checker");
        json.RefuseUnknown();
        return scheduler;
    });

    private static DoriException NoIndex(string folder)
    {
        const string what = "a model is a diffusers folder: model_index.json beside unet/, vae/, text_encoder/, tokenizer/ and scheduler/";
        if (File.Exists(folder)) return new DoriException($"{folder}: a file; {what}{HowToConvert(folder)}");
        if (!Directory.Exists(folder)) return new DoriException($"{folder}: no such folder; {what}");
        string? single = SingleFile(folder);
        return new DoriException($"{folder}: no model_index.json; {what}{(single is null ? "" : HowToConvert(single))}");
    }

    private static string? SingleFile(string folder)
    {
        try
        {
            string[] files = [.. Directory.EnumerateFiles(folder).Where(IsSingleFile).Take(1000).Order(StringComparer.Ordinal)];
            return files.FirstOrDefault();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool IsSingleFile(string path) => System.IO.Path.GetExtension(path) is ".ckpt" or ".safetensors";

    private static string HowToConvert(string file)
    {
        if (!IsSingleFile(file)) return "";
        return $". {System.IO.Path.GetFileName(file)} is converted in Python by diffusers.StableDiffusionPipeline.from_single_file(\"{System.IO.Path.GetFileName(file)}\").save_pretrained(\"FOLDER\")";
    }

    private string PathOf(string name) => System.IO.Path.Combine(Path, name);
}
