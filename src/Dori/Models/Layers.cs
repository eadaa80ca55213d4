using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>
/// Sees one call of a <see cref="Linear"/> layer and decides its output: <c>forward(input)</c> is the layer's own result.
/// Recording, scaling neurons and masking weights are all such functions.
/// </summary>
/// <param name="layer">The layer itself, for its weight.</param>
/// <param name="input">(..., in)</param>
/// <param name="forward">The layer's own computation.</param>
/// <returns>(..., out), owned by the caller's dispose scope.</returns>
public delegate Tensor LinearHook(Linear layer, Tensor input, Func<Tensor, Tensor> forward);

/// <summary>
/// y = x W^T + b. Unlike TorchSharp's own layers, the leaf layers of this file allocate their weights without drawing initial values,
/// which a checkpoint overwrites anyway: at Stable Diffusion's size that saves as much time as loading takes.
/// </summary>
public sealed class Linear : nn.Module<Tensor, Tensor>
{
    /// <summary>(out, in)</summary>
    public readonly Parameter weight;
    /// <summary>(out) or absent</summary>
    public readonly Parameter? bias;
    /// <summary>At most one at a time; set through <see cref="LayerHooks"/>. Null costs one comparison a call.</summary>
    internal LinearHook? Hook;

    public Linear(int input, int output, bool hasBias = true) : base(nameof(Linear))
    {
        weight = new Parameter(empty(output, input), requires_grad: false);
        if (hasBias) bias = new Parameter(empty(output), requires_grad: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => Hook is null ? Apply(input) : Hook(this, input, Apply);

    private Tensor Apply(Tensor input) => F.linear(input, weight, bias);
}

/// <summary>Two-dimensional convolution with a square kernel.</summary>
internal sealed class Conv2d : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight; // (out, in, k, k)
    private readonly Parameter? bias;
    private readonly long[] _stride, _padding;

    public Conv2d(int input, int output, int kernel, int stride = 1, int padding = 0, bool hasBias = true) : base(nameof(Conv2d))
    {
        weight = new Parameter(empty(output, input, kernel, kernel), requires_grad: false);
        if (hasBias) bias = new Parameter(empty(output), requires_grad: false);
        (_stride, _padding) = ([stride, stride], [padding, padding]);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => F.conv2d(input, weight, bias, _stride, _padding);
}

internal sealed class GroupNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight, bias; // (channels)
    private readonly int _groups;
    private readonly double _eps;

    public GroupNorm(int groups, int channels, double eps) : base(nameof(GroupNorm))
    {
        weight = new Parameter(ones(channels), requires_grad: false);
        bias = new Parameter(zeros(channels), requires_grad: false);
        (_groups, _eps) = (groups, eps);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => F.group_norm(input, _groups, weight, bias, _eps);
}

internal sealed class LayerNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight, bias; // (width)
    private readonly double _eps;

    public LayerNorm(int width, double eps = 1e-5) : base(nameof(LayerNorm))
    {
        weight = new Parameter(ones(width), requires_grad: false);
        bias = new Parameter(zeros(width), requires_grad: false);
        _eps = eps;
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => F.layer_norm(input, [input.shape[^1]], weight, bias, _eps);
}

/// <summary>Rows of a table by index.</summary>
internal sealed class Embedding : nn.Module<Tensor, Tensor>
{
    public readonly Parameter weight; // (rows, width)

    public Embedding(int rows, int width) : base(nameof(Embedding))
    {
        weight = new Parameter(empty(rows, width), requires_grad: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor ids)
    {
        using Tensor flat = ids.flatten(), rows = weight.index_select(0, flat);
        return rows.view([.. ids.shape, weight.shape[1]]);
    }
}

/// <summary>Keeps a place in a numbered list of modules where the checkpoint has a layer without weights (dropout).</summary>
internal sealed class NoWeights() : nn.Module<Tensor, Tensor>(nameof(NoWeights))
{
    public override Tensor forward(Tensor input) => input.alias();
}
