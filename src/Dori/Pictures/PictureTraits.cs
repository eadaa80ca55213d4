using System.Buffers.Binary;
using SkiaSharp;

namespace Dori.Pictures;

/// <summary>How a picture's file differs from what is read of it: programs, and trainers among them, do not all read these alike.</summary>
[Flags]
internal enum PictureTraits
{
    None = 0,
    /// <summary>Turned or mirrored as its EXIF orientation says.</summary>
    Turned = 1,
    /// <summary>Has transparent parts, which were laid on white.</summary>
    Transparent = 2,
    /// <summary>Has several frames, of which the first was read.</summary>
    Frames = 4,
    /// <summary>Has 16 bits a channel, of which 8 were read.</summary>
    SixteenBits = 8,
    /// <summary>Is made of four inks, which were converted to RGB without their profile.</summary>
    Inks = 16,
}

/// <summary>What files say of themselves that the decoder keeps quiet about.</summary>
internal static class PictureFile
{
    /// <summary>Of the file alone; <see cref="PictureTraits.Transparent"/> is seen in the pixels.</summary>
    public static PictureTraits Traits(ReadOnlySpan<byte> file, SKCodec codec)
    {
        PictureTraits traits = PictureTraits.None;
        if (codec.EncodedOrigin is not (SKEncodedOrigin.TopLeft or SKEncodedOrigin.Default)) traits |= PictureTraits.Turned;
        if (codec.FrameCount > 1 || IsAnimatedPng(file)) traits |= PictureTraits.Frames;
        const int depthAt = 24; // in a PNG's first chunk
        bool deep = codec.EncodedFormat == SKEncodedImageFormat.Png && file.Length > depthAt && file[depthAt] == 16;
        if (deep) traits |= PictureTraits.SixteenBits;
        if (codec.EncodedFormat == SKEncodedImageFormat.Jpeg && Jpeg(file).Components == 4) traits |= PictureTraits.Inks;
        return traits;
    }

    /// <summary>
    /// Whether a file is what was written, as far as its format can tell. Decoders stop at the last row and take zeros, as an interrupted
    /// download leaves them, for picture: a JPEG must have its end and the coded data of all its rows, a PNG its end and sound checksums,
    /// a WebP, which has neither, no tail of zeros, and a BMP as many bytes as it says.
    /// </summary>
    public static bool IsWhole(ReadOnlySpan<byte> file, SKEncodedImageFormat format) => format switch
    {
        SKEncodedImageFormat.Jpeg => Jpeg(file).Ended && !JpegData.IsDamaged(file),
        SKEncodedImageFormat.Png => IsWholePng(file),
        SKEncodedImageFormat.Bmp => file.Length > 5 && file.Length >= BinaryPrimitives.ReadUInt32LittleEndian(file[2..]),
        _ => file.Length < WebpTail || file[^WebpTail..].ContainsAnyExcept((byte)0),
    };

    /// <summary>Coded data that ends in so many zeros was not written so.</summary>
    private const int WebpTail = 64;

    private static bool IsWholePng(ReadOnlySpan<byte> file)
    {
        const int first = 8, head = 8, check = 4;
        for (long at = first; at + head + check <= file.Length;)
        {
            ReadOnlySpan<byte> rest = file[(int)at..];
            long length = BinaryPrimitives.ReadUInt32BigEndian(rest);
            if (length > rest.Length - head - check) return false;
            ReadOnlySpan<byte> kindAndData = rest.Slice(4, (int)length + 4);
            bool critical = char.IsAsciiLetterUpper((char)kindAndData[0]); // others are not the picture
            if (critical && Crc(kindAndData) != BinaryPrimitives.ReadUInt32BigEndian(rest[(head + (int)length)..])) return false;
            if (kindAndData.StartsWith("IEND"u8)) return true;
            at += head + length + check;
        }
        return false;
    }

    /// <summary>PNG's checksum, that of ISO 3309.</summary>
    internal static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes) crc = CrcTable[(byte)(crc ^ b)] ^ crc >> 8;
        return ~crc;
    }

    private static readonly uint[] CrcTable = [.. Enumerable.Range(0, 256).Select(value =>
    {
        uint crc = (uint)value;
        for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xEDB88320 ^ crc >> 1 : crc >> 1;
        return crc;
    })];

    private static bool IsAnimatedPng(ReadOnlySpan<byte> file) => file.Length > 4 && file[1..].StartsWith("PNG"u8)
        && HasChunk(file, "acTL"u8);

    /// <summary>Whether a PNG has a chunk of this name before its first data.</summary>
    private static bool HasChunk(ReadOnlySpan<byte> file, ReadOnlySpan<byte> name)
    {
        const int first = 8, head = 8, check = 4;
        for (long at = first; at + head <= file.Length;)
        {
            ReadOnlySpan<byte> kind = file.Slice((int)at + 4, 4);
            if (kind.SequenceEqual(name)) return true;
            if (kind.SequenceEqual("IDAT"u8)) return false;
            at += head + BinaryPrimitives.ReadUInt32BigEndian(file[(int)at..]) + check;
        }
        return false;
    }

    /// <summary>Walks a JPEG's segments, those between scans and the coded data of each scan too.</summary>
    /// <returns>The number of components in the frame header, and whether the walk came to the end marker.</returns>
    private static (int Components, bool Ended) Jpeg(ReadOnlySpan<byte> file)
    {
        const byte scan = 0xDA, end = 0xD9;
        int components = 0, at = 2;
        while (at + 1 < file.Length)
        {
            if (file[at] != 0xFF) return (components, false);
            byte marker = file[at + 1];
            if (marker == 0xFF) { at++; continue; } // fill bytes
            if (marker == end) return (components, true);
            if (at + 3 >= file.Length) break;
            bool frame = marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC);
            if (frame && at + 9 < file.Length) components = file[at + 9];
            at += 2 + (file[at + 2] << 8 | file[at + 3]);
            if (marker != scan) continue;
            // coded data and restart markers
            while (at + 1 < file.Length && (file[at] != 0xFF || file[at + 1] is 0 or (>= 0xD0 and <= 0xD7))) at++;
        }
        return (components, false);
    }
}
