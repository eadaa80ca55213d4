using Dori.Audit;
using Dori.Checkpoints.SingleFile;
using Dori.Diffusion;
using Dori.Models;
using Dori.Native;
using Dori.Search;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Models;

/// <summary>What Stable Diffusion's real size takes above its weights: it has to fit a card of 12 GB.</summary>
public class MemoryTests(ITestOutputHelper output)
{
    private const double Gibi = 1L << 30;

    [Theory]
    [InlineData(8, 1, 100, 8)]
    [InlineData(8, 20, 100, 4)]
    [InlineData(8, 60, 100, 1)]
    [InlineData(8, 600, 100, 1)] // less than one there is not
    [InlineData(6, 20, 100, 3)]
    public void As_many_pairs_go_at_once_as_have_room(int batch, long each, long room, int expected) =>
        Assert.Equal(expected, MicroBatchTrial.Largest(batch, each, room));

    /// <summary>Of the one network that is measured: what others held and gave back would be counted as there before.</summary>
    private static DiffusionModel Of(AutoencoderKL vae, UNet2DConditionModel unet, ScalarType dtype) => DiffusionModel.Of(
        BuiltInConfigs.Tokenizer("sd1"), null!, vae, unet, StableDiffusionSize.Scheduler, CPU, dtype);

    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void Eight_pictures_of_512_pixels_are_decoded_in_under_3_GB()
    {
        using AutoencoderKL vae = StableDiffusionSize.Vae(CPU);
        DiffusionModel model = Of(vae, null!, ScalarType.Float32);
        using var scope = NewDisposeScope();
        Tensor latents = Golden.Rand("latents", 8, 4, 64, 64);
        long peak = HostMemory.Peak(() => Assert.Equal([8, 3, 512, 512], model.Decode(latents).shape));
        output.WriteLine($"decoding: {peak / Gibi:0.00} GiB above the weights");
        Assert.True(peak is < 3_000_000_000, $"{peak}");
    }

    [Theory(Explicit = true)]
    [Trait("Category", "Slow")]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void A_search_step_of_one_pair_takes_under_4_GB(ScalarType dtype)
    {
        using UNet2DConditionModel unet = StableDiffusionSize.UNet(CPU, dtype);
        DiffusionModel model = Of(null!, unet, dtype);
        using var scope = NewDisposeScope();
        var search = new DoriSearch(new SearchOptions { Steps = 1, Batch = 2, MicroBatch = 1, SnapshotSteps = [] });
        var y = new Conditioning(Golden.Rand("y", 1, 77, 768));
        long peak = HostMemory.Peak(() => search.Run(model, Golden.Rand("z0", 1, 4, 64, 64), y, RandomSource.For("memory")).Dispose());
        output.WriteLine($"search step, {dtype}: {peak / Gibi:0.00} GiB above the weights");
        Assert.True(peak is < 4_000_000_000, $"{peak}");
    }
}
