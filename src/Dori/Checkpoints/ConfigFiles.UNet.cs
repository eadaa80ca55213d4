using System.Text.RegularExpressions;
using Dori.Models;

namespace Dori.Checkpoints;

internal static partial class ConfigFiles
{
    /// <summary><c>unet/config.json</c> of Stable Diffusion 1.x, 2.x, XL and models of their kind; absent keys mean diffusers'
    /// defaults.</summary>
    /// <exception cref="DoriException">Not readable, another class, or a key or value that the UNet here does not have.</exception>
    public static UNetConfig ReadUNet(string path) => ConfigJson.Read(path, UNet);

    /// <inheritdoc cref="ReadUNet(string)"/>
    internal static UNetConfig ReadUNet(string path, ModelNotes notes) => ConfigJson.Read(path, UNet, notes);

    internal static UNetConfig UNet(ConfigJson json)
    {
        json.Text("_class_name", null, "UNet2DConditionModel");
        RefuseOtherUNets(json);

        IReadOnlyList<int> channels = json.Ints("block_out_channels", [320, 640, 1280, 1280], MostBlocks, 2, MostChannels);
        int levels = channels.Count;
        const string attention = "CrossAttn";
        IReadOnlyList<string> down = json.Texts("down_block_types",
            ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"], levels, "CrossAttnDownBlock2D",
                "DownBlock2D");
        IReadOnlyList<string> up = json.Texts("up_block_types",
            ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], levels, "CrossAttnUpBlock2D", "UpBlock2D");
        int groups = json.Int("norm_num_groups", 32, 1, MostChannels);
        // A number of heads under a misnomer: the published configs say "attention_head_dim" and diffusers takes it for the number of
        // heads.
        string headsKey = json.IsSet("num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
        IReadOnlyList<int> heads = json.IntOrInts(headsKey, 8, levels, 1, MostChannels);
        json.Ignore("attention_head_dim", "num_attention_heads");
        int sampleSize = SampleSize(json);
        double freqShift = json.Number("freq_shift", 0, 0, 1);

        for (int i = 0; i < levels; i++)
        {
            if (channels[i] % groups != 0)
                throw json.Refused("norm_num_groups", $"a divisor of every block_out_channels ({string.Join(", ", channels)})");
            bool attends = i == levels - 1 || down[i].StartsWith(attention, StringComparison.Ordinal)
                || up[levels - 1 - i].StartsWith(attention, StringComparison.Ordinal);
            if (attends && channels[i] % heads[i] != 0)
                throw json.Refused(headsKey, $"numbers of heads that divide block_out_channels ({string.Join(", ", channels)})");
        }
        if (channels[0] % 2 != 0 || channels[0] / 2 <= freqShift)
            throw json.Refused("block_out_channels",
            "an even first number above twice freq_shift, for the sines and cosines of the time step");
        if (sampleSize % (1 << (levels - 1)) != 0)
            throw json.Refused("sample_size", $"a multiple of {1 << (levels - 1)}, for {levels} blocks");

        var config = new UNetConfig
        {
            InChannels = json.Int("in_channels", 4, 1, MostChannels),
            OutChannels = json.Int("out_channels", 4, 1, MostChannels),
            SampleSize = sampleSize,
            BlockOutChannels = channels,
            DownBlockTypes = down,
            UpBlockTypes = up,
            LayersPerBlock = json.IntOrEqualInts("layers_per_block", 2, 1, MostLayers),
            CrossAttentionDim = json.IntOrEqualInts("cross_attention_dim", 1280, 1, MostChannels),
            NumAttentionHeads = heads,
            UseLinearProjection = json.Bool("use_linear_projection", false),
            NormNumGroups = groups,
            NormEps = json.Number("norm_eps", 1e-5, 1e-12, 1),
            FlipSinToCos = json.Bool("flip_sin_to_cos", true),
            FreqShift = freqShift,
            UpcastAttention = json.Bool("upcast_attention", false),
            TransformerLayersPerBlock = json.IntOrInts("transformer_layers_per_block", 1, levels, 1, MostLayers),
        };
        config = WithAdditions(json, config);
        json.RefuseUnknown();
        return config;
    }

