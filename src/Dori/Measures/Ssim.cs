using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>
/// Structural similarity (Wang et al. 2004) and its multi-scale form (Wang et al. 2003), with a Gaussian window, as torchmetrics computes
/// them: the picture is mirrored at its borders for the window; places whose window holds mirrored pixels count in the mean of the whole
/// similarity, not in that of contrast and structure, which the scales above the last one give.
/// </summary>
/// <param name="KernelSize">Side of the window, odd.</param>
/// <param name="Sigma">Of the Gaussian, in pixels.</param>
/// <param name="DataRange">Largest minus smallest possible value.</param>
internal sealed record Ssim(int KernelSize = 11, double Sigma = 1.5, double DataRange = 1)
{
    /// <summary>NeMo's three scales.</summary>
    public static IReadOnlyList<double> NemoBetas { get; } = [0.33, 0.33, 0.33];

    /// <summary>One scale.</summary>
    /// <param name="a">(N, C, H, W) floating, values within the data range, sides at least <see cref="KernelSize"/>.</param>
    /// <param name="b">The same shape.</param>
    /// <returns>(N,) in [-1, 1].</returns>
    public Tensor Single(Tensor a, Tensor b)
    {
        CheckSize(a, b, 1);
        using var scope = NewDisposeScope();
        return Compare(a, b).Similarity.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Product over scales, each half the size of the one before: contrast and structure to the power of beta, at the last scale the whole
    /// similarity. Not normalised: a negative factor is raised as it is, so dissimilar pictures may give NaN.
    /// </summary>
    /// <param name="a">(N, C, H, W) floating. Halved scales - 1 times and rounded down, the sides must reach <see cref="KernelSize"/>: 44
    /// for three scales of 11.</param>
    /// <param name="b">The same shape.</param>
    /// <param name="betas">One exponent per scale, the finest first.</param>
    /// <returns>(N,).</returns>
    /// <exception cref="DoriException">The pictures are too small for that many scales.</exception>
    public Tensor MultiScale(Tensor a, Tensor b, IReadOnlyList<double> betas)
    {
        CheckSize(a, b, betas.Count);
        using var scope = NewDisposeScope();
        Tensor product = ones([a.shape[0]], dtype: a.dtype, device: a.device);
        for (int scale = 0; scale < betas.Count; scale++)
        {
            (Tensor similarity, Tensor contrast) = Compare(a, b);
            product = product * (scale == betas.Count - 1 ? similarity : contrast).pow(TensorMath.Kept(betas[scale]));
            if (scale == betas.Count - 1) break;
            a = nn.functional.avg_pool2d(a, 2);
            b = nn.functional.avg_pool2d(b, 2);
        }
        return product.MoveToOuterDisposeScope();
    }

    /// <summary>Largest number of scales for pictures of this size; 0 where not even one fits.</summary>
    public int MaxScales(long height, long width)
    {
        int scales = 0;
        while (Math.Min(height, width) >> scales >= KernelSize) scales++;
        return scales;
    }

    private void CheckSize(Tensor a, Tensor b, int scales)
    {
        if (a.dim() != 4 || !a.shape.SequenceEqual(b.shape))
            throw new ArgumentException(
                $"Two (N, C, H, W) of one shape are wanted, not ({string.Join(", ", a.shape)}) and ({string.Join(", ", b.shape)}).",
                nameof(b));
        if (KernelSize < 1 || KernelSize % 2 == 0) throw new DoriException($"SSIM: the window's side must be odd, and it is {KernelSize}");
        if (scales < 1 || MaxScales(a.shape[2], a.shape[3]) < scales)
            throw new DoriException(
                $"SSIM: {a.shape[2]} x {a.shape[3]} is too small for {scales} scales with a window of {KernelSize}; take fewer scales or a "
                + $"smaller window");
    }

    /// <summary>Means over channels and places, (N,) each: the whole similarity, and contrast times structure.</summary>
    private (Tensor Similarity, Tensor Contrast) Compare(Tensor a, Tensor b)
    {
        long channels = a.shape[1], pad = KernelSize / 2;
        Tensor offsets = TensorMath.Range(KernelSize, float64).Minus(pad);
        Tensor gauss = exp((-offsets.Over(Sigma).Squared()).Over(2));
        gauss = (gauss / gauss.sum()).to(a.dtype).to(a.device);
        Tensor window = outer(gauss, gauss).expand(channels, 1, KernelSize, KernelSize);
        a = nn.functional.pad(a, [pad, pad, pad, pad], PaddingModes.Reflect);
        b = nn.functional.pad(b, [pad, pad, pad, pad], PaddingModes.Reflect);
        Tensor Blur(Tensor x) => nn.functional.conv2d(x, window, groups: channels); // back at (N, C, H, W)

        Tensor meanA = Blur(a), meanB = Blur(b);
        Tensor varianceA = (Blur(a * a) - meanA * meanA).AtLeast(0), varianceB = (Blur(b * b) - meanB * meanB).AtLeast(0);
        Tensor covariance = Blur(a * b) - meanA * meanB;
        double c1 = Math.Pow(0.01 * DataRange, 2), c2 = Math.Pow(0.03 * DataRange, 2);
        Tensor contrast = covariance.Times(2).Plus(c2) / varianceA.Plus(varianceB).Plus(c2);
        Tensor similarity = (meanA.Times(2) * meanB).Plus(c1) / (meanA * meanA).Plus(meanB * meanB).Plus(c1) * contrast;
        Tensor inside = contrast.narrow(2, pad, contrast.shape[2] - 2 * pad).narrow(3, pad, contrast.shape[3] - 2 * pad);
        return (similarity.mean([1L, 2, 3]), inside.mean([1L, 2, 3]));
    }
}
