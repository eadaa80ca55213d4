using Dori.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>One-head attention over the pixels in the middle of encoder and decoder.</summary>
internal sealed class VaeAttention : nn.Module<Tensor, Tensor>
{
    private readonly GroupNorm group_norm;
    private readonly Linear to_q, to_k, to_v;
    private readonly ModuleList<nn.Module<Tensor, Tensor>> to_out;

    public VaeAttention(int channels, int groups) : base(nameof(VaeAttention))
    {
        group_norm = new GroupNorm(groups, channels, VaeEps.Value);
        to_q = new Linear(channels, channels);
        to_k = new Linear(channels, channels);
        to_v = new Linear(channels, channels);
        to_out = nn.ModuleList<nn.Module<Tensor, Tensor>>(new Linear(channels, channels), new NoWeights());
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        long n = x.shape[0], c = x.shape[1], h = x.shape[2], w = x.shape[3];
        Tensor tokens = group_norm.call(x).view(n, c, h * w).transpose(1, 2); // (N, H W, C)
        Tensor mixed = F.scaled_dot_product_attention(
            to_q.call(tokens).unsqueeze(1), to_k.call(tokens).unsqueeze(1), to_v.call(tokens).unsqueeze(1)).squeeze(1);
        return x.Plus(to_out[0].call(mixed).transpose(1, 2).reshape(n, c, h, w)).MoveToOuterDisposeScope();
    }
}

/// <summary>Every group norm of the autoencoder uses the same epsilon, which its config does not name.</summary>
internal static class VaeEps
{
    public const double Value = 1e-6;
}

internal sealed class VaeMidBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<VaeAttention>? attentions;
    private readonly ModuleList<ResnetBlock2D> resnets;

    public VaeMidBlock(int channels, VaeConfig config) : base(nameof(VaeMidBlock))
    {
        if (config.MidBlockAddAttention) attentions = nn.ModuleList(new VaeAttention(channels, config.NormNumGroups));
        resnets = nn.ModuleList(
            new ResnetBlock2D(channels, channels, config.NormNumGroups, VaeEps.Value, null),
            new ResnetBlock2D(channels, channels, config.NormNumGroups, VaeEps.Value, null));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor h = resnets[0].call(x);
        if (attentions is not null) h = h.Into(attentions[0]);
        return resnets[1].call(h).MoveToOuterDisposeScope();
    }
}

internal sealed class VaeDownBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets = nn.ModuleList<ResnetBlock2D>();
    private readonly ModuleList<Downsample2D>? downsamplers;

    public VaeDownBlock(int input, int output, VaeConfig config, bool downsample) : base(nameof(VaeDownBlock))
    {
        for (int i = 0; i < config.LayersPerBlock; i++)
            resnets.Add(new ResnetBlock2D(i == 0 ? input : output, output, config.NormNumGroups, VaeEps.Value, null));
        if (downsample) downsamplers = nn.ModuleList(new Downsample2D(output, padAfter: true));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor h = resnets[0].call(x);
        foreach (ResnetBlock2D resnet in resnets.Skip(1)) h = h.Into(own => resnet.call(own));
        if (downsamplers is not null) h = h.Into(own => downsamplers[0].call(own));
        return h.MoveToOuterDisposeScope();
    }
}

internal sealed class VaeUpBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets = nn.ModuleList<ResnetBlock2D>();
    private readonly ModuleList<Upsample2D>? upsamplers;

    public VaeUpBlock(int input, int output, VaeConfig config, bool upsample) : base(nameof(VaeUpBlock))
    {
        for (int i = 0; i < config.LayersPerBlock + 1; i++)
            resnets.Add(new ResnetBlock2D(i == 0 ? input : output, output, config.NormNumGroups, VaeEps.Value, null));
        if (upsample) upsamplers = nn.ModuleList(new Upsample2D(output));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor h = resnets[0].call(x);
        foreach (ResnetBlock2D resnet in resnets.Skip(1)) h = h.Into(own => resnet.call(own));
        if (upsamplers is not null) h = h.Into(own => upsamplers[0].call(own));
        return h.MoveToOuterDisposeScope();
    }
}

