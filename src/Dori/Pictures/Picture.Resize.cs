using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Pictures;

/// <summary>The kernel that weighs an output pixel's neighbours.</summary>
public enum ResizeFilter
{
    /// <summary>Triangle.</summary>
    Bilinear,
    /// <summary>Keys' cubic with a = -0.5. Overshoots at edges: the result may leave the input's range.</summary>
    Bicubic,
}

public static partial class Picture
{
    /// <summary>
    /// Antialiased resampling as PIL and torchvision do it: the kernel is widened by the factor of shrinking, cut at the borders
    /// and scaled to sum 1. In float32 throughout, where PIL rounds to 8 bits after each direction.
    /// </summary>
    /// <param name="image">(C, H, W) or (N, C, H, W) float32, any range.</param>
    /// <param name="height">Of the result, at least 1.</param>
    /// <param name="width">Of the result, at least 1.</param>
    /// <param name="filter">The kernel.</param>
    /// <returns>(C, height, width) or (N, C, height, width), on the image's device.</returns>
    public static Tensor Resize(Tensor image, int height, int width, ResizeFilter filter = ResizeFilter.Bilinear)
    {
        if (image.dim() is not (3 or 4) || image.numel() == 0)
            throw new ArgumentException($"(C, H, W) or (N, C, H, W) is wanted, not ({string.Join(", ", image.shape)}).", nameof(image));
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        int inHeight = (int)image.shape[^2], inWidth = (int)image.shape[^1];

        using var scope = NewDisposeScope();
        Tensor result = image.alias();
        if (inWidth != width)
        {
            Tensor across = tensor(ResizeWeights(inWidth, width, filter)).to(image.device); // (width, W)
            result = matmul(result, across.t());
        }
        if (inHeight != height)
        {
            Tensor down = tensor(ResizeWeights(inHeight, height, filter)).to(image.device); // (height, H)
            result = matmul(down, result);
        }
        return result.MoveToOuterDisposeScope();
    }

    /// <summary>Resizes so that the shorter side becomes <paramref name="edge"/>; the longer keeps the aspect ratio, rounded down.</summary>
    public static Tensor ResizeSmallEdge(Tensor image, int edge, ResizeFilter filter = ResizeFilter.Bilinear)
    {
        long height = image.shape[^2], width = image.shape[^1];
        return height <= width
            ? Resize(image, edge, (int)(edge * width / height), filter)
            : Resize(image, (int)(edge * height / width), edge, filter);
    }

    /// <summary>The middle of (..., H, W); where it cannot be centred, half a pixel's choice is torchvision's (round to even).</summary>
    /// <exception cref="ArgumentException">The image is smaller than the crop.</exception>
    public static Tensor CenterCrop(Tensor image, int height, int width)
    {
        long inHeight = image.shape[^2], inWidth = image.shape[^1];
        if (height > inHeight || width > inWidth || height < 1 || width < 1)
            throw new ArgumentException($"No {height} x {width} crop fits into {inHeight} x {inWidth}.", nameof(image));
        long top = (long)Math.Round((inHeight - height) / 2.0), left = (long)Math.Round((inWidth - width) / 2.0);
        using var scope = NewDisposeScope();
        return image.narrow(-2, top, height).narrow(-1, left, width).MoveToOuterDisposeScope();
    }

    /// <summary>Weights[o, i]: the share of input pixel i in output pixel o; every row sums to 1.</summary>
    internal static float[,] ResizeWeights(int input, int output, ResizeFilter filter)
    {
        double scale = (double)input / output, widening = Math.Max(scale, 1);
        double support = (filter == ResizeFilter.Bilinear ? 1 : 2) * widening;
        var weights = new float[output, input];
        var row = new double[input];
        for (int o = 0; o < output; o++)
        {
            double center = (o + 0.5) * scale;
            int first = Math.Max((int)(center - support + 0.5), 0), end = Math.Min((int)(center + support + 0.5), input);
            double sum = 0;
            for (int i = first; i < end; i++) sum += row[i] = Kernel((i - center + 0.5) / widening, filter);
            for (int i = first; i < end; i++) weights[o, i] = (float)(row[i] / sum);
        }
        return weights;
    }

    private static double Kernel(double x, ResizeFilter filter)
    {
        x = Math.Abs(x);
        if (filter == ResizeFilter.Bilinear) return x < 1 ? 1 - x : 0;
        const double a = -0.5;
        if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }
}
