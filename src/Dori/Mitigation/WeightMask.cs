using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>The weights of a network that a pruning method marks, by layer. Immutable.</summary>
public sealed class WeightMask
{
    private readonly Dictionary<string, LayerMask> _byName;

    /// <exception cref="ArgumentException">Two masks of one layer.</exception>
    public WeightMask(IReadOnlyList<LayerMask> layers)
    {
        Layers = layers;
        _byName = layers.ToDictionary(layer => layer.Layer);
    }

    /// <summary>In the order that the method walks the network; a layer without marked weights is there too.</summary>
    public IReadOnlyList<LayerMask> Layers { get; }
    public LayerMask this[string layer] => _byName[layer];
    /// <summary>Marked weights of all layers.</summary>
    public long Count => Layers.Sum(layer => layer.Count);
    /// <summary>Marked weights by layer, for records.</summary>
    internal IReadOnlyList<LayerMarks> Marks =>
        [.. Layers.Select(layer => new LayerMarks(layer.Layer, layer.Rows, layer.Columns, layer.Count))];

    /// <summary>What any of the masks marks.</summary>
    /// <param name="masks">At least one; all of the same layers in the same order.</param>
    public static WeightMask Union(IReadOnlyList<WeightMask> masks) =>
        new([.. masks[0].Layers.Select((_, i) => LayerMask.Union([.. masks.Select(mask => mask.Layers[i])]))]);

    /// <summary>Weight agreement of two inputs, layer by layer (method.md section 6).</summary>
    /// <param name="other">Of the same layers in the same order.</param>
    internal IReadOnlyList<LayerAgreement> Agreement(WeightMask other)
    {
        if (Layers.Count != other.Layers.Count) throw new ArgumentException("the masks are of different layers", nameof(other));
        return [.. Layers.Zip(other.Layers, (a, b) => a.Agreement(b))];
    }

    /// <summary>Sets the marked weights to 0 for good.</summary>
    /// <exception cref="DoriException">The network lacks a layer, or it has another shape.</exception>
    public void Prune(nn.Module network)
    {
        using var noGrad = no_grad();
        foreach ((LayerMask mask, Linear layer) in Match(network))
        {
            using var scope = NewDisposeScope();
            layer.weight.masked_fill_(mask.ToTensor().to(layer.weight.device), Kept(0.0));
        }
    }

    /// <summary>Sets the marked weights to 0 until the result is disposed, which brings back the very bits.</summary>
    /// <inheritdoc cref="Prune"/>
    public IDisposable PruneForNow(nn.Module network)
    {
        using var noGrad = no_grad();
        var kept = new Restoration();
        foreach ((LayerMask mask, Linear layer) in Match(network))
        {
            if (mask.Count == 0) continue;
            using var scope = NewDisposeScope();
            Tensor marked = mask.ToTensor().to(layer.weight.device);
            // only what is marked: a share of a layer, not a copy of it
            kept.Add(layer, mask, layer.weight.masked_select(marked).DetachFromDisposeScope());
            layer.weight.masked_fill_(marked, Kept(0.0));
        }
        return kept;
    }

    /// <summary>The same for weights that are not in a network, such as those of a file that is to be written.</summary>
    /// <param name="key">A checkpoint's key; only <c>LAYER.weight</c> of the mask's layers is changed.</param>
    /// <returns>A new tensor with the marked weights 0, or an alias where nothing is marked.</returns>
    public Tensor Apply(string key, Tensor weight)
    {
        const string suffix = ".weight";
        if (!key.EndsWith(suffix, StringComparison.Ordinal) || !_byName.TryGetValue(key[..^suffix.Length], out LayerMask? mask))
            return weight.alias();
        mask.CheckShape(weight);
        using Tensor marked = mask.ToTensor(), moved = marked.to(weight.device);
        return weight.masked_fill(moved, Kept(0.0));
    }

    private List<(LayerMask Mask, Linear Layer)> Match(nn.Module network)
    {
        var there = LayerHooks.LinearLayers(network).ToDictionary(pair => pair.Name, pair => pair.Layer);
        var matched = new List<(LayerMask, Linear)>();
        foreach (LayerMask mask in Layers)
        {
            if (!there.TryGetValue(mask.Layer, out Linear? layer))
                throw new DoriException($"the network has no linear layer {mask.Layer}; the mask was made for another model");
            mask.CheckShape(layer.weight);
            matched.Add((mask, layer));
        }
        return matched;
    }

    private static Scalar Kept(double value) => TensorMath.Kept(value);

    private sealed class Restoration : IDisposable
    {
        private readonly List<(Linear Layer, LayerMask Mask, Tensor Values)> _kept = [];

        public void Add(Linear layer, LayerMask mask, Tensor values) => _kept.Add((layer, mask, values));

        public void Dispose()
        {
            using var noGrad = no_grad();
            foreach ((Linear layer, LayerMask mask, Tensor values) in _kept)
            {
                using var scope = NewDisposeScope();
                layer.weight.masked_scatter_(mask.ToTensor().to(layer.weight.device), values);
                values.Dispose();
            }
            _kept.Clear();
        }
    }
}

/// <summary>Marked weights of one layer.</summary>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="Marked">0 to Rows x Columns.</param>
internal sealed record LayerMarks(string Layer, int Rows, int Columns, long Marked);

/// <summary>How much of what two masks mark in a layer is the same.</summary>
/// <param name="Value">Intersection over union, 0 to 1; 1 where neither marks anything.</param>
/// <param name="BothEmpty">They agree by definition only: to be shown apart from real agreement.</param>
internal sealed record LayerAgreement(string Layer, double Value, bool BothEmpty);
