using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints.Adapters;

/// <summary>One low-rank change: dW = factor * up @ down, and through <c>mid</c> where a convolution is split in three (Tucker).</summary>
/// <param name="Weight">The weight's name in diffusers' terms; the text encoder's without <c>text_model.</c></param>
/// <param name="Shape">The weight's.</param>
/// <param name="File">Path of the file that holds the tensors.</param>
/// <param name="Alpha">As stored or configured; null: absent, taken as the rank.</param>
/// <param name="Factor">alpha / rank (alpha / sqrt(rank) where rank-stabilised)</param>
internal sealed record AdapterLayer(AdapterPart Part, string Weight, IReadOnlyList<long> Shape, string File, string Down, string Up,
    string? Mid, long Rank, double? Alpha, double Factor)
{
    /// <summary>
    /// W + scale * factor * up @ down. A convolution's kernel lies in <c>down</c> (r, in, k, k), or in <c>mid</c> (r, r, k, k): then the
    /// change is the sum over i and j of up[o, i] mid[i, j, y, x] down[j, c]. Source: kohya's networks/lora.py, LyCORIS'
    /// functional/locon.py.
    /// </summary>
    /// <param name="weight">float32, of <see cref="Shape"/>, or with 1 x 1 kernels left out</param>
    /// <returns>float32</returns>
    public Tensor AddTo(Tensor weight, double scale)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using SafetensorsFile file = SafetensorsFile.Open(File);
        Tensor down = Read(file, Down).flatten(1), up = Read(file, Up).flatten(1); // (r, in k k), (out, r)
        Tensor change;
        if (Mid is null) change = up.mm(down);
        else
        {
            Tensor mid = Read(file, Mid); // (i, j, k, k)
            long kernel = mid.shape[2] * mid.shape[3];
            Tensor left = up.mm(mid.flatten(1)).view(up.shape[0], mid.shape[1], kernel); // (out, j, k k)
            change = left.transpose(1, 2).matmul(down).transpose(1, 2); // (out, k k, in) -> (out, in, k k)
        }
        return weight.Plus(change.reshape(weight.shape).Times(scale * Factor)).MoveToOuterDisposeScope();
    }

    /// <summary>Why the tensors do not fit the weight; null where they do.</summary>
    public string? Misfit(IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        IReadOnlyList<long> down = tensors[Down].Shape, up = tensors[Up].Shape;
        IReadOnlyList<long>? mid = Mid is null ? null : tensors[Mid].Shape;
        string shapes = $"{Up} {Text(up)}{(mid is null ? "" : $", {Mid} {Text(mid)}")} and {Down} {Text(down)} for {Weight} {Text(Shape)}";
        if (down.Count < 2 || up.Count < 2 || down.Count > 4 || up.Count > 4) return shapes;
        if (up.Skip(2).Any(n => n != 1)) return $"the kernel lies in lora_up, which no trainer writes: {shapes}";
        long kernel = Elements(Shape.Skip(2)), downKernel = Elements(down.Skip(2));
        if (up[0] != Shape[0] || down[1] != Shape[1]) return shapes;
        if (mid is null) return up[1] == down[0] && downKernel == kernel && (kernel == 1 || down.Skip(2).SequenceEqual(Shape.Skip(2)))
            ? null : shapes;
        return mid.Count == 4 && mid[0] == up[1] && mid[1] == down[0] && downKernel == 1 && mid.Skip(2).SequenceEqual(Shape.Skip(2)) ? null
            : shapes;
    }

    private static Tensor Read(SafetensorsFile file, string name) => file.Read(name).to(float32);

    private static long Elements(IEnumerable<long> shape) => shape.Aggregate(1L, (a, b) => a * b);

    private static string Text(IEnumerable<long> shape) => $"({string.Join(", ", shape)})";
}
