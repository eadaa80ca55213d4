using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

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
