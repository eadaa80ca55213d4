using System.Text.Json;
using Dori.Measures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Measures;

public class DistanceTests
{
    private static readonly JsonElement s_golden = JsonDocument.Parse(File.ReadAllText(Golden.PathOf("distances.json"))).RootElement;

    private static (Tensor A, Tensor B) Features() => (Golden.Rand("fid.a", 300, 16), Golden.Rand("fid.b", 260, 16) * 1.3f + 0.2f);

    [Fact]
    public void Frechet_distance_is_the_golden()
    {
        using var scope = NewDisposeScope();
        (Tensor a, Tensor b) = Features();
        Assert.Equal(1, FrechetDistance.Between(a, b) / s_golden.GetProperty("fid").GetDouble(), 5);
        Assert.Equal(FrechetDistance.Between(a, b), FrechetDistance.Between(b, a), 8);
        Assert.Equal(0, FrechetDistance.Between(a, a), 8);
    }

    [Fact]
    public void Frechet_distance_of_shifted_and_scaled_axes()
    {
        using var scope = NewDisposeScope();
        // Variances along uncorrelated axes: 2 against 8 and 18 against 2; means one apart. 1 + (sqrt 2 - sqrt 8)^2 + (sqrt 18 - sqrt 2)^2.
        float s = MathF.Sqrt(1.5f); // four points at +-sqrt(2 v) of both axes in turn have the unbiased variance v * 4 / 3
        Tensor cross = tensor(new[] { 1f, 0, -1, 0, 0, 1, 0, -1 }, [4, 2]) * s;
        Tensor a = cross * tensor(new[] { MathF.Sqrt(2), MathF.Sqrt(18) }),
            b = cross * tensor(new[] { MathF.Sqrt(8), MathF.Sqrt(2) }) + tensor(new[] { 1f, 0 });
        Assert.Equal(1 + 2 + 8, FrechetDistance.Between(a, b), 4);
        // Fewer samples than values: the covariance is singular.
        Assert.Equal(9,
            FrechetDistance.Between(Golden.Rand("few", 5, 16), Golden.Rand("few", 5, 16) + tensor(Enumerable.Repeat(0.75f, 16).ToArray())),
            4);
    }

    [Fact]
    public void Kernel_distance_is_the_golden()
    {
        using var scope = NewDisposeScope();
        (Tensor a, Tensor b) = Features();
        double expected = s_golden.GetProperty("kid_all").GetDouble();
        Assert.Equal(1, KernelDistance.Between(a, b) / expected, 5);

        uint state = 1;
        int Below(int n) => (int)(((state = state * 1664525 + 1013904223) >> 8) % (uint)n);
        (double mean, double deviation) = KernelDistance.OverSubsets(a, b, Below, subsets: 100, size: 100);
        Assert.InRange(mean, expected - 4 * deviation / 10, expected + 4 * deviation / 10); // unbiased
        (double all, double none) = KernelDistance.OverSubsets(a, a.flip(0), Below, subsets: 3, size: 300);
        Assert.Equal(KernelDistance.Between(a, a), all, 10);
        Assert.Equal(0, none, 10);
        Assert.Throws<DoriException>(() => KernelDistance.OverSubsets(a, b, Below, size: 261));
    }

    [Fact]
    public void Kernel_distance_by_hand()
    {
        using var scope = NewDisposeScope();
        // One value each, kernel (xy + 1)^3: a = {0, 1}, b = {0, 2}: within 1 and 1, across (1 + 1 + 1 + 27) / 4.
        Assert.Equal(1 + 1 - 2 * 7.5, KernelDistance.Between(tensor(new[] { 0f, 1 }, [2, 1]), tensor(new[] { 0f, 2 }, [2, 1])), 10);
        Assert.Throws<DoriException>(() => KernelDistance.Between(zeros(1, 2), zeros(2, 2)));
    }
}
