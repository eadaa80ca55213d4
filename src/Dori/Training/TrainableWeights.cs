using Dori.Models;
using Dori.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Training;

/// <summary>Which weights of a UNet are trained, by their checkpoint names.</summary>
internal enum WeightSelection
{
    /// <summary>All of them.</summary>
    All,
    /// <summary>Everything of the cross-attention layers, <c>attn2</c>.</summary>
    CrossAttention,
    /// <summary>The projections that see the text: <c>attn2.to_k</c> and <c>attn2.to_v</c>.</summary>
    CrossAttentionKeysValues,
    /// <summary>Everything but <c>attn2</c>.</summary>
    AllButCrossAttention,
}

/// <summary>
/// The weights of a UNet that a method trains. They ask for gradients from here until disposal, which restores what they asked for before;
/// their values stay as training left them. The network serves one thread at a time meanwhile.
/// </summary>
internal sealed class TrainableWeights : ITrainedWeights
{
    private readonly (Parameter Weight, bool Before)[] _weights;

    public TrainableWeights(UNet2DConditionModel unet, WeightSelection selection)
    {
        (string Name, Parameter Weight)[] selected =
            [.. unet.named_parameters().Where(p => Selects(selection, p.name)).Select(p => (p.name, p.parameter))];
        if (selected.Length == 0) throw new DoriException($"this UNet has no weights of the selection {selection}");
        Names = [.. selected.Select(p => p.Name)];
        _weights = [.. selected.Select(p => (p.Weight, p.Weight.requires_grad))];
        foreach ((Parameter weight, bool _) in _weights) weight.requires_grad = true;
    }

    /// <summary>Checkpoint names, in the order of the UNet's registration.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>In the order of <see cref="Names"/>; the UNet's own tensors.</summary>
    public IReadOnlyList<Tensor> Tensors => [.. _weights.Select(w => w.Weight)];

    public static bool Selects(WeightSelection selection, string name) => selection switch
    {
        WeightSelection.All => true,
        WeightSelection.CrossAttention => name.Contains(".attn2.", StringComparison.Ordinal),
        WeightSelection.CrossAttentionKeysValues =>
            name.Contains(".attn2.to_k.", StringComparison.Ordinal) || name.Contains(".attn2.to_v.", StringComparison.Ordinal),
        WeightSelection.AllButCrossAttention => !name.Contains(".attn2.", StringComparison.Ordinal),
        _ => throw new ArgumentOutOfRangeException(nameof(selection), selection, "no such selection"),
    };

    /// <summary>Gradients of a loss with respect to every trained weight.</summary>
    /// <param name="loss">One number.</param>
    /// <param name="keepGraph">Whether another gradient of the same computation will be asked for.</param>
    /// <returns>In the order of <see cref="Names"/>, float32, in the caller's dispose scope.</returns>
    public Tensor[] Gradients(Tensor loss, bool keepGraph = false)
    {
        using var scope = NewDisposeScope();
        IList<Tensor> gradients = autograd.grad([loss], Tensors.ToArray(), retain_graph: keepGraph);
        return [.. gradients.Select(gradient => gradient.to(float32).MoveToOuterDisposeScope())];
    }

    public void RequireGradients(bool required)
    {
        foreach ((Parameter weight, bool _) in _weights) weight.requires_grad = required;
    }

    public void Merge() { }

    public void Dispose()
    {
        foreach ((Parameter weight, bool before) in _weights) weight.requires_grad = before;
    }
}
