using System.Globalization;

namespace Dori.Checkpoints.SingleFile;

/// <summary>
/// The UNet's parameters by their names in single files (CompVis and Stability's code) and in diffusers. One rule serves every depth: in a
/// single file blocks are numbered through, and <c>layersPerBlock</c> says where each begins. Source: diffusers'
/// <c>single_file_utils.py</c>.
/// </summary>
internal static class UNetNames
{
    private static readonly (string Diffusers, string Single)[] s_resnet =
    [
        ("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"), ("norm2", "out_layers.0"),
            ("conv2", "out_layers.3"),
        ("conv_shortcut", "skip_connection"),
    ];

    private static readonly (string Diffusers, string Single)[] s_ends =
    [
        ("conv_in", "input_blocks.0.0"), ("conv_norm_out", "out.0"), ("conv_out", "out.2"),
        ("time_embedding.linear_1", "time_embed.0"), ("time_embedding.linear_2", "time_embed.2"),
        ("add_embedding.linear_1", "label_emb.0.0"), ("add_embedding.linear_2", "label_emb.0.2"),
    ];

    /// <param name="single">Without <c>model.diffusion_model.</c>; a parameter's name or a layer's.</param>
    /// <param name="layersPerBlock">Resnets of a down block.</param>
    /// <returns>Null where no UNet of this kind has such a name.</returns>
    public static string? ToDiffusers(string single, int layersPerBlock)
    {
        if (Renamed(single, s_ends, toDiffusers: true) is { } end) return end;
        string[] parts = single.Split('.', 4);
        if (parts.Length < 3 || !Number(parts[1], out int at)) return null;
        int across = layersPerBlock + 1;
        if (parts[0] == "middle_block")
        {
            string layer = string.Join('.', parts[2..]);
            return at % 2 == 1 ? $"mid_block.attentions.{at / 2}.{layer}" : Resnet($"mid_block.resnets.{at / 2}.", layer);
        }
        if (parts.Length < 4 || !Number(parts[2], out int branch)) return null;
        (int block, int layerInBlock) = Math.DivRem(parts[0] == "input_blocks" ? at - 1 : at, across);
        bool last = layerInBlock == layersPerBlock;
        return parts[0] switch
        {
            "input_blocks" when last =>
                branch == 0 && After(parts[3], "op") is { } op ? $"down_blocks.{block}.downsamplers.0.conv{op}" : null,
            "input_blocks" => Layer($"down_blocks.{block}", layerInBlock, branch, parts[3]),
            // Without attention in the block, the upsampler comes first after the resnet.
            "output_blocks" when last && branch is 1 or 2 && After(parts[3], "conv") is { } conv =>
                $"up_blocks.{block}.upsamplers.0.conv{conv}",
            "output_blocks" => Layer($"up_blocks.{block}", layerInBlock, branch, parts[3]),
            _ => null,
        };
    }

    /// <summary>A block's resnet comes first in a single file's layer, its attention second.</summary>
    private static string? Layer(string block, int layer, int branch, string rest) => branch switch
    {
        0 => Resnet($"{block}.resnets.{layer}.", rest),
        1 => $"{block}.attentions.{layer}.{rest}",
        _ => null,
    };

    /// <param name="diffusers">A parameter's name or a layer's.</param>
    /// <param name="upAttends">Whether an up block has attention.</param>
    /// <returns>Null where no UNet of this kind has such a name.</returns>
    public static string? ToSingle(string diffusers, int layersPerBlock, Func<int, bool> upAttends)
    {
        if (Renamed(diffusers, s_ends, toDiffusers: false) is { } end) return end;
        string[] parts = diffusers.Split('.', 5);
        int across = layersPerBlock + 1;
        if (parts is ["mid_block", var what, var number, ..] && Number(number, out int place))
        {
            string layer = string.Join('.', parts[3..]);
            return what == "attentions" ? $"middle_block.{2 * place + 1}.{layer}" : what == "resnets"
                ? Prefixed($"middle_block.{2 * place}.", layer) : null;
        }
        if (parts.Length < 5 || !Number(parts[1], out int block) || !Number(parts[3], out place)) return null;
        string rest = parts[4];
        return (parts[0], parts[2]) switch
        {
            ("down_blocks", "downsamplers") when After(rest, "conv") is { } conv => $"input_blocks.{(block + 1) * across}.0.op{conv}",
            ("down_blocks", "resnets") => Prefixed($"input_blocks.{1 + block * across + place}.0.", rest),
            ("down_blocks", "attentions") => $"input_blocks.{1 + block * across + place}.1.{rest}",
            ("up_blocks", "upsamplers") => $"output_blocks.{block * across + layersPerBlock}.{(upAttends(block) ? 2 : 1)}.{rest}",
            ("up_blocks", "resnets") => Prefixed($"output_blocks.{block * across + place}.0.", rest),
            ("up_blocks", "attentions") => $"output_blocks.{block * across + place}.1.{rest}",
            _ => null,
        };
    }

    private static string? Resnet(string prefix, string layer) => Renamed(layer, s_resnet, toDiffusers: true) is { } name ? prefix + name
        : null;

    private static string? Prefixed(string prefix, string layer) => Renamed(layer, s_resnet, toDiffusers: false) is { } name ? prefix
        + name : null;

    private static string? Renamed(string name, (string Diffusers, string Single)[] table, bool toDiffusers)
    {
        foreach ((string diffusers, string single) in table)
        {
            (string from, string to) = toDiffusers ? (single, diffusers) : (diffusers, single);
            if (After(name, from) is { } rest) return to + rest;
        }
        return null;
    }

    /// <returns>What follows a layer's name: nothing, or a dot and more; null where the name is another.</returns>
    private static string? After(string name, string layer) =>
        name.StartsWith(layer, StringComparison.Ordinal) && (name.Length == layer.Length || name[layer.Length] == '.')
            ? name[layer.Length..] : null;

    private static bool Number(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
