using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

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
