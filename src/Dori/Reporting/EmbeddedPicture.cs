using System.Buffers.Binary;

namespace Dori.Reporting;

/// <summary>A picture's file as it goes into the report: its own bytes, told by their first bytes and never by the file's name.</summary>
/// <param name="DataUri">data: URI of the unchanged file.</param>
/// <param name="Width">Pixels; 0 where the header does not tell.</param>
/// <param name="Height">Pixels; 0 where the header does not tell.</param>
internal sealed record EmbeddedPicture(string DataUri, int Width, int Height)
{
    /// <summary>Shown larger than it is: hard pixels are more honest than a blur that hides differences.</summary>
    public bool IsSmall => Width is > 0 and < 128;

    /// <summary>Null for anything but PNG, JPEG, GIF and WebP; SVG, which can hold more than a picture, stays out.</summary>
    public static EmbeddedPicture? Of(byte[]? file)
    {
        if (file is null || Type(file) is not { } type) return null;
        (int width, int height) = type switch { "png" => PngSize(file), "jpeg" => JpegSize(file), _ => (0, 0) };
        return new EmbeddedPicture($"data:image/{type};base64,{Convert.ToBase64String(file)}", width, height);
    }

    /// <summary>Of about <see cref="Side"/> pixels in WebP, where the file is larger.</summary>
    public static EmbeddedPicture? Thumbnail(byte[]? file)
    {
        EmbeddedPicture? whole = Of(file);
        if (whole is null || Math.Min(whole.Width, whole.Height) is 0 or <= Side) return whole;
        try
        {
            using var scope = TorchSharp.torch.NewDisposeScope();
            TorchSharp.torch.Tensor picture =
                Pictures.Picture.ResizeSmallEdge(Pictures.Picture.Decode(file!, "a picture of the run"), Side);
            (long height, long width) = (picture.shape[1], picture.shape[2]);
            return new EmbeddedPicture($"data:image/webp;base64,{Convert.ToBase64String(Pictures.Picture.EncodeWebp(picture))}",
                (int)width, (int)height);
        }
        catch (DoriException)
        {
            return whole; // a browser may make more of it
        }
    }

    /// <summary>The shorter side of a thumbnail in pixels: shown at half of it, for screens of two pixels to one.</summary>
    private const int Side = 384;

    private static string? Type(ReadOnlySpan<byte> file) =>
        file.StartsWith((ReadOnlySpan<byte>)[0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) ? "png"
        : file.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) ? "jpeg"
        : file.StartsWith("GIF87a"u8) || file.StartsWith("GIF89a"u8) ? "gif"
        : file.Length > 12 && file.StartsWith("RIFF"u8) && file[8..].StartsWith("WEBP"u8) ? "webp"
        : null;

    private static (int, int) PngSize(ReadOnlySpan<byte> file) =>
        file.Length >= 24 ? (BinaryPrimitives.ReadInt32BigEndian(file[16..]), BinaryPrimitives.ReadInt32BigEndian(file[20..])) : (0, 0);

    // Segments: FF, marker, length (of itself and what follows). Sizes stand in the frame header, SOF0 to SOF15 without DHT, JPG and DAC.
    private static (int, int) JpegSize(ReadOnlySpan<byte> file)
    {
        for (int at = 2; at + 9 <= file.Length && file[at] == 0xFF;)
        {
            byte marker = file[at + 1];
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
                return (BinaryPrimitives.ReadUInt16BigEndian(file[(at + 7)..]), BinaryPrimitives.ReadUInt16BigEndian(file[(at + 5)..]));
            at += 2 + Math.Max(2, (int)BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]));
        }
        return (0, 0);
    }
}
