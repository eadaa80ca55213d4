using System.Text.RegularExpressions;

namespace Dori.Checkpoints.Adapters;

/// <summary>The part of the model that a layer belongs to, as far as its key says.</summary>
internal enum AdapterPart
{
    /// <summary>The names decide.</summary>
    Unsaid,
    UNet,
    Text,
    /// <summary>SDXL's second text encoder.</summary>
    Text2,
}

/// <summary>What a tensor of a LoRA is to its layer.</summary>
internal enum AdapterRole { Down, Up, Mid, Alpha }

/// <summary>
/// One key of a LoRA file, taken apart: <c>lora_unet_mid_block_..._to_q.lora_down.weight</c>,
/// <c>unet.mid_block...to_q.lora_A.default.weight</c>. Keys are
/// read one by one, never by the first of a file: diffusers' scripts mix two namings.
/// </summary>
/// <param name="Layer">Without prefix; dots or underscores between its words.</param>
/// <param name="AdapterName">PEFT's name of the adapter, where the key holds one.</param>
internal readonly partial record struct AdapterKey(string Key, AdapterPart Part, string Layer, AdapterRole Role, string? AdapterName)
{
    private static readonly (string Prefix, AdapterPart Part)[] s_prefixes =
    [
        ("lora_unet_", AdapterPart.UNet), ("lora_te_", AdapterPart.Text), ("lora_te1_", AdapterPart.Text), ("lora_te2_", AdapterPart.Text2),
        ("lycoris_", AdapterPart.Unsaid), ("unet.", AdapterPart.UNet), ("text_encoder.", AdapterPart.Text),
            ("text_encoder_2.", AdapterPart.Text2),
        ("model.diffusion_model.", AdapterPart.UNet), ("diffusion_model.", AdapterPart.UNet),
        ("text_encoders.clip_l.transformer.", AdapterPart.Text), ("text_encoders.clip_g.transformer.", AdapterPart.Text2),
    ];

    /// <returns>Null where no plain LoRA has such a key.</returns>
    public static AdapterKey? Parse(string key)
    {
        if (Shape().Match(key) is not { Success: true } match) return null;
        string layer = match.Groups["layer"].Value, role = match.Groups["role"].Value;
        var part = AdapterPart.Unsaid;
        foreach ((string prefix, AdapterPart named) in s_prefixes)
        {
            if (!layer.StartsWith(prefix, StringComparison.Ordinal)) continue;
            (layer, part) = (layer[prefix.Length..], named);
            break;
        }
        const string peft = "base_model.model.";
        if (layer.StartsWith(peft, StringComparison.Ordinal)) layer = layer[peft.Length..];
        if (match.Groups["old"].Success) layer = OldAttention(layer);
        return new AdapterKey(key, part, layer, role switch
        {
            "down" or "A" => AdapterRole.Down,
            "up" or "B" => AdapterRole.Up,
            "mid" => AdapterRole.Mid,
            _ => AdapterRole.Alpha,
        }, match.Groups["name"] is { Success: true } name ? name.Value : null);
    }

    /// <summary>diffusers' attention processors of 2023 name projections as the UNet's, in the text encoder too.</summary>
    private static string OldAttention(string layer)
    {
        layer = layer.Replace(".processor.", ".", StringComparison.Ordinal);
        int dot = layer.LastIndexOf('.');
        (string module, string projection) = (layer[..(dot + 1)], layer[(dot + 1)..]);
        bool text = module.EndsWith("self_attn.", StringComparison.Ordinal);
        return module + projection switch
        {
            "to_out" => text ? "out_proj" : "to_out.0",
            "to_q" or "to_k" or "to_v" when text => $"{projection[^1]}_proj",
            _ => projection,
        };
    }

    [GeneratedRegex(@"\A(?<layer>.+?)(?:\.lora_(?<role>down|up|mid|A|B)(?:\.(?<name>[^.]+))?\.weight"
        + @"|\.lora(?:_linear_layer)?\.(?<role>down|up)\.weight"
        + @"|(?<old>_lora)\.(?<role>down|up)\.weight|\.(?<role>alpha))\z", RegexOptions.CultureInvariant)]
    private static partial Regex Shape();
}
