using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Pictures;

/// <summary>Long and large pictures: resizing costs no more than the picture and its result.</summary>
public class PictureMemoryTests
{
    [Theory]
    [InlineData(16384, 300, ResizeFilter.Bilinear)]
    [InlineData(300, 16384, ResizeFilter.Bicubic)]
    [InlineData(16384, 1024, ResizeFilter.Bicubic)]
    public void Windows_weigh_as_the_whole_matrix_does(int input, int output, ResizeFilter filter)
    {
        float[,] whole = Picture.ResizeWeights(input, output, filter);
        foreach (int first in new[] { 0, output / 2, output - 7 })
        {
            (int start, float[,] window) = Picture.ResizeWindow(input, output, first, 7, filter);
            for (int o = 0; o < 7; o++)
                for (int i = 0; i < input; i++)
                    Assert.Equal(whole[first + o, i], i >= start && i < start + window.GetLength(1) ? window[o, i - start] : 0);
        }
    }

    [Fact]
    public void A_side_in_windows_is_the_side_at_once()
    {
        using var scope = NewDisposeScope();
        Tensor image = Support.Golden.Rand("wide", 3, 2, 9000);
        Tensor weights = tensor(Picture.ResizeWeights(9000, 1000, ResizeFilter.Bilinear));
        Tensor windows = Picture.Resize(image, 2, 1000), whole = matmul(image, weights.t());
        Assert.True((windows - whole).abs().max().item<float>() < 1e-6);
    }

    [Theory]
    [InlineData(1, 16384)]
    [InlineData(16384, 1)]
    public void A_strip_of_one_pixel_becomes_its_middle(int height, int width)
    {
        using var scope = NewDisposeScope();
        Tensor strip = zeros(3, height, width);
        int dimension = height == 1 ? 2 : 1;
        strip.narrow(dimension, 8192, 8192).fill_(1.0f);
        Tensor crop = Picture.ResizeAndCrop(strip, 64, 64, 64); // of 64 x 1048576
        Assert.Equal([3, 64, 64], crop.shape);
        // The crop is the ramp between the black pixel and the white one beside the middle: (o + 1/2) / 64.
        Assert.Equal(1 / 128f, crop.narrow(dimension, 0, 1).max().item<float>(), 6);
        Assert.Equal(127 / 128f, crop.narrow(dimension, 63, 1).min().item<float>(), 6);
        DoriException e = Assert.Throws<DoriException>(() => Picture.ResizeSmallEdge(strip, 288));
        Assert.Contains("crop it", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_crop_of_a_strip_is_that_of_the_whole()
    {
        using var scope = NewDisposeScope();
        Tensor strip = Support.Golden.Rand("strip", 3, 4, 5000); // 256 x 320000 in between
        Tensor crop = Picture.ResizeAndCrop(strip, 256, 200, 256, ResizeFilter.Bicubic);
        Tensor whole = Picture.CenterCrop(Picture.ResizeSmallEdge(strip, 256, ResizeFilter.Bicubic), 200, 256);
        Assert.True((crop - whole).abs().max().item<float>() < 1e-5);
    }
}
