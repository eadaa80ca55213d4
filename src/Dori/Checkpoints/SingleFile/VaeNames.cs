using System.Globalization;
using System.Text.RegularExpressions;

namespace Dori.Checkpoints.SingleFile;

/// <summary>The VAE's parameters by their names in single files and in diffusers. Source: diffusers' <c>single_file_utils.py</c>.</summary>
internal static partial class VaeNames
{
    private static readonly (string Diffusers, string Single)[] s_attention =
        [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")];

    /// <param name="single">Without <c>first_stage_model.</c></param>
    /// <param name="blocks">Levels of the decoder, which single files number from the picture's side.</param>
    /// <returns>Null where no VAE of this kind has such a name.</returns>
    public static string? ToDiffusers(string single, int blocks)
    {
        if (Plain().IsMatch(single)) return single;
        if (NormOut().Match(single) is { Success: true } norm) return $"{norm.Groups[1]}.conv_norm_out.{norm.Groups[2]}";
        if (Level().Match(single) is { Success: true } level && Of(level.Groups[3].Value) is { } number)
        {
            bool down = level.Groups[2].Value == "down";
            if (down != (level.Groups[1].Value == "encoder") || !down && number >= blocks) return null;
            string block = $"{level.Groups[1]}.{level.Groups[2]}_blocks.{(down ? number : blocks - 1 - number)}";
            string rest = level.Groups[4].Value;
            if (rest.StartsWith(down ? "downsample.conv." : "upsample.conv.", StringComparison.Ordinal))
                return $"{block}.{(down ? "downsamplers" : "upsamplers")}.0.{rest[(rest.IndexOf('.') + 1)..]}";
            return Block().Match(rest) is { Success: true } resnet
                ? $"{block}.resnets.{resnet.Groups[1]}.{Shortcut(resnet.Groups[2].Value)}" : null;
        }
        if (Middle().Match(single) is not { Success: true } middle) return null;
        string side = middle.Groups[1].Value, part = middle.Groups[2].Value, layer = middle.Groups[3].Value;
        if (part != "attn_1") return $"{side}.mid_block.resnets.{part[^1] - '1'}.{Shortcut(layer)}";
        foreach ((string diffusers, string name) in s_attention)
            if (layer.StartsWith(name + ".", StringComparison.Ordinal))
                return $"{side}.mid_block.attentions.0.{diffusers}{layer[name.Length..]}";
        return null;
    }

    private static string Shortcut(string layer) => layer.Replace("nin_shortcut.", "conv_shortcut.", StringComparison.Ordinal);

    private static int? Of(string digits) => int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : null;

    [GeneratedRegex(@"\A(?:(?:encoder|decoder)\.conv_(?:in|out)|quant_conv|post_quant_conv)\.(?:weight|bias)\z")]
    private static partial Regex Plain();

    [GeneratedRegex(@"\A(encoder|decoder)\.norm_out\.(weight|bias)\z")]
    private static partial Regex NormOut();

    [GeneratedRegex(@"\A(encoder|decoder)\.(down|up)\.([0-9]{1,4})\.(.+)\z")]
    private static partial Regex Level();

    [GeneratedRegex(@"\Ablock\.([0-9]{1,4})\.((?:norm1|conv1|norm2|conv2|nin_shortcut)\.(?:weight|bias))\z")]
    private static partial Regex Block();

    [GeneratedRegex(@"\A(encoder|decoder)\.mid\.(block_[12]|attn_1)\.(.+)\z")]
    private static partial Regex Middle();
}
