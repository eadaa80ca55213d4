using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>
/// Hooks on a network's linear layers by their checkpoint names, e.g. <c>mid_block.attentions.0.transformer_blocks.0.attn2.to_v</c>:
/// the one way in which methods look into a network or change it for a while. Removed on disposal.
/// A hook belongs to the network, so a hooked network serves one thread at a time.
/// </summary>
internal sealed class LayerHooks : IDisposable
{
    private readonly List<Linear> _hooked = [];

    /// <summary>All linear layers of a network, in the order of their registration.</summary>
    public static IReadOnlyList<(string Name, Linear Layer)> LinearLayers(nn.Module network) =>
        [.. network.named_modules().Where(m => m.module is Linear).Select(m => (m.name, (Linear)m.module))];

    /// <summary>Sets a hook on a layer.</summary>
    /// <exception cref="InvalidOperationException">The layer has one already.</exception>
    public void Add(Linear layer, LinearHook hook)
    {
        if (layer.Hook is not null) throw new InvalidOperationException("the layer has a hook already");
        layer.Hook = hook;
        _hooked.Add(layer);
    }

    public void Dispose()
    {
        foreach (Linear layer in _hooked) layer.Hook = null;
        _hooked.Clear();
    }
}
