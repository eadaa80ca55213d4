using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Checkpoints;
using Dori.Diffusion;
using Spectre.Console;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class InfoSettings : CommonSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder")]
    public string Model { get; init; } = "";
}

/// <param name="Dtypes">As stored, with the number of tensors of each.</param>
internal sealed record ComponentInfo(string Name, string Kind, long Parameters, int Tensors, IReadOnlyDictionary<string, int> Dtypes, long Bytes, IReadOnlyList<string> Files);

internal sealed record ModelInfo(string Schema, string Path, string Sha256, IReadOnlyList<ComponentInfo> Components, string Scheduler, string Prediction,
    int PictureSize, int Tokens, int EmbeddingWidth, ModelDefaults Defaults, bool Sound, IReadOnlyList<string> Notes,
        IReadOnlyList<string> PassedOver);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(ModelInfo))]
internal sealed partial class InfoJson : JsonSerializerContext;

/// <summary>
/// Loads the whole model, so that every key, shape and config is checked before any tensor is read, and every weight is looked at as it is.
/// </summary>
internal sealed class InfoCommand(Shell shell) : Command<InfoSettings>
{
    protected override int Execute(CommandContext context, InfoSettings settings, CancellationToken cancellation)
    {
        DiffusersFolder folder = DiffusersFolder.Open(settings.Model);
        using DiffusionModel model = DiffusionModel.Load(folder);
        var components = new List<ComponentInfo>();
        foreach ((string name, string kind, Func<WeightSet> open) in new (string, string, Func<WeightSet>)[]
                 { ("text_encoder", "CLIPTextModel", folder.OpenTextEncoder), ("vae", "AutoencoderKL", folder.OpenVae), ("unet", "UNet2DConditionModel", folder.OpenUNet) })
            using (WeightSet weights = open()) components.Add(Component(name, kind, weights));
        var info = new ModelInfo("dori.info/1", Path.GetFullPath(settings.Model), folder.Sha256(), components,
            model.Scheduler.StandsInFor ?? model.Scheduler.ClassName, model.Scheduler.PredictionType, model.PictureSize,
            model.Tokenizer.MaxLength, model.UNet.Config.CrossAttentionDim, model.Defaults, Sound: true, model.Notes, model.Details);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(info, InfoJson.Default.ModelInfo));
        else if (!settings.Quiet) Print(info);
        return DoriApp.Done;
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
        return new ComponentInfo(name, kind, parameters, weights.Names.Count, dtypes, bytes, [.. weights.Files.Select(f => Path.GetFileName(f))]);
    }

    private void Print(ModelInfo info)
    {
        var table = new PlainTable("part", "class", "parameters", "tensors", "stored as", "size");
        foreach (ComponentInfo c in info.Components)
            table.AddRow(c.Name, c.Kind, $"{c.Parameters:N0}", $"{c.Tensors}", string.Join(", ", c.Dtypes.Keys), $"{c.Bytes / 1048576.0:0.0} MiB");
        shell.Console.Write(table);
        shell.Console.WriteLine($"Scheduler: {info.Scheduler}, predicts {info.Prediction}. Pictures: {info.PictureSize} x {info.PictureSize}. Text: {info.Tokens} tokens, {info.EmbeddingWidth} wide.");
        shell.Console.WriteLine($"Defaults: guidance {info.Defaults.Guidance}, sampler {info.Defaults.Sampler ?? "the checkpoint's"}, {info.Defaults.SamplerSteps} steps; search {info.Defaults.SearchSteps} steps of {info.Defaults.SearchBatch} at {info.Defaults.SearchLearningRate}.");
        shell.Console.WriteLine($"SHA-256: {info.Sha256}");
        foreach (string detail in info.PassedOver) shell.Console.WriteLine($"Also: {detail}");
        foreach (string note in info.Notes) shell.Console.WriteLine($"Note: {note}");
        shell.Console.WriteLine(info.Notes.Count == 0 ? "Sound: every config, key, shape and weight is as it should be."
            : "Sound, but for the notes: every key, shape and weight is as it should be.");
    }
}
