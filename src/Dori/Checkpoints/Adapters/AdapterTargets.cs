using Dori.Checkpoints.SingleFile;
using Dori.Models;

namespace Dori.Checkpoints.Adapters;

/// <summary>
/// Every name under which a LoRA may speak of a weight of this model: diffusers' with dots and with underscores, and the single file's with
/// both. A table of the model's own names, since underscores cannot be turned back into dots by rule (<c>to_out_0</c>,
/// <c>time_emb_proj</c>), and since single files number blocks by <c>layers_per_block</c>.
/// </summary>
internal sealed class AdapterTargets
{
    private readonly Dictionary<string, string> _unet = new(StringComparer.Ordinal), _text = new(StringComparer.Ordinal);
    private readonly IReadOnlyDictionary<string, IReadOnlyList<long>> _unetShapes, _textShapes;

    /// <param name="unet">Shapes of the UNet's weights by diffusers' names.</param>
    /// <param name="text">Shapes of the text encoder's weights, without <c>text_model.</c></param>
    public AdapterTargets(UNetConfig config, int textWidth, IReadOnlyDictionary<string, IReadOnlyList<long>> unet,
        IReadOnlyDictionary<string, IReadOnlyList<long>> text)
    {
        (_unetShapes, _textShapes, CrossAttentionWidth, TextWidth) = (unet, text, config.CrossAttentionDim, textWidth);
        foreach (string weight in Weights(unet))
        {
            string layer = weight[..^".weight".Length];
            Add(_unet, layer, weight);
            foreach (bool attends in new[] { false, true }) // upsamplers go by both numbers
                if (UNetNames.ToSingle(layer, config.LayersPerBlock, _ => attends) is { } single) Add(_unet, single, weight);
        }
        foreach (string weight in Weights(text))
        {
            string layer = weight[..^".weight".Length];
            Add(_text, layer, weight);
            Add(_text, "text_model." + layer, weight);
        }
    }

    /// <summary>What <c>attn2.to_k</c> takes, which tells SD 1.x from 2.x and SDXL.</summary>
    public int CrossAttentionWidth { get; }
    public int TextWidth { get; }

    /// <summary>The weight that a layer's name stands for.</summary>
    /// <returns>Part, diffusers' name and shape; null where the model has no such layer.</returns>
    public (AdapterPart Part, string Weight, IReadOnlyList<long> Shape)? Find(AdapterPart part, string layer)
    {
        if (part is AdapterPart.UNet or AdapterPart.Unsaid && _unet.TryGetValue(layer, out string? weight))
            return (AdapterPart.UNet, weight, _unetShapes[weight]);
        if (part is AdapterPart.Text or AdapterPart.Unsaid && _text.TryGetValue(layer, out weight))
            return (AdapterPart.Text, weight, _textShapes[weight]);
        return null;
    }

    private static IEnumerable<string> Weights(IReadOnlyDictionary<string, IReadOnlyList<long>> shapes) =>
        shapes.Where(pair => pair.Value.Count >= 2 && pair.Key.EndsWith(".weight", StringComparison.Ordinal)).Select(pair => pair.Key);

    private static void Add(Dictionary<string, string> table, string layer, string weight)
    {
        table.TryAdd(layer, weight);
        table.TryAdd(layer.Replace('.', '_'), weight);
    }
}
