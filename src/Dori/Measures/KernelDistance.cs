using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>
/// Kernel distance of two sets of features (Binkowski et al. 2018): unbiased squared MMD with the kernel (a.b / D + 1)^3. KID where the
/// features are Inception-v3's pool. Unbiased, so a value slightly below 0 is what equal distributions give.
/// </summary>
internal static class KernelDistance
{
    /// <summary>One estimate over all samples, in float64.</summary>
    /// <param name="a">(N, D), N at least 2.</param>
    /// <param name="b">(M, D), M at least 2.</param>
    public static double Between(Tensor a, Tensor b)
    {
        Features.Check(a, b);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return Estimate(a.detach().cpu().to(float64), b.detach().cpu().to(float64));
    }

    /// <summary>Mean and standard deviation of the estimates over random subsets, as published figures are given.</summary>
    /// <param name="a">(N, D), N at least <paramref name="size"/>.</param>
    /// <param name="b">(M, D), M at least <paramref name="size"/>.</param>
    /// <param name="below">Uniform integer below its argument.</param>
    /// <param name="subsets">How many.</param>
    /// <param name="size">Samples of each set in a subset, without repetition, at least 2.</param>
    public static (double Mean, double Deviation) OverSubsets(Tensor a, Tensor b, Func<int, int> below, int subsets = 100, int size = 1000)
    {
        Features.Check(a, b);
        ArgumentOutOfRangeException.ThrowIfLessThan(subsets, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 2);
        if (size > a.shape[0] || size > b.shape[0])
            throw new DoriException(
                $"kernel distance: subsets of {size} need as many samples, and there are {a.shape[0]} and {b.shape[0]}; take smaller "
                + $"subsets");
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor x = a.detach().cpu().to(float64), y = b.detach().cpu().to(float64);
        var estimates = new double[subsets];
        for (int s = 0; s < subsets; s++)
        {
            using var step = NewDisposeScope();
            estimates[s] =
                Estimate(x.index_select(0, Choose((int)x.shape[0], size, below)), y.index_select(0, Choose((int)y.shape[0], size, below)));
        }
        double mean = estimates.Average();
        return (mean, Math.Sqrt(estimates.Average(e => (e - mean) * (e - mean))));
    }

    private static double Estimate(Tensor a, Tensor b)
    {
        long n = a.shape[0], m = b.shape[0];
        Tensor aa = Kernel(a, a), bb = Kernel(b, b), ab = Kernel(a, b);
        // A sample's likeness to itself is left out: that is what makes the estimate unbiased.
        double withinA = (aa.sum() - aa.trace()).item<double>() / ((double)n * (n - 1));
        double withinB = (bb.sum() - bb.trace()).item<double>() / ((double)m * (m - 1));
        return withinA + withinB - 2 * ab.mean().item<double>();
    }

    private static Tensor Kernel(Tensor a, Tensor b) => matmul(a, b.t()).Over(a.shape[1]).Plus(1).pow(TensorMath.Kept(3L));

    private static Tensor Choose(int from, int count, Func<int, int> below)
    {
        long[] order = [.. Enumerable.Range(0, from).Select(i => (long)i)];
        for (int i = 0; i < count; i++)
        {
            int j = i + below(from - i);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return tensor(order[..count]);
    }
}

/// <summary>What both distances ask of their features.</summary>
internal static class Features
{
    public static void Check(Tensor a, Tensor b)
    {
        if (a.dim() != 2 || b.dim() != 2 || a.shape[1] != b.shape[1])
            throw new ArgumentException(
                $"(N, D) and (M, D) features are wanted, not ({string.Join(", ", a.shape)}) and ({string.Join(", ", b.shape)}).",
                nameof(b));
        if (a.shape[0] < 2 || b.shape[0] < 2)
            throw new DoriException(
            $"a distance of distributions needs at least 2 pictures on each side, and there are {a.shape[0]} and {b.shape[0]}");
    }
}
