using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

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
