using Dori.Models;

namespace Dori.Checkpoints;

/// <summary>
/// Reads the config files of a diffusers folder. Strict: a value that the networks here do not implement is refused by key and value,
/// for a model that runs otherwise than it was trained would be audited as something it is not. Sizes are bounded, so that no config makes
/// the networks huge.
/// </summary>
internal static partial class ConfigFiles
{
    private const int MostChannels = 16384, MostLayers = 100, MostBlocks = 8;

    /// <summary><c>vae/config.json</c>; absent keys mean diffusers' defaults.</summary>
    /// <exception cref="DoriException">Not readable, another class, or a key or value that the VAE here does not have.</exception>
    public static VaeConfig ReadVae(string path) => ConfigJson.Read(path, Vae);

    /// <inheritdoc cref="ReadVae(string)"/>
    internal static VaeConfig ReadVae(string path, ModelNotes notes) => ConfigJson.Read(path, Vae, notes);

    internal static VaeConfig Vae(ConfigJson json)
    {
        json.Text("_class_name", null, "AutoencoderKL");
        json.Only("act_fn", "\"silu\"", "\"swish\"");
        json.Only("shift_factor", "null", "0");
        json.Only("latents_mean", "null");
        json.Only("latents_std", "null");
        json.Ignore("force_upcast"); // the VAE runs in float32 always
        PassOverAverages(json);

        IReadOnlyList<int> channels = json.Ints("block_out_channels", [64], MostBlocks, 1, MostChannels);
        json.Texts("down_block_types", ["DownEncoderBlock2D"], channels.Count, "DownEncoderBlock2D");
        json.Texts("up_block_types", ["UpDecoderBlock2D"], channels.Count, "UpDecoderBlock2D");
        int groups = json.Int("norm_num_groups", 32, 1, MostChannels);
        if (!json.Has("scaling_factor") && !channels.SequenceEqual([128, 256, 512, 512]))
            json.Notes.Say($"{json.Place}: scaling_factor is absent; 0.18215 is taken, diffusers' default, which is Stable Diffusion's "
                + "VAE's.");
        if (channels.Any(count => count % groups != 0))
            throw json.Refused("norm_num_groups", $"a divisor of every block_out_channels ({string.Join(", ", channels)})");

        var config = new VaeConfig
        {
            InChannels = json.Int("in_channels", 3, 1, MostChannels),
            OutChannels = json.Int("out_channels", 3, 1, MostChannels),
            LatentChannels = json.Int("latent_channels", 4, 1, MostChannels),
            BlockOutChannels = channels,
            LayersPerBlock = json.IntOrEqualInts("layers_per_block", 1, 1, MostLayers),
            NormNumGroups = groups,
            SampleSize = json.IntOrEqualInts("sample_size", 32, 1, 16384),
            ScalingFactor = json.Number("scaling_factor", 0.18215, 1e-6, 1e6),
            MidBlockAddAttention = json.Bool("mid_block_add_attention", true),
            UseQuantConv = json.Bool("use_quant_conv", true),
            UsePostQuantConv = json.Bool("use_post_quant_conv", true),
        };
        json.RefuseUnknown();
        return config;
    }

    /// <summary>Keys that diffusers' EMAModel leaves in the config of what it saves.</summary>
    private static void PassOverAverages(ConfigJson json) =>
        json.PassOver("the bookkeeping of a moving average, which says nothing of the network",
            "decay", "inv_gamma", "min_decay", "optimization_step", "power", "update_after_step", "use_ema_warmup");
}
