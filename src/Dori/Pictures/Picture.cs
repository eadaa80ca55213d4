using Dori.Native;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Pictures;

/// <summary>
/// Picture files and tensors. A picture is a (3, H, W) float32 tensor on the CPU, RGB in [0, 1], without colour management
/// (values as stored, as PIL reads them).
/// </summary>
internal static partial class Picture
{
    /// <summary>Longest side of a picture that is decoded, in pixels.</summary>
    public const int LongestSide = 16384;

    /// <summary>Largest area of a picture that is decoded, in pixels.</summary>
    public const long LargestArea = 100_000_000;

    private const int StripePixels = 1 << 20;

    /// <summary>
    /// Reads a PNG, JPEG, WebP or BMP file: transparent parts on white, turned as its EXIF orientation says.
    /// </summary>
    /// <returns>(3, H, W) float32 in [0, 1].</returns>
    /// <exception cref="DoriException">The file is missing, cut off, damaged, too large, or not a picture.</exception>
    public static Tensor Load(string path) => Decode(InputFile.ReadBytes(path, InputKind.Picture), path);

    /// <summary>A picture from the bytes of its file.</summary>
    /// <param name="file">PNG, JPEG, WebP or BMP.</param>
    /// <param name="path">What an error calls it.</param>
    /// <inheritdoc cref="Load"/>
    public static Tensor Decode(byte[] file, string path) => Decode(file, path, out _);

    /// <inheritdoc cref="Decode(byte[], string)"/>
    /// <param name="traits">How the file differs from what was read of it.</param>
    internal static Tensor Decode(byte[] file, string path, out PictureTraits traits)
    {
        GitLfs.RefusePointer(path, file);
        using SKData data = SKData.CreateCopy(file);
        using SKCodec codec = SKCodec.Create(data)
            ?? throw new DoriException($"{path}: not a picture that can be read; PNG, JPEG, WebP or BMP is wanted");
        if (codec.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg or SKEncodedImageFormat.Webp
            or SKEncodedImageFormat.Bmp))
            throw new DoriException($"{path}: a {codec.EncodedFormat} picture; PNG, JPEG, WebP or BMP is wanted");
        int width = codec.Info.Width, height = codec.Info.Height;
        // Before decoding: a few bytes can claim gigabytes of pixels.
        if (width < 1 || height < 1 || width > LongestSide || height > LongestSide || (long)width * height > LargestArea)
            throw new DoriException(
                $"{path}: {width} x {height} pixels; at most {LongestSide} a side and {LargestArea / 1_000_000} million in all are read");

