using System.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Support;

/// <summary>Golden files, and the hash-filled values that their inputs and weights are made of (Goldens/README.md).</summary>
internal static class Golden
{
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Goldens");

    public static string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>The built-in model: copied beside the command line's assembly.</summary>
    public static string EmojiModel { get; } = Path.Combine(AppContext.BaseDirectory, "models", "emoji");

    /// <summary>Uniform values in [-1, 1), a function of the name alone.</summary>
    public static Tensor Hashed(string name, params long[] shape) => tensor(HashedValues(name, Elements(shape)), shape);

    /// <summary>Unit variance.</summary>
    public static Tensor Rand(string name, params long[] shape) => tensor(HashedValues(name, Elements(shape), MathF.Sqrt(3)), shape);

    private static long Elements(long[] shape) => shape.Aggregate(1L, (a, b) => a * b);

    public static float[] HashedValues(string name, long count, float scale = 1, float offset = 0)
    {
        ulong h = Fnv1a(name);
        var values = new float[count];
        Parallel.For(0, (count + 65535) / 65536, block =>
        {
            for (long i = block * 65536; i < Math.Min(count, (block + 1) * 65536); i++)
            {
                ulong z = h + (ulong)(i + 1) * 0x9E3779B97F4A7C15;
                z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
                z ^= z >> 31;
                values[i] = ((z >> 40) * (1f / (1 << 23)) - 1) * scale + offset;
            }
        });
        return values;
    }

    public static ulong Fnv1a(string name)
    {
        ulong h = 0xcbf29ce484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name)) h = (h ^ b) * 0x100000001b3;
        return h;
    }

    /// <summary>The weight that the goldens were computed with, from its full name (prefix + parameter name).</summary>
    public static Tensor Weight(string name, params long[] shape)
    {
        if (shape.Length >= 2) return tensor(HashedValues(name, Elements(shape), MathF.Sqrt(3f / (Elements(shape) / shape[0]))), shape);
        return tensor(HashedValues(name, Elements(shape), 0.1f, name.EndsWith("weight", StringComparison.Ordinal) ? 1 : 0), shape);
    }

    /// <summary>Norm of the difference over the norm of what is expected.</summary>
    public static double RelativeError(Tensor actual, Tensor expected)
    {
        Assert.Equal(expected.shape, actual.shape);
        using Tensor a = actual.to(float64), e = expected.to(float64);
        return (a - e).norm().item<double>() / e.norm().item<double>();
    }
}
