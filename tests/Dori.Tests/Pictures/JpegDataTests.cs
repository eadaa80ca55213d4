using Dori.Pictures;
using SkiaSharp;

namespace Dori.Tests.Pictures;

/// <summary>A hole in a JPEG, as a download with missing blocks leaves it, decodes without a word and is seen all the same.</summary>
public sealed class JpegDataTests
{
    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void A_hole_in_its_middle_is_seen(int size)
    {
        byte[] file = Waves(white: false);
        Assert.False(JpegData.IsDamaged(file));
        Array.Clear(file, file.Length / 2, size);
        using (SKBitmap? decoded = SKBitmap.Decode(file)) Assert.NotNull(decoded); // nothing else would say so
        Assert.True(JpegData.IsDamaged(file));
        Assert.False(PictureFile.IsWhole(file, SKEncodedImageFormat.Jpeg));
    }

    [Fact]
    public void Thousands_of_zeros_of_a_white_background_are_no_hole()
    {
        byte[] file = Waves(white: true);
        int run = 0, longest = 0;
        foreach (byte value in file) longest = Math.Max(longest, run = value == 0 ? run + 1 : 0);
        Assert.True(longest > 512);
        Assert.False(JpegData.IsDamaged(file));
        Assert.True(PictureFile.IsWhole(file, SKEncodedImageFormat.Jpeg));
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0xFF, 0xD8, 0xFF, 0xD9 })]
    [InlineData(new byte[] { 1, 2, 3 })]
    public void What_it_cannot_read_it_does_not_judge(byte[] file) => Assert.False(JpegData.IsDamaged(file));

    private static byte[] Waves(bool white)
    {
        using var bitmap = new SKBitmap(white ? 1024 : 256, white ? 1024 : 256);
        bitmap.Erase(SKColors.White);
        for (int y = 0; y < 256; y++)
            for (int x = 0; x < 256; x++)
            {
                byte value = (byte)(128 + 60 * Math.Sin(x / 3.0) + 50 * Math.Sin(y / 5.0 + x / 40.0));
                bitmap.SetPixel(x, y, new SKColor(value, (byte)(value * 7 + x * y), (byte)(255 - value)));
            }
        using SKImage image = SKImage.FromBitmap(bitmap);
        using SKData data = image.Encode(SKEncodedImageFormat.Jpeg, 85);
        return data.ToArray();
    }
}
