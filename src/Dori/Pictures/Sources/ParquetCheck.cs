using System.Buffers.Binary;

namespace Dori.Pictures.Sources;

/// <summary>Looks through what a Parquet file says of itself before the library believes it.</summary>
internal static class ParquetCheck
{
    private const int Tail = 8, LargestFooter = 64 << 20, LongestPageHeader = 1 << 24;
    private const long LargestPage = 1L << 30;

    /// <summary>The footer: a structure that ends where it says, and a name at both ends.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static void Footer(Stream file)
    {
        Span<byte> ends = stackalloc byte[Tail];
        if (file.Length < 4 + Tail) throw new InvalidDataException("it is too short");
        ReadAt(file, file.Length - Tail, ends);
        int length = BinaryPrimitives.ReadInt32LittleEndian(ends);
        if (!ends[4..].SequenceEqual("PAR1"u8))
            throw new InvalidDataException(ends[4..].SequenceEqual("PARE"u8) ? "it is encrypted" : "it does not end as one");
        if (length < 1 || length > LargestFooter || length > file.Length - Tail - 4)
            throw new InvalidDataException("its footer is cut off");
        var footer = new byte[length];
        ReadAt(file, file.Length - Tail - length, footer);
        var walk = new ThriftWalk(footer);
        walk.Struct();
        if (walk.At != length) throw new InvalidDataException("its footer ends before it says");
        file.Position = 0;
    }

    /// <summary>The pages of a column's chunk: each within the chunk, of possible sizes, and together of as many values as there are
    /// rows.</summary>
    /// <param name="start">Of the first page, a dictionary's where there is one.</param>
    /// <param name="length">Of all pages, headers too.</param>
    /// <exception cref="InvalidDataException">They are not.</exception>
    public static void Pages(Stream file, long start, long length, long values)
    {
        if (start < 4 || length < 0 || start > file.Length - length) throw new InvalidDataException("a column lies outside of the file");
        long at = start, left = values, end = start + length;
        while (left > 0)
        {
            (Dictionary<string, long> numbers, int header) = PageHeader(file, at, end - at);
            long Number(string path) => numbers.GetValueOrDefault(path, -1);
            long kind = Number("1"), whole = Number("2"), size = Number("3");
            if (size < 0 || size > end - at - header || whole < 0 || whole > LargestPage)
                throw new InvalidDataException("a page is larger than its column, or cut off");
            long count = kind switch
            {
                0 => Number("5.1"),
                3 => Number("8.1"),
                _ => Number("7.1"),
            };
            if (count < 0 || (kind is 0 or 3 ? count > left : count > whole))
                throw new InvalidDataException("a page says that it holds more values than there are");
            if (kind is 0 or 3) left -= count;
            at += header + size;
        }
        file.Position = 0;
    }

    /// <summary>A page's header, which does not say how long it is: mostly some ten bytes, with statistics of texts more.</summary>
    private static (Dictionary<string, long> Numbers, int Length) PageHeader(Stream file, long at, long most)
    {
        for (long tried = 512; ; tried *= 16)
        {
            var head = new byte[(int)Math.Min(Math.Min(tried, LongestPageHeader), most)];
            ReadAt(file, at, head);
            try
            {
                var walk = new ThriftWalk(head);
                walk.Struct();
                return (walk.Numbers, walk.At);
            }
            catch (InvalidDataException) when (tried < LongestPageHeader && head.Length < most)
            {
                // cut off, perhaps: a longer piece tells
            }
        }
    }

    private static void ReadAt(Stream file, long at, Span<byte> bytes)
    {
        file.Position = at;
        file.ReadExactly(bytes);
    }
}
