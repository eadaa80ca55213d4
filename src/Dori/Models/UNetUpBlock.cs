using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>CrossAttnUpBlock2D, or UpBlock2D where it has no attentions.</summary>
internal sealed class UNetUpBlock : nn.Module
{
    private readonly ModuleList<ResnetBlock2D> resnets = nn.ModuleList<ResnetBlock2D>();
    private readonly ModuleList<Transformer2DModel>? attentions;
    private readonly ModuleList<Upsample2D>? upsamplers;

    /// <param name="input">Channels of the level's own skip connections below: those of the encoder level that mirrors the next
    /// block.</param>
    /// <param name="previous">Channels that come from the block below.</param>
    public UNetUpBlock(BlockSettings settings, int input, int previous, int output, Attending? attending, bool upsample)
        : base(nameof(UNetUpBlock))
    {
        int layers = settings.Config.LayersPerBlock + 1;
        if (attending is not null) attentions = nn.ModuleList<Transformer2DModel>();
        for (int i = 0; i < layers; i++)
        {
            int skip = i == layers - 1 ? input : output;
            resnets.Add(settings.Resnet((i == 0 ? previous : output) + skip, output));
            if (attending is { } how) attentions!.Add(settings.Transformer(output, how));
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
