using System.Text.Json.Nodes;
using Dori.Checkpoints;
using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Support;

/// <summary>
/// A model of which nothing was learned, with the built-in one's tokenizer, copy detector and CLIP: whatever runs on it runs in no time,
/// and says nothing about pictures. Beside it a set of two pictures and three controls.
/// </summary>
internal sealed class TinyModel : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-tiny-").FullName;

    /// <param name="salt">Another one gives a model with other weights.</param>
    public TinyModel(string salt = "")
    {
        foreach (string part in new[] { "tokenizer", "scheduler", "copy_detector", "clip" })
            Directory.CreateSymbolicLink(In(part), Path.Combine(Golden.EmojiModel, part));
        File.Copy(Path.Combine(Golden.EmojiModel, "model_index.json"), In("model_index.json"));
        File.WriteAllText(In("dori.json"),
            """{ "guidance": 3.0, "sampler": "ddim", "samplerSteps": 1, "searchSteps": 1, "searchBatch": 1 }""");
        string unet = Config("unet", """
            { "block_out_channels": [8], "norm_num_groups": 4, "attention_head_dim": 2, "cross_attention_dim": 16,
            "down_block_types": ["CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D"] }
            """);
        string vae = Config("vae", """
            { "block_out_channels": [8], "norm_num_groups": 4, "sample_size": 16,
            "down_block_types": ["DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D"] }
            """);
        string text = Config("text_encoder", """
            { "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1, "projection_dim": 16 }
            """);
        Fill(salt, "unet/diffusion_pytorch_model", new UNet2DConditionModel(ConfigFiles.ReadUNet(unet)));
        Fill("", "vae/diffusion_pytorch_model", new AutoencoderKL(ConfigFiles.ReadVae(vae)));
        Fill("", "text_encoder/model", new ClipTextModel(ConfigFiles.ReadClipText(text)));
        Directory.CreateDirectory(Pictures);
        string[] names = ["verbatim-00.png", "verbatim-01.png", "control-00.png", "control-01.png", "control-02.png"];
        foreach (string name in names) File.Copy(Path.Combine(Emoji.Pictures, name), Path.Combine(Pictures, name));
        File.WriteAllLines(Path.Combine(Pictures, "metadata.csv"), File.ReadLines(Path.Combine(Emoji.Pictures, "metadata.csv"))
            .Where(line => line.StartsWith("file_name", StringComparison.Ordinal) || names.Contains(line.Split(',')[0])));
    }

    public string Folder => _folder;

    public string Pictures => In("pictures");

    private string In(string name) => Path.Combine(_folder, name);

    /// <summary>The built-in model's, with some members in the place of its own.</summary>
    private string Config(string part, string members)
    {
        Directory.CreateDirectory(In(part));
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.EmojiModel, part, "config.json")))!.AsObject();
        foreach ((string name, JsonNode? value) in JsonNode.Parse(members)!.AsObject()) config[name] = value!.DeepClone();
        File.WriteAllText(In($"{part}/config.json"), config.ToJsonString());
        return In($"{part}/config.json");
    }

    private void Fill(string salt, string file, nn.Module network)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(In(file + ".safetensors"),
            [.. network.named_parameters().Select(p => (p.name, Golden.Weight($"{salt}{file}.{p.name}", p.parameter.shape)))]);
        network.Dispose();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
