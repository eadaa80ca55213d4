using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>CrossAttnDownBlock2D, or DownBlock2D where it has no attentions.</summary>
internal sealed class UNetDownBlock : nn.Module
{
    private readonly ModuleList<ResnetBlock2D> resnets = nn.ModuleList<ResnetBlock2D>();
    private readonly ModuleList<Transformer2DModel>? attentions;
    private readonly ModuleList<Downsample2D>? downsamplers;

    public UNetDownBlock(BlockSettings settings, int input, int output, Attending? attending, bool downsample) : base(nameof(UNetDownBlock))
    {
        if (attending is not null) attentions = nn.ModuleList<Transformer2DModel>();
        for (int i = 0; i < settings.Config.LayersPerBlock; i++)
        {
            resnets.Add(settings.Resnet(i == 0 ? input : output, output));
            if (attending is { } how) attentions!.Add(settings.Transformer(output, how));
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
