using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>
/// Results that are used once. A dispose scope frees what a block made when the block ends; by then a feature map of a large picture would
/// be held a dozen times over. Where gradients flow, libtorch itself keeps what they need.
/// </summary>
internal static class Passing
{
    /// <summary>What comes of a result that nothing else needs: it is freed.</summary>
    public static Tensor Into(this Tensor used, Func<Tensor, Tensor> next)
    {
        using (used) return next(used);
    }

    /// <inheritdoc cref="Into(Tensor, Func{Tensor, Tensor})"/>
    public static Tensor Into(this Tensor used, nn.Module<Tensor, Tensor> next)
    {
        using (used) return next.call(used);
    }

    public static Tensor IntoSilu(this Tensor used)
    {
        using (used) return F.silu(used);
    }
}
