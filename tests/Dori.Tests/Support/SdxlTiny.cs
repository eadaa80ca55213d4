using System.Text.Json.Nodes;
using Dori.Checkpoints;
using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Support;

/// <summary>
/// The golden folder <c>checkpoints/sdxl_tiny</c> as diffusers wrote it: configs are copies, weights are hash-filled and stored in float16,
/// the vocabulary is the built-in model's. Beside it that model's copy detector, and a set of two pictures and three controls.
/// </summary>
internal sealed class SdxlTiny : IDisposable
{
    private static readonly string s_configs = Golden.PathOf("checkpoints/sdxl_tiny");

    public SdxlTiny()
    {
        foreach (string file in Directory.GetFiles(s_configs, "*.json", SearchOption.AllDirectories))
        {
            string target = In(Path.GetRelativePath(s_configs, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
        string vocabulary = Path.Combine(Golden.EmojiModel, "tokenizer", "tokenizer.json");
        File.Copy(vocabulary, In("tokenizer/tokenizer.json"));
        JsonNode padded = JsonNode.Parse(File.ReadAllText(vocabulary))!;
        padded["added_tokens"]!.AsArray().Insert(0, JsonNode.Parse("""
            { "id": 0, "content": "!", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true }
            """));
        File.WriteAllText(In("tokenizer_2/tokenizer.json"), padded.ToJsonString());
        Directory.CreateSymbolicLink(In("copy_detector"), Path.Combine(Golden.EmojiModel, "copy_detector"));
        ClipTextConfig second = ConfigFiles.ReadClipText(In("text_encoder_2/config.json")) with { Projects = true };
        Fill("unet/diffusion_pytorch_model", "unet.", new UNet2DConditionModel(ConfigFiles.ReadUNet(In("unet/config.json"))));
        Fill("vae/diffusion_pytorch_model", "vae.", new AutoencoderKL(ConfigFiles.ReadVae(In("vae/config.json"))));
        Fill("text_encoder/model", "text.", new ClipTextModel(ConfigFiles.ReadClipText(In("text_encoder/config.json"))));
        Fill("text_encoder_2/model", "text2.", new ClipTextModel(second),
            name => name.StartsWith("text_projection", StringComparison.Ordinal) ? name : "text_model." + name);
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("dori-sdxl-").FullName;

    public string In(string name) => Path.Combine(Folder, name);

    private void Fill(string file, string prefix, nn.Module network, Func<string, string>? stored = null)
    {
        using var scope = NewDisposeScope();
        stored ??= name => name;
        SafetensorsWriter.Write(In(file + ".safetensors"), [.. network.named_parameters().Select(p =>
            (stored(p.name), Golden.Weight(prefix + stored(p.name), p.parameter.shape).to(float16)))]);
        network.Dispose();
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
