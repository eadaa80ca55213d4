using System.Numerics;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>
/// Marked positions of one layer's weight, a bit each: at Stable Diffusion's size the masks of a hundred inputs, which the test of weight
/// agreement compares, then take 0.4 GB rather than 3. Immutable.
/// </summary>
public sealed class LayerMask
{
    private readonly ulong[] _bits; // row-major, 64 positions a word; bits past the end are 0

    private LayerMask(string layer, int rows, int columns, ulong[] bits)
    {
        (Layer, Rows, Columns, _bits) = (layer, rows, columns, bits);
        Count = bits.Sum(word => (long)BitOperations.PopCount(word));
    }

    /// <summary>Name in the checkpoint, without <c>.weight</c>.</summary>
    public string Layer { get; }
    /// <summary>Outputs.</summary>
    public int Rows { get; }
    /// <summary>Inputs.</summary>
    public int Columns { get; }
    /// <summary>Marked weights.</summary>
    public long Count { get; }

    public bool this[int row, int column]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)column, (uint)Columns, nameof(column));
            long at = (long)row * Columns + column;
            return (_bits[at >> 6] >> (int)(at & 63) & 1) != 0;
        }
    }

    /// <param name="marked">(rows, columns), bool</param>
    public static LayerMask Of(string layer, Tensor marked)
    {
        if (marked.dim() != 2 || marked.dtype != ScalarType.Bool)
            throw new ArgumentException($"(rows, columns) of bool is wanted, not {marked.dtype} of {marked.dim()} dimensions",
            nameof(marked));
        using Tensor host = marked.cpu(), flat = host.contiguous();
        bool[] values = flat.data<bool>().ToArray();
        var bits = Empty(values.Length);
        for (int i = 0; i < values.Length; i++)
            if (values[i]) bits[i >> 6] |= 1UL << (i & 63);
        return new LayerMask(layer, (int)marked.shape[0], (int)marked.shape[1], bits);
    }

    /// <summary>Whole outputs: all weights of some rows.</summary>
    public static LayerMask OfRows(string layer, int rows, int columns, IEnumerable<int> markedRows)
    {
        var bits = Empty((long)rows * columns);
        foreach (int row in markedRows)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)rows, nameof(markedRows));
            for (long at = (long)row * columns; at < (row + 1L) * columns; at++) bits[at >> 6] |= 1UL << (int)(at & 63);
        }
        return new LayerMask(layer, rows, columns, bits);
    }

    /// <summary>To be written, a bit a weight: (words), int64, row-major, the first position in the lowest bit.</summary>
    public Tensor Packed() => tensor(Array.ConvertAll(_bits, word => unchecked((long)word)));

    /// <summary>What <see cref="Packed"/> gave.</summary>
    /// <exception cref="DoriException">Not as many words as the layer has positions.</exception>
    public static LayerMask Unpacked(string layer, int rows, int columns, Tensor packed)
    {
        ulong[] bits = Array.ConvertAll(packed.data<long>().ToArray(), word => unchecked((ulong)word));
        if (bits.Length != Empty((long)rows * columns).Length)
            throw new DoriException(
            $"the mask of {layer} has {bits.Length} words, its ({rows}, {columns}) weights want {Empty((long)rows * columns).Length}: it "
            + $"was made for another model");
        return new LayerMask(layer, rows, columns, bits);
    }

    /// <returns>(Rows, Columns), bool, on the CPU</returns>
    public Tensor ToTensor()
    {
        var values = new bool[(long)Rows * Columns];
        for (int i = 0; i < values.Length; i++) values[i] = (_bits[i >> 6] >> (i & 63) & 1) != 0;
        return tensor(values, [Rows, Columns]);
    }

    internal static LayerMask Union(IReadOnlyList<LayerMask> masks)
    {
        var bits = (ulong[])masks[0]._bits.Clone();
        foreach (LayerMask mask in masks.Skip(1))
        {
            masks[0].CheckSame(mask);
            for (int i = 0; i < bits.Length; i++) bits[i] |= mask._bits[i];
        }
        return new LayerMask(masks[0].Layer, masks[0].Rows, masks[0].Columns, bits);
    }

    /// <summary>Intersection over union with another mask of this layer.</summary>
    internal LayerAgreement Agreement(LayerMask other)
    {
        CheckSame(other);
        long both = 0, either = 0;
        for (int i = 0; i < _bits.Length; i++)
        {
            both += BitOperations.PopCount(_bits[i] & other._bits[i]);
            either += BitOperations.PopCount(_bits[i] | other._bits[i]);
        }
        return new LayerAgreement(Layer, either == 0 ? 1 : (double)both / either, either == 0);
    }

    internal void CheckShape(Tensor weight)
    {
        if (weight.dim() != 2 || weight.shape[0] != Rows || weight.shape[1] != Columns)
            throw new DoriException(
                $"{Layer}.weight has shape ({string.Join(", ", weight.shape)}), the mask ({Rows}, {Columns}); the mask was made for "
                + $"another model");
    }

    private void CheckSame(LayerMask other)
    {
        if ((Layer, Rows, Columns) != (other.Layer, other.Rows, other.Columns))
            throw new ArgumentException(
                $"masks of two layers: {Layer} ({Rows}, {Columns}) and {other.Layer} ({other.Rows}, {other.Columns})", nameof(other));
    }

    private static ulong[] Empty(long positions) => new ulong[(positions + 63) / 64];
}
