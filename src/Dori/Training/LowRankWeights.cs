using Dori.Diffusion;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Training;

/// <summary>Which linear layers of a UNet get low-rank updates.</summary>
internal enum LowRankLayers
{
    /// <summary>
    /// All projections of all attentions: <c>attn1</c> and <c>attn2</c>, <c>to_q</c>, <c>to_k</c>, <c>to_v</c>, <c>to_out.0</c>.
    /// </summary>
    Attention,
    /// <summary>Every linear layer, the feed-forward and time embedding's too.</summary>
    AllLinear,
}

/// <summary>
/// Low-rank updates (Hu et al. 2022): a layer's output becomes x W^T + (x A^T) B^T, with A of shape (rank, in) drawn from N(0, 1 / rank^2)
/// and B of shape (out, rank) zero, so that the network starts as it was. The updates act through <see cref="LayerHooks"/> until disposal
/// or <see cref="Merge"/>. They only read, so several threads may use the network at once.
/// </summary>
internal sealed class LowRankWeights : ITrainedWeights
{
    private readonly List<(Linear Layer, Tensor A, Tensor B)> _updates = [];
    private readonly List<string> _names = [];
    private readonly LayerHooks _hooks = new();

    /// <param name="rank">At least 1.</param>
    /// <param name="random">A is drawn from it, one stream a layer.</param>
    public LowRankWeights(UNet2DConditionModel unet, int rank, LowRankLayers layers, RandomSource random)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        foreach ((string name, Linear layer) in LayerHooks.LinearLayers(unet).Where(l => Selects(layers, l.Name)))
        {
            using var scope = NewDisposeScope();
            long output = layer.weight.shape[0], input = layer.weight.shape[1];
            Tensor a = random.Derive(name).Normal(rank, input).Times(1.0 / rank).to(layer.weight.device);
            Tensor b = zeros(output, rank).to(layer.weight.device);
            _updates.Add((layer, a.DetachFromDisposeScope(), b.DetachFromDisposeScope()));
            _names.AddRange([$"{name}.lora_A.weight", $"{name}.lora_B.weight"]);
            _hooks.Add(layer, (_, x, forward) => Updated(x, forward, a, b));
        }
        RequireGradients(true);
    }

    /// <summary>A and B of every layer, as PEFT spells them.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>In the order of <see cref="Names"/>, float32.</summary>
    public IReadOnlyList<Tensor> Tensors => [.. _updates.SelectMany(update => new[] { update.A, update.B })];

    public void RequireGradients(bool required)
    {
        foreach (Tensor tensor in Tensors) tensor.requires_grad = required;
    }

    /// <summary>
    /// Adds B A to the layers' own weights and takes the updates off: the network computes what it did, in its own layout.
    /// </summary>
    public void Merge()
    {
        using var noGrad = no_grad();
        _hooks.Dispose();
        foreach ((Linear layer, Tensor a, Tensor b) in _updates)
        {
            using var scope = NewDisposeScope();
            layer.weight.Add_(matmul(b, a).to(layer.weight.dtype));
            b.zero_();
        }
    }

    private static bool Selects(LowRankLayers layers, string name) => layers == LowRankLayers.AllLinear
        || name.Contains(".attn1.", StringComparison.Ordinal) || name.Contains(".attn2.", StringComparison.Ordinal);

    private static Tensor Updated(Tensor x, Func<Tensor, Tensor> forward, Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        Tensor update = F.linear(F.linear(x, a.to(x.dtype)), b.to(x.dtype)); // (..., out)
        return forward(x).Plus(update).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        _hooks.Dispose();
        foreach (Tensor tensor in Tensors) tensor.Dispose();
    }
}
