using Dori.Checkpoints;
using Dori.Models;
using Dori.Tests.Support;
using static Dori.Tests.Checkpoints.ConfigPublished;
using static Dori.Tests.Checkpoints.ConfigScratch;

namespace Dori.Tests.Checkpoints;

/// <summary>What published files mean.</summary>
public class ConfigFilesTests
{
    [Fact]
    public void StableDiffusion1UNet()
    {
        UNetConfig config = Read(UNet14, ConfigFiles.ReadUNet);
        Assert.Equal([320, 640, 1280, 1280], config.BlockOutChannels);
        Assert.Equal([8, 8, 8, 8], config.NumAttentionHeads);
        Assert.Equal(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"], config.DownBlockTypes);
        Assert.Equal(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"], config.UpBlockTypes);
        Assert.Equal((4, 4, 64, 2, 768),
            (config.InChannels, config.OutChannels, config.SampleSize, config.LayersPerBlock, config.CrossAttentionDim));
        Assert.Equal((32, 1e-5, true, 0.0), (config.NormNumGroups, config.NormEps, config.FlipSinToCos, config.FreqShift));
        Assert.False(config.UseLinearProjection);
        Assert.False(config.UpcastAttention);
    }

    [Fact]
    public void StableDiffusion2UNets()
    {
        UNetConfig small = Read(UNet20Base, ConfigFiles.ReadUNet), large = Read(UNet21, ConfigFiles.ReadUNet);
        foreach (UNetConfig config in new[] { small, large })
        {
            Assert.Equal([5, 10, 20, 20], config.NumAttentionHeads);
            Assert.Equal(1024, config.CrossAttentionDim);
            Assert.True(config.UseLinearProjection);
        }
        Assert.Equal((64, false), (small.SampleSize, small.UpcastAttention));
        Assert.Equal((96, true), (large.SampleSize, large.UpcastAttention));
    }

    [Fact]
    public void UNetDefaultsAreDiffusers()
    {
        UNetConfig config = Read("""{ "_class_name": "UNet2DConditionModel", "sample_size": 64 }""", ConfigFiles.ReadUNet);
        Assert.Equal([320, 640, 1280, 1280], config.BlockOutChannels);
        Assert.Equal((1280, 2, 32, 1e-5), (config.CrossAttentionDim, config.LayersPerBlock, config.NormNumGroups, config.NormEps));
        Assert.Equal("DownBlock2D", config.DownBlockTypes[3]);
        Assert.Equal("UpBlock2D", config.UpBlockTypes[0]);
        Assert.True(config.FlipSinToCos);
    }

    [Fact]
    public void NumAttentionHeadsWins() =>
        Assert.Equal([4, 4, 4, 4], Read(With(UNet21, "num_attention_heads", "4"), ConfigFiles.ReadUNet).NumAttentionHeads);

    [Theory]
    [InlineData("only_cross_attention", "[false, false, false, false]")]
    [InlineData("transformer_layers_per_block", "[1, 1, 1, 1]")]
    [InlineData("transformer_layers_per_block", "1")]
    [InlineData("resnet_out_scale_factor", "1.0")]
    [InlineData("mid_block_only_cross_attention", "null")]
    [InlineData("some_future_switch", "false")]
    [InlineData("some_future_value", "null")]
    [InlineData("_some_metadata", "{ \"a\": [1] }")]
    public void UNetPassesOver(string key, string value) =>
        Assert.Equal(64, Read(With(UNet14, key, value), ConfigFiles.ReadUNet).SampleSize);

    [Fact]
    public void Vaes()
    {
        VaeConfig first = Read(Vae14, ConfigFiles.ReadVae), second = Read(Vae21, ConfigFiles.ReadVae);
        foreach (VaeConfig config in new[] { first, second })
        {
            Assert.Equal([128, 256, 512, 512], config.BlockOutChannels);
            Assert.Equal((3, 3, 4, 2, 32),
                (config.InChannels, config.OutChannels, config.LatentChannels, config.LayersPerBlock, config.NormNumGroups));
            Assert.Equal(0.18215, config.ScalingFactor);
            Assert.True(config is { MidBlockAddAttention: true, UseQuantConv: true, UsePostQuantConv: true });
        }
        Assert.Equal((512, 768), (first.SampleSize, second.SampleSize));
    }

    [Fact]
    public void TextEncoders()
    {
        ClipTextConfig first = Read(Text14, ConfigFiles.ReadClipText), second = Read(Text21, ConfigFiles.ReadClipText);
        Assert.Equal((49408, 768, 3072, 12, 12, 77),
            (first.VocabSize, first.HiddenSize, first.IntermediateSize, first.NumHiddenLayers, first.NumAttentionHeads,
            first.MaxPositionEmbeddings));
        Assert.Equal(("quick_gelu", 2, 1e-5, 512), (first.HiddenAct, first.EosTokenId, first.LayerNormEps, first.ProjectionDim));
        Assert.Equal((1024, 4096, 23, 16), (second.HiddenSize, second.IntermediateSize, second.NumHiddenLayers, second.NumAttentionHeads));
        Assert.Equal(("gelu", 2, 512), (second.HiddenAct, second.EosTokenId, second.ProjectionDim));
    }

    [Fact]
    public void ClipProjectsToTheOuterWidth()
    {
        (ClipTextConfig text, ClipVisionConfig vision) = Read(With(ClipLarge, "text_config.projection_dim", "512"), ConfigFiles.ReadClip);
        Assert.Equal((768, 768, 12, 768), (text.ProjectionDim, text.HiddenSize, text.NumHiddenLayers, vision.ProjectionDim));
        Assert.Equal((1024, 4096, 24, 16), (vision.HiddenSize, vision.IntermediateSize, vision.NumHiddenLayers, vision.NumAttentionHeads));
        Assert.Equal((3, 224, 14, "quick_gelu"), (vision.NumChannels, vision.ImageSize, vision.PatchSize, vision.HiddenAct));
    }

    [Fact]
    public void Schedulers()
    {
        SchedulerConfig pndm = Read(Scheduler14, ConfigFiles.ReadScheduler), ddim = Read(Scheduler21, ConfigFiles.ReadScheduler);
        Assert.Equal(("PNDMScheduler", "epsilon", "leading"), (pndm.ClassName, pndm.PredictionType, pndm.TimestepSpacing));
        Assert.Equal((1000, 0.00085, 0.012, "scaled_linear"), (pndm.NumTrainTimesteps, pndm.BetaStart, pndm.BetaEnd, pndm.BetaSchedule));
        Assert.Equal((false, 1), (pndm.SetAlphaToOne, pndm.StepsOffset));
        Assert.Equal(("DDIMScheduler", "v_prediction", false, 1),
            (ddim.ClassName, ddim.PredictionType, ddim.SetAlphaToOne, ddim.StepsOffset));
        Assert.Equal(pndm, Read(Scheduler20Base, ConfigFiles.ReadScheduler));

        SchedulerConfig dpm = Read(SchedulerDpm, ConfigFiles.ReadScheduler), euler = Read(SchedulerEuler, ConfigFiles.ReadScheduler);
        Assert.Equal(("DPMSolverMultistepScheduler", "leading", true), (dpm.ClassName, dpm.TimestepSpacing, dpm.UseKarrasSigmas));
        Assert.Equal(("EulerDiscreteScheduler", "linspace", false), (euler.ClassName, euler.TimestepSpacing, euler.UseKarrasSigmas));
    }

    [Theory]
    [InlineData("DDIMScheduler", "leading", true)]
    [InlineData("PNDMScheduler", "leading", false)]
    [InlineData("EulerDiscreteScheduler", "linspace", false)]
    [InlineData("DPMSolverMultistepScheduler", "linspace", false)]
    public void SchedulerDefaultsAreTheClasses(string name, string spacing, bool setAlphaToOne)
    {
        SchedulerConfig config =
            Read($$"""{ "_class_name": "{{name}}", "clip_sample": false, "skip_prk_steps": true }""", ConfigFiles.ReadScheduler);
        Assert.Equal((spacing, setAlphaToOne, 1), (config.TimestepSpacing, config.SetAlphaToOne, config.StepsOffset));
        Assert.Equal((1000, 0.0001, 0.02, "linear", "epsilon"),
            (config.NumTrainTimesteps, config.BetaStart, config.BetaEnd, config.BetaSchedule, config.PredictionType));
    }

    [Theory]
    [InlineData("single")]
    [InlineData("sharded")]
    [InlineData("fp16")]
    public void GoldenCheckpoints(string name)
    {
        UNetConfig config = ConfigFiles.ReadUNet(Golden.PathOf($"checkpoints/{name}/config.json"));
        Assert.Equal([8, 16], config.BlockOutChannels);
        Assert.Equal([2, 2], config.NumAttentionHeads);
    }

    [Fact]
    public void BuiltInClip()
    {
        (ClipTextConfig text, ClipVisionConfig vision) = ConfigFiles.ReadClip(Path.Combine(Golden.EmojiModel, "clip", "config.json"));
        Assert.Equal((1214, 1213, 32, 128), (text.VocabSize, text.EosTokenId, text.MaxPositionEmbeddings, text.ProjectionDim));
        Assert.Equal((64, 8), (vision.ImageSize, vision.PatchSize));
    }
}
