using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>What a block's attentions are made of.</summary>
/// <param name="Layers">Transformer blocks one after the other.</param>
internal readonly record struct Attending(int Heads, int Layers);

/// <summary>What every block of a UNet is built from, besides its own channels.</summary>
internal sealed record BlockSettings(UNetConfig Config, int TimeWidth)
{
    public ResnetBlock2D Resnet(int input, int output) => new(input, output, Config.NormNumGroups, Config.NormEps, TimeWidth);

    public Transformer2DModel Transformer(int channels, Attending attending) => new(channels, Config.CrossAttentionDim, attending.Heads,
        Config.NormNumGroups, Config.UseLinearProjection, Config.UpcastAttention, attending.Layers);
}
