using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// All randomness of the project: a stream of numbers that depends on nothing but an identity, such as (seed, picture, start). Units that
/// are computed in any order, on any machine, with any number of threads, draw the same numbers; libtorch's own generators do not promise
/// that, as their kernels differ by processor and size. Not for use from several threads at once: derive a source for each.
/// </summary>
public sealed class RandomSource
{
    private readonly byte[] identity; // SHA-256
    private readonly uint key0, key1, stream0, stream1;
    private ulong block;
    private ulong spare;
    private bool hasSpare;

    private RandomSource(byte[] identity)
    {
        this.identity = identity;
        key0 = BinaryPrimitives.ReadUInt32LittleEndian(identity);
        key1 = BinaryPrimitives.ReadUInt32LittleEndian(identity.AsSpan(4));
        // The counter's upper half is identity too: 64 bits alone would be few for as many streams as an audit's units.
        stream0 = BinaryPrimitives.ReadUInt32LittleEndian(identity.AsSpan(8));
        stream1 = BinaryPrimitives.ReadUInt32LittleEndian(identity.AsSpan(12));
    }

    /// <param name="parts">The identity; ("ab", "c") and ("a", "bc") are two.</param>
    public static RandomSource For(params ReadOnlySpan<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string part in parts) Append(hash, Encoding.UTF8.GetBytes(part));
        return new RandomSource(hash.GetHashAndReset());
    }

    /// <summary>A source of its own for a part of this one's work. It does not depend on what this source has drawn, nor the other way
    /// round.</summary>
    public RandomSource Derive(string name, long index = 0)
    {
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, index);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, identity);
        Append(hash, Encoding.UTF8.GetBytes(name));
        Append(hash, number);
        return new RandomSource(hash.GetHashAndReset());
    }

    /// <summary>64 random bits: what every other draw is made of, one after the other.</summary>
    public ulong NextUInt64()
    {
        if (hasSpare)
        {
            hasSpare = false;
            return spare;
        }
        (uint x0, uint x1, uint x2, uint x3) = Philox4x32.Block((uint)block, (uint)(block >> 32), stream0, stream1, key0, key1);
        block++;
        spare = (ulong)x3 << 32 | x2;
        hasSpare = true;
        return (ulong)x1 << 32 | x0;
    }

    /// <summary>Uniform in [0, 1), in steps of 2^-53.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1L << 53));

    /// <summary>Uniform in 0 .. below - 1, without bias (Lemire 2019).</summary>
    /// <param name="below">At least 1.</param>
    public long Next(long below)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(below, 1);
        ulong range = (ulong)below, threshold = (0 - range) % range;
        while (true)
        {
            ulong high = Math.BigMul(NextUInt64(), range, out ulong low);
            if (low >= threshold) return (long)high;
        }
    }

    /// <inheritdoc cref="Next(long)"/>
    public int Next(int below) => (int)Next((long)below);

    /// <summary>One number from N(0, 1), at most 8.3 away from 0.</summary>
    public double NextNormal() => NormalQuantile.Of(((NextUInt64() >> 12) + 0.5) * (1.0 / (1L << 52)));

    /// <summary>Independent numbers from N(0, 1).</summary>
    /// <returns>The shape that was asked for, float32, on the CPU.</returns>
    public Tensor Normal(params long[] shape)
    {
        var values = new float[Count(shape)];
        for (int i = 0; i < values.Length; i++) values[i] = (float)NextNormal();
        return tensor(values, shape, float32);
    }

    /// <summary>Independent uniform numbers in 0 .. below - 1.</summary>
    /// <returns>The shape that was asked for, int64, on the CPU.</returns>
    public Tensor Integers(long below, params long[] shape)
    {
        var values = new long[Count(shape)];
        for (int i = 0; i < values.Length; i++) values[i] = Next(below);
        return tensor(values, shape, int64);
    }

    private static int Count(long[] shape) => checked((int)shape.Aggregate(1L, (a, b) => checked(a * b)));

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, part.Length);
        hash.AppendData(length);
        hash.AppendData(part);
    }
}
