using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Training;

/// <summary>Arithmetic on gradients of many weights at once: one tensor a weight, always in the same order.</summary>
internal static class TrainingGradients
{
    /// <summary>The length of all gradients as one vector.</summary>
    public static double Norm(IReadOnlyList<Tensor> gradients)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor[] squares = [.. gradients.Select(Square)];
        return Math.Sqrt(stack(squares, 0).to(float64).sum().item<double>());

        static Tensor Square(Tensor gradient)
        {
            using var inner = NewDisposeScope();
            Tensor flat = gradient.to(float32).flatten();
            return flat.dot(flat).MoveToOuterDisposeScope();
        }
    }

    /// <summary>sum += factor gradients, in place; a first call (sum null) makes a sum of its own in the caller's dispose scope.</summary>
    /// <returns>The sum.</returns>
    public static Tensor[] Accumulate(Tensor[]? sum, IReadOnlyList<Tensor> gradients, double factor = 1)
    {
        using var noGrad = no_grad();
        if (sum is null) return [.. gradients.Select(gradient => gradient.Times(factor))];
        for (int i = 0; i < sum.Length; i++) sum[i].Add_(gradients[i], factor);
        return sum;
    }
}
