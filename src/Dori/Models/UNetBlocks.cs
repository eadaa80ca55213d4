using Dori.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>What every block of a UNet is built from, besides its own channels.</summary>
internal sealed record BlockSettings(UNetConfig Config, int TimeWidth)
{
    public ResnetBlock2D Resnet(int input, int output) => new(input, output, Config.NormNumGroups, Config.NormEps, TimeWidth);

    public Transformer2DModel Transformer(int channels, int heads) =>
        new(channels, Config.CrossAttentionDim, heads, Config.NormNumGroups, Config.UseLinearProjection, Config.UpcastAttention);
}

/// <summary>CrossAttnDownBlock2D, or DownBlock2D where it has no attentions.</summary>
internal sealed class UNetDownBlock : nn.Module
{
    private readonly ModuleList<ResnetBlock2D> resnets = nn.ModuleList<ResnetBlock2D>();
    private readonly ModuleList<Transformer2DModel>? attentions;
    private readonly ModuleList<Downsample2D>? downsamplers;

    public UNetDownBlock(BlockSettings settings, int input, int output, int? heads, bool downsample) : base(nameof(UNetDownBlock))
    {
        if (heads is not null) attentions = nn.ModuleList<Transformer2DModel>();
        for (int i = 0; i < settings.Config.LayersPerBlock; i++)
        {
            resnets.Add(settings.Resnet(i == 0 ? input : output, output));
            if (heads is { } count) attentions!.Add(settings.Transformer(output, count));
        }
        if (downsample) downsamplers = nn.ModuleList(new Downsample2D(output, padAfter: false));
        RegisterComponents();
    }

    /// <summary>Pushes every intermediate result for the up blocks; the last one pushed is the block's own.</summary>
    public Tensor call(Tensor x, Tensor time, Tensor context, Stack<Tensor> skips)
    {
        for (int i = 0; i < resnets.Count; i++)
        {
            x = resnets[i].call(x, time); // (N, C, H, W)
            if (attentions is not null)
                using (Tensor before = x) x = attentions[i].call(before, context);
            skips.Push(x);
        }
        if (downsamplers is null) return x;
        x = downsamplers[0].call(x); // (N, C, H/2, W/2)
        skips.Push(x);
        return x;
    }
}

/// <summary>UNetMidBlock2DCrossAttn.</summary>
internal sealed class UNetMidBlock : nn.Module
{
    private readonly ModuleList<Transformer2DModel> attentions;
    private readonly ModuleList<ResnetBlock2D> resnets;

    public UNetMidBlock(BlockSettings settings, int channels, int heads) : base(nameof(UNetMidBlock))
    {
        attentions = nn.ModuleList(settings.Transformer(channels, heads));
        resnets = nn.ModuleList(settings.Resnet(channels, channels), settings.Resnet(channels, channels));
        RegisterComponents();
    }

    public Tensor call(Tensor x, Tensor time, Tensor context)
    {
        using Tensor first = resnets[0].call(x, time), attended = attentions[0].call(first, context); // (N, C, H, W)
        return resnets[1].call(attended, time);
    }
}

/// <summary>CrossAttnUpBlock2D, or UpBlock2D where it has no attentions.</summary>
internal sealed class UNetUpBlock : nn.Module
{
    private readonly ModuleList<ResnetBlock2D> resnets = nn.ModuleList<ResnetBlock2D>();
    private readonly ModuleList<Transformer2DModel>? attentions;
    private readonly ModuleList<Upsample2D>? upsamplers;

    /// <param name="input">Channels of the level's own skip connections below: those of the encoder level that mirrors the next block.</param>
    /// <param name="previous">Channels that come from the block below.</param>
    public UNetUpBlock(BlockSettings settings, int input, int previous, int output, int? heads, bool upsample) : base(nameof(UNetUpBlock))
    {
        int layers = settings.Config.LayersPerBlock + 1;
        if (heads is not null) attentions = nn.ModuleList<Transformer2DModel>();
        for (int i = 0; i < layers; i++)
        {
            int skip = i == layers - 1 ? input : output;
            resnets.Add(settings.Resnet((i == 0 ? previous : output) + skip, output));
            if (heads is { } count) attentions!.Add(settings.Transformer(output, count));
        }
        if (upsample) upsamplers = nn.ModuleList(new Upsample2D(output));
        RegisterComponents();
    }

    /// <summary>Takes one skip connection a layer off the stack. Owns, and disposes, x and what it takes.</summary>
    public Tensor call(Tensor x, Tensor time, Tensor context, Stack<Tensor> skips)
    {
        for (int i = 0; i < resnets.Count; i++)
        {
            using (Tensor below = x, skip = skips.Pop(), joined = cat([below, skip], 1)) // (N, C + skip, H, W)
                x = resnets[i].call(joined, time);
            if (attentions is not null)
                using (Tensor before = x) x = attentions[i].call(before, context);
        }
        if (upsamplers is null) return x;
        using Tensor small = x;
        return upsamplers[0].call(small, (skips.Peek().shape[2], skips.Peek().shape[3]));
    }
}
