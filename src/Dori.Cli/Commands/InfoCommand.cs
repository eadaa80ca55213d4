using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Checkpoints;
using Dori.Checkpoints.Adapters;
using Dori.Diffusion;
using Spectre.Console;
using Spectre.Console.Cli;
using TorchSharp;

namespace Dori.Cli.Commands;

internal sealed class InfoSettings : CheckpointSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";
}

/// <param name="Dtypes">As stored, with the number of tensors of each.</param>
internal sealed record ComponentInfo(string Name, string Kind, long Parameters, int Tensors, IReadOnlyDictionary<string, int> Dtypes,
    long Bytes, IReadOnlyList<string> Files);

internal sealed record ModelInfo(string Schema, string Path, string Sha256, IReadOnlyList<ComponentInfo> Components, string Scheduler,
    string Prediction,
    int PictureSize, int Tokens, int EmbeddingWidth, ModelDefaults Defaults, bool Sound, IReadOnlyList<string> Notes,
    IReadOnlyList<string> PassedOver,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<MergedInfo>? Adapters = null);

/// <summary>An adapter that the model was opened with.</summary>
internal sealed record MergedInfo(string Name, double Scale, string Description, AdapterTraining? Training);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(ModelInfo))]
[JsonSerializable(typeof(AdapterInfo))]
internal sealed partial class InfoJson : JsonSerializerContext;

