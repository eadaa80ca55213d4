using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>Multi-head attention over tokens, self or cross.</summary>
internal sealed class Attention : nn.Module
{
    private readonly Linear to_q, to_k, to_v;
    private readonly ModuleList<nn.Module<Tensor, Tensor>> to_out;
    private readonly int _heads;
    private readonly bool _upcast;

    /// <param name="width">Width of the queries' tokens; also the heads' total width.</param>
    /// <param name="contextWidth">Width of the tokens that keys and values come from.</param>
    public Attention(int width, int contextWidth, int heads, bool upcast = false, bool qkvBias = false) : base(nameof(Attention))
    {
        to_q = new Linear(width, width, qkvBias);
        to_k = new Linear(contextWidth, width, qkvBias);
        to_v = new Linear(contextWidth, width, qkvBias);
        to_out = nn.ModuleList<nn.Module<Tensor, Tensor>>(new Linear(width, width), new NoWeights());
        (_heads, _upcast) = (heads, upcast);
        RegisterComponents();
    }

    /// <param name="x">(N, L, width)</param>
    /// <param name="context">
    /// (E, T, contextWidth) where E divides N: row e serves the N/E consecutive rows of x from e N/E on,
    /// and is projected once however many they are. Null: x itself.
    /// </param>
    /// <returns>(N, L, width)</returns>
    public Tensor call(Tensor x, Tensor? context = null)
    {
        using var scope = NewDisposeScope();
        long n = x.shape[0];
        Tensor q = Split(to_q.call(x)); // (N, heads, L, d)
        Tensor k = Spread(Split(to_k.call(context ?? x)), n); // (N, heads, T, d)
        Tensor v = Spread(Split(to_v.call(context ?? x)), n);
        ScalarType dtype = x.dtype;
        // What overflows is float16: bfloat16 has float32's range, and would lose the fast attention for nothing.
        if (_upcast && dtype == float16) (q, k, v) = (q.to(float32), k.to(float32), v.to(float32));
        Tensor mixed = InBlocks(q, k) ? Mixed(q, k, v) : F.scaled_dot_product_attention(q, k, v); // (N, heads, L, d)
        foreach (Tensor used in new[] { q, k, v }) used.Dispose();
        Tensor joined = mixed.Into(own => own.transpose(1, 2).reshape(n, x.shape[1], -1).to(dtype)); // (N, L, width)
        return joined.Into(to_out[0]).MoveToOuterDisposeScope();
    }

    private const long LongSequence = 1024, BlockRows = 256;

    /// <summary>
    /// libtorch's fused attention computes bfloat16 on the CPU at float32's rate; written out as matrix products a long sequence takes half
    /// the time. Without gradients alone: the scores of all blocks would have to be kept for them.
    /// </summary>
    private static bool InBlocks(Tensor q, Tensor k) =>
        q.dtype == bfloat16 && q.device.type == DeviceType.CPU && q.shape[2] >= LongSequence && k.shape[2] >= LongSequence
            && !(is_grad_enabled() && (q.requires_grad || k.requires_grad));

    /// <summary>softmax(q k' / sqrt(d)) v, some rows of one head at a time.</summary>
    /// <param name="q">(N, heads, L, d)</param>
    /// <returns>(N, heads, L, d)</returns>
    internal static Tensor Mixed(Tensor q, Tensor k, Tensor v)
    {
        using var scope = NewDisposeScope();
        long n = q.shape[0], heads = q.shape[1], rows = q.shape[2], d = q.shape[3];
        Tensor mixed = empty([n, heads, rows, d], q.dtype, q.device), none = empty([1L], q.dtype, q.device);
        for (long i = 0; i < n; i++)
            for (long h = 0; h < heads; h++)
            {
                using var inner = NewDisposeScope();
                Tensor keys = k[i][h].t(), values = v[i][h].contiguous(); // (d, T), (T, d)
                for (long at = 0; at < rows; at += BlockRows)
                {
                    using var block = NewDisposeScope();
                    long count = Math.Min(BlockRows, rows - at);
                    Tensor scores = none.addmm(q[i][h].narrow(0, at, count), keys, beta: 0, alpha: (float)(1 / Math.Sqrt(d))); // (count, T)
                    mixed[i][h].narrow(0, at, count).copy_(scores.softmax(-1).mm(values));
                }
            }
        return mixed.MoveToOuterDisposeScope();
    }

    private Tensor Split(Tensor x) => x.view(x.shape[0], x.shape[1], _heads, -1).transpose(1, 2); // (E, heads, T, d)

    private static Tensor Spread(Tensor x, long n)
    {
        long e = x.shape[0];
        if (e == n) return x;
        if (e == 1) return x.expand(n, -1, -1, -1);
        return x.unsqueeze(1).expand(-1, n / e, -1, -1, -1).reshape(n, x.shape[1], x.shape[2], x.shape[3]);
    }
}
