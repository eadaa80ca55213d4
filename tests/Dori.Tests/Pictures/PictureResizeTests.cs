using CsCheck;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Pictures;

public class PictureResizeTests
{
    [Fact]
    public void Rows_of_the_weights_sum_to_one() =>
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 300], Gen.Enum<ResizeFilter>()).Sample((input, output, filter) =>
        {
            float[,] weights = Picture.ResizeWeights(input, output, filter);
            for (int o = 0; o < output; o++)
                Assert.Equal(1, Enumerable.Range(0, input).Sum(i => (double)weights[o, i]), 5);
        });

    [Fact]
    public void Halving_weighs_by_a_triangle_of_twice_the_width()
    {
        // Distances of 0.5 and 1.5 pixels over a half width of 2: 3/4 and 1/4, of a sum of 2; at the border of 7/4.
        float[,] weights = Picture.ResizeWeights(8, 4, ResizeFilter.Bilinear);
        float[] border = [3 / 7f, 3 / 7f, 1 / 7f, 0, 0, 0, 0, 0], inner = [0, 1 / 8f, 3 / 8f, 3 / 8f, 1 / 8f, 0, 0, 0];
        for (int i = 0; i < 8; i++)
        {
            Assert.Equal(border[i], weights[0, i], 6);
            Assert.Equal(inner[i], weights[1, i], 6);
            Assert.Equal(border[7 - i], weights[3, i], 6);
        }
    }

    [Fact]
    public void Doubling_by_cubic_uses_a_of_one_half()
    {
        // Output 2 lies at input 1.25 - 0.5 = 0.75 pixels: distances 0.75, 0.25, 1.25 (and 1.75 to the left, which is cut).
        static double Keys(double x) => x < 1 ? 1.5 * x * x * x - 2.5 * x * x + 1 : -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2;
        double sum = Keys(0.75) + Keys(0.25) + Keys(1.25);
        float[,] weights = Picture.ResizeWeights(4, 8, ResizeFilter.Bicubic);
        Assert.Equal(Keys(0.75) / sum, weights[2, 0], 6);
        Assert.Equal(Keys(0.25) / sum, weights[2, 1], 6);
        Assert.Equal(Keys(1.25) / sum, weights[2, 2], 6);
        Assert.Equal(0, weights[2, 3]);
    }

    [Theory]
    [InlineData(ResizeFilter.Bilinear)]
    [InlineData(ResizeFilter.Bicubic)]
    public void Constant_stays_and_a_ramp_stays_a_ramp(ResizeFilter filter)
    {
        using var scope = NewDisposeScope();
        Tensor constant = Picture.Resize(full([2, 3, 31, 17], 0.3f), 12, 40, filter);
        Assert.Equal([2, 3, 12, 40], constant.shape);
        Assert.True((constant - 0.3f).abs().max().item<float>() < 1e-6);

        // Pixel centres are at i + 0.5, so value i becomes (o + 0.5) * scale - 0.5 away from the borders; both directions at once.
        Tensor ramp =
            Picture.Resize((arange(64, dtype: float32).unsqueeze(1) + 10 * arange(48, dtype: float32)).unsqueeze(0), 32, 96, filter);
        Tensor expected =
            (((arange(32, dtype: float32) + 0.5f) * 2 - 0.5f).unsqueeze(1)
            + 10 * ((arange(96, dtype: float32) + 0.5f) * 0.5f - 0.5f)).unsqueeze(0);
        Assert.True((ramp - expected)[.., 3..^3, 5..^5].abs().max().item<float>() < 1e-3);
    }

    [Fact]
    public void Same_size_is_the_identity()
    {
        using var scope = NewDisposeScope();
        Tensor image = Support.Golden.Rand("resize", 3, 9, 7);
        Tensor same = Picture.Resize(image, 9, 7, ResizeFilter.Bicubic);
        Assert.NotSame(image, same);
        Assert.Equal(0, (same - image).abs().max().item<float>());
    }

    [Fact]
    public void Small_edge_and_crop()
    {
        using var scope = NewDisposeScope();
        Assert.Equal([3, 256, 383], Picture.ResizeSmallEdge(zeros(3, 333, 499), 256).shape);
        Assert.Equal([3, 383, 256], Picture.ResizeSmallEdge(zeros(3, 499, 333), 256).shape);
        Tensor crop = Picture.CenterCrop(arange(35).reshape(1, 5, 7), 2, 3); // top 1.5 -> 2, left 2
        Assert.Equal([16L, 17, 18, 23, 24, 25], crop.contiguous().data<long>().ToArray());
        Assert.Throws<ArgumentException>(() => Picture.CenterCrop(zeros(3, 8, 8), 9, 8));
    }

    [Fact]
    public void Nothing_leaks()
    {
        using Tensor image = zeros(3, 16, 16);
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 5; i++) Picture.Resize(image, 8, 5).Dispose();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }
}
