using System.Text.Json;
using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints.SingleFile;

internal sealed partial class SingleFileModel
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true, NewLine = "\n" };

    /// <summary>
    /// The single file as a whole diffusers folder: configs and tokenizer of its kind, weights by diffusers' names in their stored dtypes.
    /// </summary>
    public void Save(string target, Func<string, Tensor> unetWeight, Func<string, Tensor>? textWeight, string? modelCard,
        string? mitigation) =>
        DiffusersFolder.Assemble(target, modelCard, mitigation, partial =>
        {
            if (_config is null) WriteBuiltInConfigs(partial);
            else _config.CopyTo(partial, file => !IsWeights(file), modelCard is null);
            WriteScheduler(partial);
            Write(partial, "unet/diffusion_pytorch_model.safetensors", OpenUNet, unetWeight);
            Write(partial, "vae/diffusion_pytorch_model.safetensors", OpenVae, null);
            Write(partial, "text_encoder/model.safetensors", OpenTextEncoder, textWeight);
        });

    private void WriteBuiltInConfigs(string folder)
    {
        foreach (string file in BuiltInConfigs.Files(_kind!)) WriteText(folder, file, BuiltInConfigs.Read(_kind!, file));
        JsonObject unet = JsonNode.Parse(BuiltInConfigs.Read(_kind!, "unet/config.json"))!.AsObject();
        (unet["in_channels"], unet["sample_size"]) = (UNet.InChannels, UNet.SampleSize);
        WriteText(folder, "unet/config.json", unet.ToJsonString(s_indented) + "\n");
        (Dictionary<string, int> vocabulary, List<(string Left, string Right)> merges) = BuiltInConfigs.Vocabulary();
        WriteText(folder, "tokenizer/vocab.json",
            new JsonObject(vocabulary.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value))).ToJsonString());
        WriteText(folder, "tokenizer/merges.txt", "#version: 0.2\n" + string.Concat(merges.Select(pair => $"{pair.Left} {pair.Right}\n")));
    }

    /// <summary>What the file or the command line said of prediction and schedule stands in the new folder's configs.</summary>
    private void WriteScheduler(string folder)
    {
        string path = System.IO.Path.Combine(folder, "scheduler", "scheduler_config.json"),
            index = System.IO.Path.Combine(folder, "model_index.json");
        JsonObject scheduler = Object(path), model = Object(index);
        scheduler["prediction_type"] = Scheduler.PredictionType;
        if (_keys.ZeroTerminalSnr)
        {
            scheduler["_class_name"] = Scheduler.ClassName;
            scheduler["rescale_betas_zero_snr"] = true;
            scheduler["timestep_spacing"] = Scheduler.TimestepSpacing;
            scheduler["clip_sample"] = false;
            model["scheduler"] = new JsonArray("diffusers", Scheduler.ClassName);
        }
        AtomicFile.WriteText(path, scheduler.ToJsonString(s_indented) + "\n");
        AtomicFile.WriteText(index, model.ToJsonString(s_indented) + "\n");
    }

    /// <summary>A config that could be read already; infinities become strings, which is how they are read.</summary>
    private static JsonObject Object(string path) =>
        JsonNode.Parse(ConfigJson.WithQuotedInfinities(InputFile.ReadText(path, InputKind.Config)))!.AsObject();

    private static void Write(string folder, string file, Func<WeightSet> open, Func<string, Tensor>? weight)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using WeightSet weights = open();
        string part = file.Split('/')[0];
        (string Name, Tensor Tensor)[] tensors = [.. weights.Names.Select(name =>
            (name, DiffusersFolder.Stored((weight ?? weights.Read)(name), weights.Info(name) with { Dtype = weights.StoredDtype(name) },
                part)))];
        string path = System.IO.Path.Combine(folder, file);
        AtomicFile.MakeFolder(System.IO.Path.GetDirectoryName(path)!);
        SafetensorsWriter.Write(path, tensors);
    }

    private static void WriteText(string folder, string file, string text)
    {
        string path = System.IO.Path.Combine(folder, file);
        AtomicFile.MakeFolder(System.IO.Path.GetDirectoryName(path)!);
        AtomicFile.WriteText(path, text);
    }
}
