using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>UNetMidBlock2DCrossAttn.</summary>
internal sealed class UNetMidBlock : nn.Module
{
    private readonly ModuleList<Transformer2DModel> attentions;
    private readonly ModuleList<ResnetBlock2D> resnets;

    public UNetMidBlock(BlockSettings settings, int channels, Attending attending) : base(nameof(UNetMidBlock))
    {
        attentions = nn.ModuleList(settings.Transformer(channels, attending));
        resnets = nn.ModuleList(settings.Resnet(channels, channels), settings.Resnet(channels, channels));
        RegisterComponents();
    }

    public Tensor call(Tensor x, Tensor time, Tensor context)
    {
        using Tensor first = resnets[0].call(x, time), attended = attentions[0].call(first, context); // (N, C, H, W)
        return resnets[1].call(attended, time);
    }
}
