using System.Text.Json;
using Dori.Checkpoints;
using Dori.Models;

namespace Dori.Tests.Support;

/// <summary>The networks' configs as <c>NAME.json</c> gives them: only what differs from diffusers' defaults.</summary>
internal static class GoldenConfigs
{
    public static JsonElement Json(string name) => JsonDocument.Parse(File.ReadAllText(Golden.PathOf(name + ".json"))).RootElement;

    public static UNetConfig UNet(string name)
    {
        JsonElement c = Json(name).GetProperty("config");
        int[] channels = Ints(c.GetProperty("block_out_channels"));
        JsonElement heads = c.GetProperty("attention_head_dim");
        return new UNetConfig
        {
            InChannels = 4,
            OutChannels = 4,
            SampleSize = c.GetProperty("sample_size").GetInt32(),
            BlockOutChannels = channels,
            DownBlockTypes = Strings(c.GetProperty("down_block_types")),
            UpBlockTypes = Strings(c.GetProperty("up_block_types")),
            LayersPerBlock = c.GetProperty("layers_per_block").GetInt32(),
            CrossAttentionDim = c.GetProperty("cross_attention_dim").GetInt32(),
            NumAttentionHeads = heads.ValueKind == JsonValueKind.Array ? Ints(heads) : [.. channels.Select(_ => heads.GetInt32())],
            UseLinearProjection = c.TryGetProperty("use_linear_projection", out JsonElement linear) && linear.GetBoolean(),
            NormNumGroups = c.TryGetProperty("norm_num_groups", out JsonElement groups) ? groups.GetInt32() : 32,
            NormEps = 1e-5,
            FlipSinToCos = true,
            FreqShift = 0,
            UpcastAttention = false,
            TransformerLayersPerBlock = c.TryGetProperty("transformer_layers_per_block", out JsonElement layers) ? Ints(layers) : null,
            AdditionTimeEmbedDim = c.TryGetProperty("addition_time_embed_dim", out JsonElement added) ? added.GetInt32() : 0,
            ProjectionClassEmbeddingsInputDim =
                c.TryGetProperty("projection_class_embeddings_input_dim", out JsonElement input) ? input.GetInt32() : 0,
        };
    }

    public static VaeConfig Vae(string name)
    {
        JsonElement c = Json(name).GetProperty("config");
        return new VaeConfig
        {
            InChannels = 3,
            OutChannels = 3,
            LatentChannels = 4,
            BlockOutChannels = Ints(c.GetProperty("block_out_channels")),
            LayersPerBlock = c.GetProperty("layers_per_block").GetInt32(),
            NormNumGroups = c.TryGetProperty("norm_num_groups", out JsonElement groups) ? groups.GetInt32() : 32,
            SampleSize = c.GetProperty("sample_size").GetInt32(),
            ScalingFactor = 0.18215,
            MidBlockAddAttention = true,
            UseQuantConv = true,
            UsePostQuantConv = true,
        };
    }

    public static ClipTextConfig Text(string name)
    {
        JsonElement json = Json(name), c = json.GetProperty("config");
        int Int(string key) => c.GetProperty(key).GetInt32();
        return new ClipTextConfig
        {
            VocabSize = Int("vocab_size"),
            HiddenSize = Int("hidden_size"),
            IntermediateSize = Int("intermediate_size"),
            NumHiddenLayers = Int("num_hidden_layers"),
            NumAttentionHeads = Int("num_attention_heads"),
            MaxPositionEmbeddings = Int("max_position_embeddings"),
            HiddenAct = c.GetProperty("hidden_act").GetString()!,
            LayerNormEps = 1e-5,
            EosTokenId = Int("eos_token_id"),
            ProjectionDim = Int("projection_dim"),
            Projects = json.TryGetProperty("cls", out JsonElement named) && named.GetString() == "CLIPTextModelWithProjection",
        };
    }

    public static ClipVisionConfig Vision(string name)
    {
        JsonElement c = Json(name).GetProperty("config");
        int Int(string key) => c.GetProperty(key).GetInt32();
        return new ClipVisionConfig
        {
            HiddenSize = Int("hidden_size"),
            IntermediateSize = Int("intermediate_size"),
            NumHiddenLayers = Int("num_hidden_layers"),
            NumAttentionHeads = Int("num_attention_heads"),
            NumChannels = 3,
            ImageSize = Int("image_size"),
            PatchSize = Int("patch_size"),
            HiddenAct = c.GetProperty("hidden_act").GetString()!,
            LayerNormEps = 1e-5,
            ProjectionDim = Int("projection_dim"),
        };
    }

    private static int[] Ints(JsonElement e) => [.. e.EnumerateArray().Select(x => x.GetInt32())];
    private static string[] Strings(JsonElement e) => [.. e.EnumerateArray().Select(x => x.GetString()!)];
}
