using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>
/// Frechet distance of two sets of features, taken as normal distributions (Heusel et al. 2017): FID where the features are Inception-v3's
/// pool; with another network the figure must carry that network's name.
/// </summary>
internal static class FrechetDistance
{
    /// <summary>|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), unbiased covariances, in float64.</summary>
    /// <param name="a">(N, D), N at least 2.</param>
    /// <param name="b">(M, D), M at least 2.</param>
    /// <returns>0 or more; biased upwards where N or M is not much larger than D.</returns>
    public static double Between(Tensor a, Tensor b)
    {
        Features.Check(a, b);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        (Tensor meanA, Tensor covarianceA) = Moments(a);
        (Tensor meanB, Tensor covarianceB) = Moments(b);
        // tr (C1 C2)^(1/2) = tr (C1^(1/2) C2 C1^(1/2))^(1/2): symmetric, so its root needs no complex numbers.
        (Tensor values, Tensor vectors) = linalg.eigh(covarianceA);
        Tensor rootA = matmul(vectors * values.AtLeast(0).sqrt(), vectors.t());
        Tensor inner = matmul(matmul(rootA, covarianceB), rootA);
        double cross = linalg.eigvalsh(inner.Plus(inner.t()).Over(2)).AtLeast(0).sqrt().sum().item<double>();
        double between = (meanA - meanB).Squared().sum().item<double>();
        return Math.Max(0, between + covarianceA.trace().item<double>() + covarianceB.trace().item<double>() - 2 * cross);
    }

    private static (Tensor Mean, Tensor Covariance) Moments(Tensor features)
    {
        Tensor x = features.detach().cpu().to(float64);
        Tensor mean = x.mean([0L]);
        Tensor centred = x - mean;
        return (mean, matmul(centred.t(), centred).Over(x.shape[0] - 1));
    }
}
