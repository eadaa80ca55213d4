using System.Text.RegularExpressions;

namespace Dori.Checkpoints.SingleFile;

/// <summary>What a single file is, told from its names and shapes.</summary>
internal static partial class SingleFileKind
{
    private const string Advice = "SD 1.x and 2.x are read";

    private static readonly (Regex Key, string What)[] s_others =
    [
        (Control(), "a ControlNet, which belongs beside a model"),
            (Transformer(), "a transformer model (FLUX, Stable Diffusion 3, PixArt, video)"),
        (Edm(), "a model with another noise schedule (EDM: Playground 2.5)"),
            (EdmVelocity(), "a model with another noise schedule (EDM: CosXL)"),
        (Depth(), "a depth model, which takes a picture beside the prompt"), (Zero(), "Zero123, which takes a picture for a prompt"),
        (UnClip(), "unCLIP, which takes a picture for a prompt"), (AltDiffusion(), "AltDiffusion, which has another text encoder"),
        (ConsistencyCondition(), "a whole latent consistency model, whose UNet is told the guidance"),
        (Quantized(), "quantized; give the model in float16, bfloat16 or float32"),
    ];

    private static readonly Dictionary<long, string> s_channels = new()
    {
        [8] = "instruct-pix2pix, Stable Video Diffusion or another model that takes a picture beside the prompt",
        [7] = "the x4 upscaler",
        [5] = "a depth model",
    };

    /// <exception cref="DoriException">The file is something else, by its name.</exception>
    public static void RefuseOthers(SafetensorsFile file)
    {
        IEnumerable<string> keys = file.Tensors.Keys;
        foreach ((Regex key, string what) in s_others)
            if (keys.FirstOrDefault(name => key.IsMatch(name)) is { } found)
                throw new DoriException($"{file.Path}: {what} (its key {SafetensorsFile.Shown(found)}); {Advice}");
        if (keys.Any(key => key is "emb_params" or "clip_l" or "clip_g"))
            throw new DoriException($"{file.Path}: words (a textual inversion) and no model");
        if (keys.All(VaeAlone().IsMatch)) throw new DoriException($"{file.Path}: a VAE and no model");
    }

    /// <summary>The kind by what the UNet takes; null where it is none that configs come with the program for.</summary>
    /// <exception cref="DoriException">A UNet that cannot be run.</exception>
    public static string? Of(SafetensorsFile file, SingleFileKeys keys)
    {
        if (!keys.UNet.TryGetValue("input_blocks.0.0.weight", out string? entry)) return null;
        IReadOnlyList<long> shape = file.Tensors[entry].Shape;
        if (shape.Count == 4 && s_channels.TryGetValue(shape[1], out string? what))
            throw new DoriException($"{file.Path}: its UNet takes {shape[1]} channels: {what}; {Advice}");
        if (shape.Count == 4 && shape[0] == 384)
            throw new DoriException($"{file.Path}: SDXL's refiner, which works on the pictures of another model; {Advice}");
        string? cross = keys.UNet.Keys.FirstOrDefault(key => key.EndsWith(".attn2.to_k.weight", StringComparison.Ordinal));
        return cross is null || file.Tensors[keys.UNet[cross]].Shape is not [_, var width] ? null : width switch
        {
            768 => "sd1",
            1024 => "sd2",
            2048 => "sdxl",
            _ => null,
        };
    }

    [GeneratedRegex(@"\A(?:control_model\.|controlnet)")]
    private static partial Regex Control();

    [GeneratedRegex(@"double_blocks\.|single_blocks\.|joint_blocks\.|single_transformer_blocks\.|\Aadaln_single\.|\.adaLN_modulation\.")]
    private static partial Regex Transformer();

    [GeneratedRegex(@"\Aedm_(?:mean|std)\z")]
    private static partial Regex Edm();

    [GeneratedRegex(@"\Aedm_vpred\.")]
    private static partial Regex EdmVelocity();

    [GeneratedRegex(@"\Adepth_model\.")]
    private static partial Regex Depth();

    [GeneratedRegex(@"\Acc_projection\.")]
    private static partial Regex Zero();

    [GeneratedRegex(@"\Aembedder\.model\.visual\.")]
    private static partial Regex UnClip();

    [GeneratedRegex(@"\Acond_stage_model\.roberta\.")]
    private static partial Regex AltDiffusion();

    [GeneratedRegex(@"time_embed(?:ding)?\.cond_proj\.")]
    private static partial Regex ConsistencyCondition();

    [GeneratedRegex(@"\Ascaled_fp8\z|\.(?:weight_scale|scale_weight|scale_input|absmax|quant_map)\z|\.quant_state\.")]
    private static partial Regex Quantized();

    [GeneratedRegex(@"\A(?:first_stage_model\.)?(?:encoder|decoder|quant_conv|post_quant_conv|loss)\.")]
    private static partial Regex VaeAlone();
}
