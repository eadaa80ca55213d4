using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace Dori.Pictures;

/// <summary>
/// A walk over a tar's headers before .NET's reader sees it: that one reads a long name or a pax header of any size into memory, and
/// fails on sparse members in ways of its own.
/// </summary>
internal static partial class TarHeaders
{
    private const int Block = 512, LongestHeader = 1 << 20;
    private const int SizeAt = 124, SizeLength = 12, TypeAt = 156;

    /// <exception cref="DoriException">A header longer than 1 MiB, a sparse member, or a size that is none.</exception>
    public static void Check(string path, SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        var header = new byte[Block];
        long? next = null; // the size that a pax header gives the member after it
        for (long at = 0; at <= length - Block;)
        {
            if (RandomAccess.Read(file, header, at) != Block) throw Damaged(path, at, "cannot be read");
            if (!header.AsSpan().ContainsAnyExcept((byte)0)) return; // the end
            char type = (char)header[TypeAt];
            if (type == 'S') throw Damaged(path, at, "is of a sparse member; only whole files belong into a webdataset");
            long size = Size(header.AsSpan(SizeAt, SizeLength)) ?? throw Damaged(path, at, "has a size that is no number");
            if (type is 'x' or 'g' or 'L' or 'K')
            {
                if (size > LongestHeader)
                    throw Damaged(path, at, $"says that a name or its attributes are {size} bytes long; at most {LongestHeader} are read");
                if (type == 'x') next = PaxSize(path, file, at + Block, (int)size) ?? next;
            }
            else
            {
                size = next ?? size;
                next = null;
            }
            if (size > length - at - Block) return; // cut off: .NET's reader says so
            at += Block + (size + Block - 1) / Block * Block;
        }
    }

    /// <summary>Octal digits; or, where its first bit is set, a number of base 256.</summary>
    private static long? Size(ReadOnlySpan<byte> field)
    {
        long size = 0;
        if ((field[0] & 0x80) != 0)
        {
            if ((field[0] & 0x7F) != 0 || field[1..4].ContainsAnyExcept((byte)0) || (field[4] & 0x80) != 0) return null;
            foreach (byte b in field[4..]) size = size << 8 | b;
            return size;
        }
        foreach (char c in Encoding.ASCII.GetString(field).Trim('\0', ' '))
        {
            if (c is < '0' or > '7') return null;
            size = size << 3 | (long)(c - '0');
        }
        return size;
    }

    private static long? PaxSize(string path, SafeFileHandle file, long at, int count)
    {
        var bytes = new byte[count];
        for (int read = 0; read < count;)
        {
            int more = RandomAccess.Read(file, bytes.AsSpan(read), at + read);
            if (more == 0) throw Damaged(path, at, "is cut off; fetch it again");
            read += more;
        }
        Match size = PaxSizeRecord().Match(Encoding.Latin1.GetString(bytes));
        return size.Success && long.TryParse(size.Groups[1].Value, out long value) ? value : null;
    }

    [GeneratedRegex(@"(?:^|\n)[0-9]+ size=([0-9]+)\n")]
    private static partial Regex PaxSizeRecord();

    private static DoriException Damaged(string path, long at, string what) =>
        new($"{path}: not a tar archive that can be read: the header at byte {at} {what}");
}