    /// <summary>SDXL's <c>text_time</c>: a pooled vector and six time ids beside the tokens.</summary>
    private static UNetConfig WithAdditions(ConfigJson json, UNetConfig config)
    {
        const string type = "addition_embed_type", time = "addition_time_embed_dim", input = "projection_class_embeddings_input_dim";
        if (!json.IsSet(type))
        {
            json.Only(type, "null");
            foreach (string key in new[] { time, input })
                if (json.IsSet(key)) throw json.Refused(key, $"null, without {type}");
            return config;
        }
        json.Text(type, null, "text_time");
        int width = json.Int(time, null, 2, MostChannels), all = json.Int(input, null, 1, 8 * MostChannels);
        if (width % 2 != 0) throw json.Refused(time, "an even number, for sines and cosines");
        return all > UNetConfig.TimeIds * width
            ? config with { AdditionTimeEmbedDim = width, ProjectionClassEmbeddingsInputDim = all }
            : throw json.Refused(input, $"a number above {UNetConfig.TimeIds} times {time}, for the pooled vector beside the time ids");
    }

    /// <summary>
    /// The latent's side. Before 0.9 diffusers wrote the training picture's latent here whatever the model's was, and
    /// StableDiffusionPipeline (pipeline_stable_diffusion.py, <c>is_unet_sample_size_less_64</c>) takes 64 where such a config says less.
    /// </summary>
    private static int SampleSize(ConfigJson json)
    {
        const int usual = 64;
        int size = json.IntOrEqualInts("sample_size", null, 1, 1024);
        if (size >= usual || !json.IsSet("_diffusers_version")) return size;
        string version = json.TextOrNull("_diffusers_version") ?? "";
        if (Release(version) is not { } release)
        {
            json.Notes.Say($"{json.Place}: sample_size = {size} is taken as it stands, since _diffusers_version "
                + $"({json.Shown("_diffusers_version")}) does not say whether it was written before 0.9, where {usual} would be meant.");
            return size;
        }
        if (release.CompareTo((0, 9)) >= 0) return size;
        json.Notes.Say($"{json.Place}: sample_size = {size}, written by diffusers {json.Shown("_diffusers_version")}, is taken as "
            + $"{usual}, as StableDiffusionPipeline does for versions below 0.9.0.");
        return usual;
    }

    /// <summary>The first two numbers of a version as Python's packaging reads it: "0.8.1", "v0.8", "0.8rc1".</summary>
    private static (int Major, int Minor)? Release(string version)
    {
        Match match = VersionStart().Match(version);
        return match.Success && int.TryParse(match.Groups[1].ValueSpan, out int major)
            && int.TryParse(match.Groups[2].Success ? match.Groups[2].ValueSpan : "0", out int minor) ? (major, minor) : null;
    }

    [GeneratedRegex(@"^\s*v?([0-9]+)(?:\.([0-9]+))?(?![0-9])")]
    private static partial Regex VersionStart();

    /// <summary>Keys by which diffusers makes other networks of this class (SDXL, class-conditional, upscalers): one value each is
    /// supported.</summary>
    private static void RefuseOtherUNets(ConfigJson json)
    {
        foreach (string key in new[]
        {
            "class_embed_type", "encoder_hid_dim", "encoder_hid_dim_type", "num_class_embeds",
            "reverse_transformer_layers_per_block", "time_cond_proj_dim", "time_embedding_act_fn",
            "time_embedding_dim", "timestep_post_act",
        }) json.Only(key, "null");
        foreach (
            string key in new[] { "center_input_sample", "class_embeddings_concat", "cross_attention_norm", "dual_cross_attention",
            "mid_block_only_cross_attention", "resnet_skip_time_act" })
            json.Only(key, "false", "null");
        json.OnlyEach("only_cross_attention", "false");
        foreach (string key in new[] { "downsample_padding", "mid_block_scale_factor", "resnet_out_scale_factor" }) json.Only(key, "1");
        foreach (string key in new[] { "conv_in_kernel", "conv_out_kernel" }) json.Only(key, "3");
        if (json.Number("dropout", 0, 0, 1) > 0) json.PassOver("it is of training, and no model is run with it", "dropout");
        json.Only("act_fn", "\"silu\"", "\"swish\"");
        json.Only("attention_type", "\"default\"");
        json.Only("mid_block_type", "\"UNetMidBlock2DCrossAttn\"");
        json.Only("resnet_time_scale_shift", "\"default\"");
        json.Only("time_embedding_type", "\"positional\"");
        json.Ignore("addition_embed_type_num_heads"); // says nothing without addition_embed_type
        PassOverAverages(json);
    }
}
