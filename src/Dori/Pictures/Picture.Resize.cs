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

internal static partial class Picture
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
        return Resize(image, new Side(height, 0, height), new Side(width, 0, width), filter);
    }

    /// <summary>Resizes so that the shorter side becomes <paramref name="edge"/>; the longer keeps the ratio, rounded down.</summary>
    /// <exception cref="DoriException">A picture so narrow that the result would be larger than <see cref="LargestArea"/>.</exception>
    public static Tensor ResizeSmallEdge(Tensor image, int edge, ResizeFilter filter = ResizeFilter.Bilinear)
    {
        (long height, long width) = SmallEdge(image, edge);
        if (height * width > LargestArea)
            throw new DoriException($"a picture of {image.shape[^1]} x {image.shape[^2]} pixels would have {width} x {height} "
                + $"with its shorter side at {edge}, more than {LargestArea / 1_000_000} million in all; crop it");
        return Resize(image, (int)height, (int)width, filter);
    }

    /// <summary>
    /// <see cref="CenterCrop"/> of <see cref="ResizeSmallEdge"/>. Of a long strip that would become too large in between, only what the
    /// crop keeps is computed.
    /// </summary>
    /// <exception cref="ArgumentException">The crop is larger than what is resized.</exception>
    public static Tensor ResizeAndCrop(Tensor image, int edge, int cropHeight, int cropWidth, ResizeFilter filter = ResizeFilter.Bilinear)
    {
        (long height, long width) = SmallEdge(image, edge);
        using var scope = NewDisposeScope();
        if (height * width <= LargestWhole || cropHeight > height || cropWidth > width)
            return CenterCrop(ResizeSmallEdge(image, edge, filter), cropHeight, cropWidth).MoveToOuterDisposeScope();
        Side down = new((int)height, Middle(height, cropHeight), cropHeight), across = new((int)width, Middle(width, cropWidth), cropWidth);
        return Resize(image, down, across, filter).MoveToOuterDisposeScope();
    }

    private static (long Height, long Width) SmallEdge(Tensor image, int edge)
    {
        long height = image.shape[^2], width = image.shape[^1];
        return height <= width ? (edge, edge * width / height) : (edge * height / width, edge);
    }

    /// <summary>Half a pixel's choice is torchvision's (round to even).</summary>
    private static int Middle(long whole, long crop) => (int)Math.Round((whole - crop) / 2.0);

    /// <summary>The middle of (..., H, W).</summary>
    /// <exception cref="ArgumentException">The image is smaller than the crop.</exception>
    public static Tensor CenterCrop(Tensor image, int height, int width)
    {
        long inHeight = image.shape[^2], inWidth = image.shape[^1];
        if (height > inHeight || width > inWidth || height < 1 || width < 1)
            throw new ArgumentException($"No {height} x {width} crop fits into {inHeight} x {inWidth}.", nameof(image));
        using var scope = NewDisposeScope();
        return image.narrow(-2, Middle(inHeight, height), height).narrow(-1, Middle(inWidth, width), width).MoveToOuterDisposeScope();
    }
}
