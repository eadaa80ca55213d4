using Dori.Measures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Measures;

public class SsimTests
{
    private static (Tensor A, Tensor B) Pictures()
    {
        Tensor a = nn.functional.avg_pool2d((Golden.Hashed("ssim.a", 2, 4, 64, 64) + 1) / 2, 5, 1, 2);
        return (a, (a + 0.05f * Golden.Hashed("ssim.b", 2, 4, 64, 64)).clamp(0, 1));
    }

    [Fact]
    public void Is_torchmetrics()
    {
        using var scope = NewDisposeScope();
        (Tensor a, Tensor b) = Pictures();
        Dictionary<string, Tensor> golden = GoldenFile.Read("ssim");
        Assert.True(Golden.RelativeError(new Ssim().Single(a, b), golden["ssim"]) < 1e-4);
        Assert.True(Golden.RelativeError(new Ssim().MultiScale(a, b, Ssim.NemoBetas), golden["msssim"]) < 1e-4);
    }

    [Fact]
    public void Same_is_one_and_constants_have_a_closed_form()
    {
        using var scope = NewDisposeScope();
        (Tensor a, _) = Pictures();
        Assert.True((new Ssim().MultiScale(a, a, Ssim.NemoBetas) - 1).abs().max().item<float>() < 1e-5);
        float flat = new Ssim().Single(full([1, 1, 16, 16], 0.25f), full([1, 1, 16, 16], 0.75f)).item<float>();
        Assert.Equal((2 * 0.25 * 0.75 + 1e-4) / (0.0625 + 0.5625 + 1e-4), flat, 3);
    }

    [Fact]
    public void Small_pictures_take_fewer_scales()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(3, new Ssim().MaxScales(44, 64));
        Assert.Equal(2, new Ssim().MaxScales(43, 64));
        Assert.Equal(1, new Ssim().MaxScales(16, 16));
        Assert.Equal(3, new Ssim(KernelSize: 3).MaxScales(16, 16));
        Assert.Contains("fewer scales",
            Assert.Throws<DoriException>(() => new Ssim().MultiScale(zeros(1, 4, 16, 16), zeros(1, 4, 16, 16), Ssim.NemoBetas)).Message,
            StringComparison.Ordinal);
        Assert.Equal([1], new Ssim(KernelSize: 3).MultiScale(zeros(1, 4, 16, 16), zeros(1, 4, 16, 16), Ssim.NemoBetas).shape);
    }
}
