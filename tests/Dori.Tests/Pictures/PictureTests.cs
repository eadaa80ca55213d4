using Dori.Pictures;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Pictures;

public sealed class PictureTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-picture-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    /// <summary>(3, 2, 3), every value different, all multiples of 1/255.</summary>
    private static Tensor Small() => arange(18, dtype: float32).mul(13).div(255f).reshape(3, 2, 3);

    [Fact]
    public void Png_round_trip_is_exact()
    {
        using var scope = NewDisposeScope();
        Picture.Save(At("a.png"), Small());
        Tensor read = Picture.Load(At("a.png"));
        Assert.Equal([3, 2, 3], read.shape);
        Assert.Equal(ScalarType.Float32, read.dtype);
        Assert.Equal(0, (read - Small()).abs().max().item<float>());
        Assert.Equal(["a.png"], Directory.GetFiles(_folder).Select(Path.GetFileName)); // nothing temporary is left
    }

    [Fact]
    public void Png_bytes_repeat() => Assert.Equal(Picture.EncodePng(Small()), Picture.EncodePng(Small()));

    [Fact]
    public void Saving_clamps_and_rounds_to_nearest_even()
    {
        using var scope = NewDisposeScope();
        float[] values = [-1f, 0.5f / 255, 1.5f / 255, 2.4f / 255, 254.6f / 255, 2f];
        File.WriteAllBytes(At("a.png"), Picture.EncodePng(tensor(values, [1, 1, 6]).expand(3, 1, 6)));
        float[] read = Picture.Load(At("a.png"))[0].mul(255).round().flatten().data<float>().ToArray();
        Assert.Equal([0f, 0f, 2f, 2f, 255f, 255f], read);
    }

    [Fact]
    public void Not_a_number_is_refused() => Assert.Contains("not numbers",
        Assert.Throws<DoriException>(() => Picture.Save(At("a.png"), full([3, 2, 2], float.NaN))).Message, StringComparison.Ordinal);

    [Fact]
    public void Transparent_parts_are_white()
    {
        using var bitmap = new SKBitmap(new SKImageInfo(2, 1, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        bitmap.SetPixel(0, 0, new SKColor(255, 0, 0, 0));
        bitmap.SetPixel(1, 0, new SKColor(0, 0, 0, 51)); // a fifth of black
        using (SKData png = bitmap.Encode(SKEncodedImageFormat.Png, 100)) File.WriteAllBytes(At("a.png"), png.ToArray());
        using Tensor read = Picture.Load(At("a.png"));
        Assert.Equal([1f, 0.8f], read[1].flatten().data<float>().ToArray().Select(v => MathF.Round(v, 5)));
        Assert.Equal([1f, 0.8f], read[0].flatten().data<float>().ToArray().Select(v => MathF.Round(v, 5)));
    }

    // Where the stored picture's top left (bright) pixel goes, by the EXIF standard. The stored picture is 16 wide, 8 high.
    [Theory]
    [InlineData(1, 8, 16, 0, 0)]
    [InlineData(2, 8, 16, 0, 15)]
    [InlineData(3, 8, 16, 7, 15)]
    [InlineData(4, 8, 16, 7, 0)]
    [InlineData(5, 16, 8, 0, 0)]
    [InlineData(6, 16, 8, 0, 7)]
    [InlineData(7, 16, 8, 15, 7)]
    [InlineData(8, 16, 8, 15, 0)]
    public void Exif_orientation_is_honoured(byte orientation, int height, int width, int y, int x)
    {
        using var scope = NewDisposeScope();
        Tensor picture = zeros(3, 8, 16);
        picture[.., ..4, ..4] = 1;
        byte[] jpeg = Picture.EncodeJpeg(picture, 95);
        byte[] tiff = [.. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
        byte[] marker = [0xFF, 0xE1, 0, (byte)(tiff.Length + 2), .. tiff];
        File.WriteAllBytes(At("a.jpg"), [.. jpeg[..2], .. marker, .. jpeg[2..]]);
        Tensor read = Picture.Load(At("a.jpg"));
        Assert.Equal([3, height, width], read.shape);
        Assert.True(read[0, y, x].item<float>() > 0.8f);
        Assert.True(read[0, height - 1 - y, width - 1 - x].item<float>() < 0.2f);
    }

    [Fact]
    public void What_is_no_picture_is_refused_by_name()
    {
        File.WriteAllText(At("text.png"), "no picture");
        File.WriteAllBytes(At("cut.png"), Picture.EncodePng(Support.Golden.Rand("picture", 3, 64, 64))[..2000]);
        File.WriteAllBytes(At("empty.png"), []);
        foreach (string name in new[] { "missing.png", "text.png", "cut.png", "empty.png", "" })
            Assert.Contains(At(name), Assert.Throws<DoriException>(() => Picture.Load(At(name))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(20000, 10)]
    [InlineData(12000, 12000)]
    public void Absurd_size_is_refused_before_decoding(int width, int height)
    {
        // A PNG header that claims the size, with its checksum, and a beginning of data.
        byte[] png = Picture.EncodePng(Small());
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(16), width);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(png.AsSpan(20), height);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(png.AsSpan(29), Crc(png.AsSpan(12, 17)));
        File.WriteAllBytes(At("huge.png"), png);
        Assert.Contains($"{width} x {height}", Assert.Throws<DoriException>(() => Picture.Load(At("huge.png"))).Message,
            StringComparison.Ordinal);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (0xEDB88320 & (0u - (crc & 1)));
        }
        return ~crc;
    }
}