        // No colour space: the stored values, unconverted.
        var info = new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null);
        var pixels = new byte[info.BytesSize64];
        SKCodecResult result = codec.GetPixels(info, pixels);
        if (result != SKCodecResult.Success || !PictureFile.IsWhole(file, codec.EncodedFormat))
            throw new DoriException($"{path}: the picture is damaged or cut off ({result}); fetch it again");
        bool opaque = codec.Info.AlphaType == SKAlphaType.Opaque || IsOpaque(pixels);
        traits = PictureFile.Traits(file, codec) | (opaque ? PictureTraits.None : PictureTraits.Transparent);
        return ToTensor(pixels, width, height, opaque, codec.EncodedOrigin);
    }

    /// <summary>Writes an 8-bit RGB PNG whose bytes depend on the pixels alone. The file appears whole or not at all.</summary>
    /// <param name="path">Overwritten where it exists; its folder must exist.</param>
    /// <param name="picture">(3, H, W); clamped to [0, 1], then 255 x rounded to the nearest (to even at .5).</param>
    /// <exception cref="DoriException">The picture holds a value that is not a number, or the file cannot be written.</exception>
    public static void Save(string path, Tensor picture) => AtomicFile.WriteBytes(path, EncodePng(picture));

    /// <summary>PNG bytes of a (3, H, W) picture, rounded as <see cref="Save"/> does.</summary>
    public static byte[] EncodePng(Tensor picture) =>
        Encode(picture, static pixmap => pixmap.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.AllFilters, 6)));

    /// <summary>JPEG bytes of a (3, H, W) picture, without chroma subsampling.</summary>
    /// <param name="picture">Rounded as <see cref="Save"/> does.</param>
    /// <param name="quality">1 to 100.</param>
    public static byte[] EncodeJpeg(Tensor picture, int quality = 90) =>
        Encode(picture,
            pixmap =>
            pixmap.Encode(new SKJpegEncoderOptions(quality, SKJpegEncoderDownsample.Downsample444, SKJpegEncoderAlphaOption.Ignore)));

    /// <summary>Lossy WebP bytes of a (3, H, W) picture.</summary>
    /// <param name="quality">0 to 100.</param>
    public static byte[] EncodeWebp(Tensor picture, int quality) =>
        Encode(picture, pixmap => pixmap.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossy, quality)));

    private static bool IsOpaque(ReadOnlySpan<byte> rgba)
    {
        for (int i = 3; i < rgba.Length; i += 4)
            if (rgba[i] != 255) return false;
        return true;
    }

    private static Tensor ToTensor(byte[] rgba, int width, int height, bool opaque, SKEncodedOrigin origin)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor picture = empty(3, height, width);
        int stripe = Math.Max(1, StripePixels / width); // rows at a time: large pictures are not in memory several times
        for (int row = 0; row < height; row += stripe)
        {
            int rows = Math.Min(stripe, height - row);
            using var inner = NewDisposeScope();
            picture.narrow(1, row, rows).copy_(ToColours(rgba.AsSpan(row * width * 4, rows * width * 4), rows, width, opaque));
        }
        picture = origin switch // EXIF orientations 1 to 8
        {
            SKEncodedOrigin.TopRight => picture.flip(2),
            SKEncodedOrigin.BottomRight => picture.flip(1, 2),
            SKEncodedOrigin.BottomLeft => picture.flip(1),
            SKEncodedOrigin.LeftTop => picture.transpose(1, 2),
            SKEncodedOrigin.RightTop => picture.transpose(1, 2).flip(2),
            SKEncodedOrigin.RightBottom => picture.transpose(1, 2).flip(1, 2),
            SKEncodedOrigin.LeftBottom => picture.transpose(1, 2).flip(1),
            _ => picture,
        };
        return picture.contiguous().MoveToOuterDisposeScope();
    }

    private static Tensor ToColours(ReadOnlySpan<byte> rgba, int rows, int width, bool opaque)
    {
        Tensor stored = empty([rows, width, 4], uint8);
        rgba.CopyTo(stored.bytes);
        Tensor all = stored.permute(2, 0, 1); // (4, H, W)
        Tensor colours = all.narrow(0, 0, 3).to(float32).Over_(255);
        if (opaque) return colours;
        Tensor alpha = all.narrow(0, 3, 1).to(float32).Over_(255);
        return (colours * alpha).Plus(alpha.SubtractedFrom(1));
    }

    private static unsafe byte[] Encode(Tensor picture, Func<SKPixmap, SKData?> encode)
    {
        if (picture.dim() != 3 || picture.shape[0] != 3 || picture.numel() == 0)
            throw new ArgumentException($"A (3, H, W) picture is wanted, not ({string.Join(", ", picture.shape)}).", nameof(picture));
        int height = (int)picture.shape[1], width = (int)picture.shape[2];
        byte[] rgba = ToRgba(picture, height, width);
        fixed (byte* pixels = rgba)
        {
            var info = new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque, null);
            using var pixmap = new SKPixmap(info, (nint)pixels);
            using SKData encoded = encode(pixmap) ?? throw new DoriException($"a picture of {width} x {height} pixels cannot be encoded");
            return encoded.ToArray();
        }
    }

    private static byte[] ToRgba(Tensor picture, int height, int width)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor values = picture.detach().to(float32).cpu();
        // A conversion would turn it into black: a broken model's output must not pass for a picture.
        if (values.isnan().any().item<bool>())
            throw new DoriException(
                "a picture holds values that are not numbers: the model's output is broken "
                + "(a half-precision overflow? try `Dtype` float32)");
        Tensor rgb = values.Clamp(0, 1).Times(255).round().to(uint8).permute(1, 2, 0); // (H, W, 3)
        Tensor alpha = full([height, width, 1], TensorMath.Kept(255L), dtype: uint8);
        return cat([rgb, alpha], 2).contiguous().data<byte>().ToArray();
    }
}
