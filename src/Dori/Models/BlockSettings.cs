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
