using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>Keeps a place in a numbered list of modules where the checkpoint has a layer without weights (dropout).</summary>
internal sealed class NoWeights() : nn.Module<Tensor, Tensor>(nameof(NoWeights))
{
    public override Tensor forward(Tensor input) => input.alias();
}