/// <summary>
/// Loads the whole model, so that every key, shape and config is checked before any tensor is read, and every weight is looked at as it is.
/// </summary>
internal sealed class InfoCommand(Shell shell) : Command<InfoSettings>
{
    protected override int Execute(CommandContext context, InfoSettings settings, CancellationToken cancellation)
    {
        if (settings.Loras.Length == 0 && AdapterInfo.IsAdapter(settings.Model)) return Adapter(settings, AdapterInfo.Read(settings.Model));
        if (settings.ThreadCount is not null) torch.set_num_threads(settings.Threads);
        Checkpoint folder = settings.OpenModel(settings.Model);
        using DiffusionModel model = DiffusionModel.Load(folder);
        var components = new List<ComponentInfo>();
        List<(string, string, Func<WeightSet>)> parts = [("text_encoder", "CLIPTextModel", folder.OpenTextEncoder),
            ("vae", "AutoencoderKL", folder.OpenVae), ("unet", "UNet2DConditionModel", folder.OpenUNet)];
        if (folder.TextEncoder2 is not null) parts.Insert(1, ("text_encoder_2", "CLIPTextModelWithProjection", folder.OpenTextEncoder2));
        foreach ((string name, string kind, Func<WeightSet> open) in parts)
            using (WeightSet weights = open()) components.Add(Component(name, kind, weights));
        var info = new ModelInfo("dori.info/1", Path.GetFullPath(settings.Model), folder.Sha256(), components,
            model.Scheduler.StandsInFor ?? model.Scheduler.ClassName, model.Scheduler.PredictionType, model.PictureSize,
            model.Tokenizer.MaxLength, model.UNet.Config.CrossAttentionDim, model.Defaults, Sound: true, model.Notes, model.Details,
            folder.Adapters.Count == 0 ? null : [.. folder.Adapters.Select(
                adapter => new MergedInfo(adapter.Name, adapter.Scale, adapter.Description, adapter.Training))]);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(info, InfoJson.Default.ModelInfo));
        else if (!settings.Quiet) Print(info);
        return DoriApp.Done;
    }

    private int Adapter(InfoSettings settings, AdapterInfo info)
    {
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(info, InfoJson.Default.AdapterInfo));
        else if (!settings.Quiet)
        {
            shell.Console.WriteLine($"{info.Description}.");
            shell.Console.WriteLine($"Fits: {info.Fits}.");
            if (info.Training is { } training) Print(training);
            foreach (string note in info.Notes) shell.Console.WriteLine($"Note: {note}");
            shell.Console.WriteLine("Give it to any verb beside its base: dori audit BASE --lora FILE. Whether it fits a base to the "
                + "last key: dori info BASE --lora FILE.");
        }
        // A folder is what a model is: who gives one of an adapter has taken it for one.
        return Directory.Exists(settings.Model) ? throw NoModel.At(settings.Model) : DoriApp.Done;
    }

    /// <summary>What the metadata says of the training, for memorization most of all: how often each picture was seen.</summary>
    private void Print(AdapterTraining training)
    {
        string[] trainedOn = [.. new[] { training.Base, training.Architecture }.OfType<string>()];
        if (trainedOn.Length > 0) shell.Console.WriteLine($"Trained on: {string.Join(", ", trainedOn)} (by the file's metadata).");
        if (training.Steps is { } steps) shell.Console.WriteLine(
            $"Training: {steps:N0} steps{(training.Epochs is { } epochs ? $", {epochs:N0} epochs" : "")}"
            + $"{(training.ShuffledCaptions ? ", captions shuffled" : "")}.");
        if (training.Seen() is { } seen) shell.Console.WriteLine($"Pictures: {seen}.");
        if (training.TriggerPhrase is { } phrase) shell.Console.WriteLine($"Trigger phrase: {phrase}");
    }

    private ComponentInfo Component(string name, string kind, WeightSet weights)
    {
        var dtypes = new SortedDictionary<string, int>(StringComparer.Ordinal);
        long parameters = 0, bytes = 0;
        foreach (string key in weights.Names)
        {
            shell.Interrupted.ThrowIfCancellationRequested();
            TensorInfo info = weights.Info(key);
            dtypes[$"{info.Dtype}"] = dtypes.GetValueOrDefault($"{info.Dtype}") + 1;
            parameters += info.Shape.Aggregate(1L, (x, y) => x * y);
            bytes += info.ByteCount;
        }
        return new ComponentInfo(name, kind, parameters, weights.Names.Count, dtypes, bytes,
            [.. weights.Files.Select(f => Path.GetFileName(f))]);
    }

    private void Print(ModelInfo info)
    {
        var table = new PlainTable("part", "class", "parameters", "tensors", "stored as", "size");
        foreach (ComponentInfo c in info.Components)
            table.AddRow(c.Name, c.Kind, $"{c.Parameters:N0}", $"{c.Tensors}", string.Join(", ", c.Dtypes.Keys),
                $"{c.Bytes / 1048576.0:0.0} MiB");
        shell.Console.Write(table);
        shell.Console.WriteLine(
            $"Scheduler: {info.Scheduler}, predicts {info.Prediction}. Pictures: {info.PictureSize} x {info.PictureSize}. Text: "
            + $"{info.Tokens} tokens, {info.EmbeddingWidth} wide.");
        shell.Console.WriteLine(
            $"Defaults: guidance {info.Defaults.Guidance}, sampler {info.Defaults.Sampler ?? "the checkpoint's"}, "
            + $"{info.Defaults.SamplerSteps} steps; search {info.Defaults.SearchSteps} steps of {info.Defaults.SearchBatch} at "
            + $"{info.Defaults.SearchLearningRate}.");
        foreach (MergedInfo adapter in info.Adapters ?? [])
        {
            shell.Console.WriteLine($"Adapter: {adapter.Name}, scale {adapter.Scale}: {adapter.Description}.");
            if (adapter.Training is { } training) Print(training);
        }
        shell.Console.WriteLine($"SHA-256: {info.Sha256}");
        foreach (string detail in info.PassedOver) shell.Console.WriteLine($"Also: {detail}");
        foreach (string note in info.Notes) shell.Console.WriteLine($"Note: {note}");
        shell.Console.WriteLine(info.Notes.Count == 0 ? "Sound: every config, key, shape and weight is as it should be."
            : "Sound, but for the notes: every key, shape and weight is as it should be.");
    }
}
