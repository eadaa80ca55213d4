using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

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