internal sealed class VaeEncoder : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in, conv_out;
    private readonly ModuleList<VaeDownBlock> down_blocks = nn.ModuleList<VaeDownBlock>();
    private readonly VaeMidBlock mid_block;
    private readonly GroupNorm conv_norm_out;

    public VaeEncoder(VaeConfig config) : base(nameof(VaeEncoder))
    {
        IReadOnlyList<int> channels = config.BlockOutChannels;
        conv_in = new Conv2d(config.InChannels, channels[0], 3, padding: 1);
        for (int i = 0; i < channels.Count; i++)
            down_blocks.Add(new VaeDownBlock(channels[Math.Max(i - 1, 0)], channels[i], config, downsample: i < channels.Count - 1));
        mid_block = new VaeMidBlock(channels[^1], config);
        conv_norm_out = new GroupNorm(config.NormNumGroups, channels[^1], VaeEps.Value);
        conv_out = new Conv2d(channels[^1], 2 * config.LatentChannels, 3, padding: 1);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = conv_in.call(x); // (N, C, H, W)
        foreach (VaeDownBlock block in down_blocks) x = x.Into(block);
        x = x.Into(mid_block); // (N, C', H/8, W/8)
        return x.Into(conv_norm_out).IntoSilu().Into(conv_out).MoveToOuterDisposeScope();
    }
}

internal sealed class VaeDecoder : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in, conv_out;
    private readonly VaeMidBlock mid_block;
    private readonly ModuleList<VaeUpBlock> up_blocks = nn.ModuleList<VaeUpBlock>();
    private readonly GroupNorm conv_norm_out;

    public VaeDecoder(VaeConfig config) : base(nameof(VaeDecoder))
    {
        int[] channels = [.. config.BlockOutChannels.Reverse()];
        conv_in = new Conv2d(config.LatentChannels, channels[0], 3, padding: 1);
        mid_block = new VaeMidBlock(channels[0], config);
        for (int i = 0; i < channels.Length; i++)
            up_blocks.Add(new VaeUpBlock(channels[Math.Max(i - 1, 0)], channels[i], config, upsample: i < channels.Length - 1));
        conv_norm_out = new GroupNorm(config.NormNumGroups, channels[^1], VaeEps.Value);
        conv_out = new Conv2d(channels[^1], config.OutChannels, 3, padding: 1);
        RegisterComponents();
    }

    public override Tensor forward(Tensor z)
    {
        using var scope = NewDisposeScope();
        Tensor x = conv_in.call(z).Into(mid_block); // (N, C', H/8, W/8)
        foreach (VaeUpBlock block in up_blocks) x = x.Into(block);
        return x.Into(conv_norm_out).IntoSilu().Into(conv_out).MoveToOuterDisposeScope(); // (N, 3, H, W)
    }
}

/// <summary>The autoencoder between pictures and latents. Field names are the checkpoint's keys.</summary>
public sealed class AutoencoderKL : nn.Module
{
    private readonly VaeEncoder encoder;
    private readonly VaeDecoder decoder;
    private readonly Conv2d? quant_conv, post_quant_conv;

    public VaeConfig Config { get; }

    public AutoencoderKL(VaeConfig config) : base(nameof(AutoencoderKL))
    {
        Config = config;
        encoder = new VaeEncoder(config);
        decoder = new VaeDecoder(config);
        if (config.UseQuantConv) quant_conv = new Conv2d(2 * config.LatentChannels, 2 * config.LatentChannels, 1);
        if (config.UsePostQuantConv) post_quant_conv = new Conv2d(config.LatentChannels, config.LatentChannels, 1);
        RegisterComponents();
    }

    /// <summary>Height and width of a picture over those of its latents: 8 for Stable Diffusion.</summary>
    public int Scale => 1 << (Config.BlockOutChannels.Count - 1);

    /// <param name="pictures">(N, 3, H, W) in [-1, 1]; H and W divisible by <see cref="Scale"/></param>
    /// <returns>Posterior mean and standard deviation, (N, 4, H/8, W/8) each, not scaled</returns>
    public (Tensor Mean, Tensor Std) Encode(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        Tensor moments = encoder.call(pictures);
        if (quant_conv is not null) moments = quant_conv.call(moments);
        (Tensor mean, Tensor logVariance) = moments.Halves(1);
        Tensor std = logVariance.Clamp(-30, 20).Times(0.5).exp();
        return (mean.contiguous().MoveToOuterDisposeScope(), std.MoveToOuterDisposeScope());
    }

    /// <param name="latents">(N, 4, h, w), not scaled</param>
    /// <returns>(N, 3, 8 h, 8 w), about [-1, 1]</returns>
    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        return decoder.call(post_quant_conv is null ? latents : post_quant_conv.call(latents)).MoveToOuterDisposeScope();
    }
}
