using Dori.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>GEGLU (Shazeer 2020): half of the projection gates the other half.</summary>
internal sealed class GeGlu : nn.Module<Tensor, Tensor>
{
    private readonly Linear proj;

    public GeGlu(int width, int inner) : base(nameof(GeGlu))
    {
        proj = new Linear(width, 2 * inner);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        (Tensor value, Tensor gate) = proj.call(input).Halves(-1); // (N, L, inner) each
        return F.gelu(gate).Into(open => value * open).MoveToOuterDisposeScope();
    }
}

internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<nn.Module<Tensor, Tensor>> net;

    public FeedForward(int width) : base(nameof(FeedForward))
    {
        net = nn.ModuleList<nn.Module<Tensor, Tensor>>(new GeGlu(width, 4 * width), new NoWeights(), new Linear(4 * width, width));
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using Tensor hidden = net[0].call(input); // (N, L, 4 width)
        return net[2].call(hidden);
    }
}

/// <summary>Self-attention, cross-attention and feed-forward, each on a normalised input and added to it.</summary>
internal sealed class BasicTransformerBlock : nn.Module
{
    private readonly LayerNorm norm1, norm2, norm3;
    private readonly Attention attn1, attn2;
    private readonly FeedForward ff;

    public BasicTransformerBlock(int width, int contextWidth, int heads, bool upcast) : base(nameof(BasicTransformerBlock))
    {
        norm1 = new LayerNorm(width);
        attn1 = new Attention(width, width, heads, upcast);
        norm2 = new LayerNorm(width);
        attn2 = new Attention(width, contextWidth, heads, upcast);
        norm3 = new LayerNorm(width);
        ff = new FeedForward(width);
        RegisterComponents();
    }

    /// <param name="x">(N, L, width)</param>
    /// <param name="context">(E, T, contextWidth), E divides N</param>
    public Tensor call(Tensor x, Tensor context)
    {
        using var scope = NewDisposeScope();
        Tensor own = norm1.call(x).Into(normed => attn1.call(normed)).Into(part => x.Plus(part));
        own = own.Into(before => norm2.call(before).Into(normed => attn2.call(normed, context)).Into(part => before.Plus(part)));
        own = own.Into(before => norm3.call(before).Into(ff).Into(part => before.Plus(part)));
        return own.MoveToOuterDisposeScope();
    }
}

/// <summary>A transformer over the pixels of a feature map, conditioned on the text embedding.</summary>
internal sealed class Transformer2DModel : nn.Module
{
    private readonly GroupNorm norm;
    private readonly nn.Module<Tensor, Tensor> proj_in, proj_out;
    private readonly ModuleList<BasicTransformerBlock> transformer_blocks;
    private readonly bool _linear;

    public Transformer2DModel(int channels, int contextWidth, int heads, int groups, bool linear, bool upcast, int layers)
        : base(nameof(Transformer2DModel))
    {
        norm = new GroupNorm(groups, channels, 1e-6);
        proj_in = linear ? new Linear(channels, channels) : new Conv2d(channels, channels, 1);
        transformer_blocks = nn.ModuleList(
            Enumerable.Range(0, layers).Select(_ => new BasicTransformerBlock(channels, contextWidth, heads, upcast)).ToArray());
        proj_out = linear ? new Linear(channels, channels) : new Conv2d(channels, channels, 1);
        _linear = linear;
        RegisterComponents();
    }

    /// <param name="x">(N, C, H, W)</param>
    /// <param name="context">(E, T, contextWidth), E divides N</param>
    /// <returns>(N, C, H, W)</returns>
    public Tensor call(Tensor x, Tensor context)
    {
        using var scope = NewDisposeScope();
        long n = x.shape[0], c = x.shape[1], h = x.shape[2], w = x.shape[3];
        Tensor tokens = norm.call(x);
        if (!_linear) tokens = tokens.Into(proj_in);
        tokens = tokens.Into(map => map.permute(0, 2, 3, 1).reshape(n, h * w, c)); // (N, H W, C)
        if (_linear) tokens = tokens.Into(proj_in);
        foreach (BasicTransformerBlock block in transformer_blocks) tokens = tokens.Into(own => block.call(own, context));
        if (_linear) tokens = tokens.Into(proj_out);
        tokens = tokens.Into(own => own.reshape(n, h, w, c).permute(0, 3, 1, 2)); // (N, C, H, W)
        if (!_linear) tokens = tokens.Into(map => map.contiguous()).Into(proj_out);
        return tokens.Into(own => own.Plus(x)).MoveToOuterDisposeScope();
    }
}
