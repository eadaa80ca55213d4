using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Native;

/// <summary>
/// Whether a libtorch of another minor version than the binding's does what it should: a structure that changed between the two would read
/// sizes, numbers or gradients wrongly, without an error.
/// </summary>
internal static class SelfTest
{
    private static readonly (ScalarType Type, int Bytes)[] s_sizes =
    [
        (ScalarType.Byte, 1), (ScalarType.Int8, 1), (ScalarType.Int16, 2), (ScalarType.Int32, 4), (ScalarType.Int64, 8),
        (ScalarType.Float16, 2), (ScalarType.BFloat16, 2), (ScalarType.Float32, 4), (ScalarType.Float64, 8), (ScalarType.Bool, 1),
    ];

    /// <summary>What <see cref="Network"/> gives with libtorch 2.10: its mean, and that of its squares.</summary>
    private static readonly float[] s_golden = [0.27264717f, 0.3015403f];

    /// <returns>What came out wrong, in a few words; null where all is well.</returns>
    public static string? Problem(Device device)
    {
        using var scope = NewDisposeScope();
        foreach ((ScalarType type, int bytes) in s_sizes)
        {
            using Tensor one = ones(2, dtype: type, device: device);
            if (one.ElementSize != bytes || one.numel() != 2) return $"a number of type {type} has {one.ElementSize} bytes";
            if (one.to(ScalarType.Float32).sum().cpu().item<float>() != 2) return $"numbers of type {type} are not read";
        }
        Tensor a = tensor(new float[] { 1, 2, 3, 4 }, [2, 2]).to(device), b = tensor(new float[] { 5, 6, 7, 8 }, [2, 2]).to(device);
        if (!Same(a.mm(b), 19, 22, 43, 50)) return "a product of two matrices is wrong";
        using var gradients = enable_grad();
        Tensor x = tensor(new float[] { 1, 2, 3, 4 }).to(device).requires_grad_();
        if (!Same(autograd.grad([(x * x * x).sum()], [x])[0], 3, 12, 27, 48)) return "a gradient is wrong";
        return Same(Network(device), s_golden) ? null : "a small network gives other numbers";
    }

    /// <summary>A convolution, a normalisation and an attention of numbers that need no file: what a UNet is made of.</summary>
    /// <returns>mean and mean of squares, float32</returns>
    internal static Tensor Network(Device device)
    {
        using var scope = NewDisposeScope();
        Tensor x = Wave(1, 4, 8, 8).to(device);
        Tensor h = nn.functional.conv2d(x, Wave(8, 4, 3, 3).to(device), padding: [1, 1]);
        h = nn.functional.silu(nn.functional.group_norm(h, 4, Wave(8).to(device), Wave(8).to(device)));
        Tensor rows = h.flatten(2).transpose(1, 2).view(1, 64, 2, 4).transpose(1, 2);
        Tensor y = nn.functional.scaled_dot_product_attention(rows, rows, rows);
        return stack([y.mean(), (y * y).mean()]).MoveToOuterDisposeScope();
    }

    /// <summary>sin 0, sin 1, sin 2, ...</summary>
    private static Tensor Wave(params long[] shape) => TensorMath.Range(shape.Aggregate((a, b) => a * b)).sin().view(shape);

    private static bool Same(Tensor actual, params float[] expected)
    {
        float[] values = actual.detach().cpu().data<float>().ToArray();
        return values.Length == expected.Length
            && values.Zip(expected, (a, b) => Math.Abs(a - b) <= 1e-4f * (1 + Math.Abs(b))).All(same => same);
    }
}
