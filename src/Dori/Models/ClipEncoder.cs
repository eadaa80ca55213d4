using Dori.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>CLIP's self-attention; its keys differ from <see cref="Attention"/>'s.</summary>
internal sealed class ClipAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear k_proj, v_proj, q_proj, out_proj;
    private readonly int _heads;
    private readonly bool _causal;

    public ClipAttention(int width, int heads, bool causal) : base(nameof(ClipAttention))
    {
        k_proj = new Linear(width, width);
        v_proj = new Linear(width, width);
        q_proj = new Linear(width, width);
        out_proj = new Linear(width, width);
        (_heads, _causal) = (heads, causal);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor mixed =
            F.scaled_dot_product_attention(Split(q_proj.call(x)), Split(k_proj.call(x)), Split(v_proj.call(x)), is_casual: _causal);
        return out_proj.call(mixed.transpose(1, 2).reshape(x.shape)).MoveToOuterDisposeScope(); // (N, T, width)
    }

    private Tensor Split(Tensor x) => x.view(x.shape[0], x.shape[1], _heads, -1).transpose(1, 2); // (N, heads, T, d)
}

internal sealed class ClipMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1, fc2;
    private readonly bool _quick;

    /// <param name="activation"><c>quick_gelu</c>: x sigmoid(1.702 x); or <c>gelu</c></param>
    public ClipMlp(int width, int inner, string activation) : base(nameof(ClipMlp))
    {
        fc1 = new Linear(width, inner);
        fc2 = new Linear(inner, width);
        _quick = activation == "quick_gelu";
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor h = fc1.call(x); // (N, T, inner)
        return fc2.call(_quick ? h * h.Times(1.702).sigmoid() : F.gelu(h)).MoveToOuterDisposeScope();
    }
}

internal sealed class ClipEncoderLayer : nn.Module<Tensor, Tensor>
{
    private readonly ClipAttention self_attn;
    private readonly LayerNorm layer_norm1, layer_norm2;
    private readonly ClipMlp mlp;

    public ClipEncoderLayer(int width, int inner, int heads, string activation, double eps, bool causal) : base(nameof(ClipEncoderLayer))
    {
        self_attn = new ClipAttention(width, heads, causal);
        layer_norm1 = new LayerNorm(width, eps);
        mlp = new ClipMlp(width, inner, activation);
        layer_norm2 = new LayerNorm(width, eps);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = x.Plus(self_attn.call(layer_norm1.call(x)));
        return x.Plus(mlp.call(layer_norm2.call(x))).MoveToOuterDisposeScope();
    }
}

/// <summary>The transformer that both of CLIP's towers share. Consumes its input.</summary>
internal sealed class ClipEncoder : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ClipEncoderLayer> layers = nn.ModuleList<ClipEncoderLayer>();

    public ClipEncoder(int count, int width, int inner, int heads, string activation, double eps, bool causal) : base(nameof(ClipEncoder))
    {
        for (int i = 0; i < count; i++) layers.Add(new ClipEncoderLayer(width, inner, heads, activation, eps, causal));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        (Tensor before, Tensor last) = CallBoth(x);
        before.Dispose();
        return last;
    }

    /// <summary>The last layer's input and its output.</summary>
    public (Tensor Before, Tensor Last) CallBoth(Tensor x)
    {
        foreach (ClipEncoderLayer layer in layers.Take(layers.Count - 1))
            using (Tensor before = x) x = layer.call(before);
        return (x, layers[^1].call(x));
    }
}
