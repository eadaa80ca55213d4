using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>Two convolutions with a shortcut; the time embedding, where there is one, is added between them.</summary>
internal sealed class ResnetBlock2D : nn.Module
{
    private readonly GroupNorm norm1, norm2;
    private readonly Conv2d conv1, conv2;
    private readonly Linear? time_emb_proj;
    private readonly Conv2d? conv_shortcut;

    public ResnetBlock2D(int input, int output, int groups, double eps, int? timeWidth) : base(nameof(ResnetBlock2D))
    {
        norm1 = new GroupNorm(groups, input, eps);
        conv1 = new Conv2d(input, output, 3, padding: 1);
        if (timeWidth is { } width) time_emb_proj = new Linear(width, output);
        norm2 = new GroupNorm(groups, output, eps);
        conv2 = new Conv2d(output, output, 3, padding: 1);
        if (input != output) conv_shortcut = new Conv2d(input, output, 1);
        RegisterComponents();
    }

    /// <param name="x">(N, C, H, W)</param>
    /// <param name="activatedTime">(N or 1, timeWidth): SiLU of the time embedding, the same for every block</param>
    public Tensor call(Tensor x, Tensor? activatedTime = null)
    {
        using var scope = NewDisposeScope();
        Tensor h = norm1.call(x).IntoSilu().Into(conv1); // (N, C', H, W)
        if (time_emb_proj is not null)
            h = h.Into(own => own.Plus(time_emb_proj.call(activatedTime!).unsqueeze(-1).unsqueeze(-1)));
        h = h.Into(norm2).IntoSilu().Into(conv2);
        return h.Into(own => own.Plus(conv_shortcut is null ? x : conv_shortcut.call(x))).MoveToOuterDisposeScope();
    }
}

/// <summary>Halves height and width.</summary>
internal sealed class Downsample2D : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv;
    private readonly bool _padAfter;

    /// <param name="padAfter">The VAE's encoder pads right and bottom only; the UNet pads all around.</param>
    public Downsample2D(int channels, bool padAfter) : base(nameof(Downsample2D))
    {
        conv = new Conv2d(channels, channels, 3, stride: 2, padding: padAfter ? 0 : 1);
        _padAfter = padAfter;
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        if (!_padAfter) return conv.call(input);
        using Tensor padded = F.pad(input, [0, 1, 0, 1]);
        return conv.call(padded);
    }
}

/// <summary>Doubles height and width (nearest neighbour, then a convolution).</summary>
internal sealed class Upsample2D : nn.Module
{
    private readonly Conv2d conv;

    public Upsample2D(int channels) : base(nameof(Upsample2D))
    {
        conv = new Conv2d(channels, channels, 3, padding: 1);
        RegisterComponents();
    }

    /// <param name="x">(N, C, H, W)</param>
    /// <param name="size">Height and width wanted, where the skip connection's are not exactly twice H and W.</param>
    public Tensor call(Tensor x, (long Height, long Width)? size = null)
    {
        (long height, long width) = size ?? (2 * x.shape[2], 2 * x.shape[3]);
        using Tensor large = F.interpolate(x, [height, width], mode: InterpolationMode.Nearest);
        return conv.call(large);
    }
}
