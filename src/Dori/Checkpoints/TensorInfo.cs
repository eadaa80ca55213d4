using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>One tensor of a safetensors file, as its header describes it.</summary>
/// <param name="Name">The checkpoint's key.</param>
/// <param name="Dtype">As stored.</param>
/// <param name="Shape">Empty for a scalar.</param>
/// <param name="Offset">First byte of its data, from the start of the file.</param>
/// <param name="ByteCount">Elements times the dtype's size.</param>
internal sealed record TensorInfo(string Name, ScalarType Dtype, IReadOnlyList<long> Shape, long Offset, long ByteCount)
{
    /// <summary>Whether weights are stored so: anything else is quantised, or no weights.</summary>
    public bool IsFloat => Dtype is ScalarType.Float64 or ScalarType.Float32 or ScalarType.Float16 or ScalarType.BFloat16;
}

/// <summary>The dtypes of the safetensors format that libtorch has through TorchSharp.</summary>
internal static class SafetensorsDtypes
{
    internal readonly record struct Entry(string Name, ScalarType Dtype, int Size);

    /// <summary>In the order of the reference implementation's enumeration, turned around: the order in which it lays tensors
    /// out.</summary>
    public static IReadOnlyList<Entry> All { get; } =
    [
        new("I64", ScalarType.Int64, 8), new("F64", ScalarType.Float64, 8), new("F32", ScalarType.Float32, 4),
            new("I32", ScalarType.Int32, 4),
        new("BF16", ScalarType.BFloat16, 2), new("F16", ScalarType.Float16, 2), new("I16", ScalarType.Int16, 2),
        new("I8", ScalarType.Int8, 1), new("U8", ScalarType.Byte, 1), new("BOOL", ScalarType.Bool, 1),
    ];

    /// <returns>Index into <see cref="All"/>, -1 if the format or TorchSharp lacks it.</returns>
    public static int IndexOf(ScalarType dtype)
    {
        for (int i = 0; i < All.Count; i++)
        {
            if (All[i].Dtype == dtype) return i;
        }
        return -1;
    }
}
