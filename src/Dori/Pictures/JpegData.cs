using System.Globalization;
using System.Text.RegularExpressions;
using BitMiracle.LibJpeg.Classic;

namespace Dori.Pictures;

/// <summary>
/// Whether a JPEG's coded data are what was written. SkiaSharp decodes over a hole in them and says nothing; a second decoder counts. Zeros
/// alone are no sign: a white background is coded in thousands of them.
/// </summary>
internal static partial class JpegData
{
    /// <summary>Pictures above it are not looked at: the second decoder is slow.</summary>
    private const long MostPixels = 40_000_000;
    /// <summary>Bytes too many before a marker that some cameras leave, in a picture that is whole.</summary>
    private const int MostLeftOver = 16;

    /// <returns>
    /// True where rows ran out of data, or data are left when all rows are there: from a hole on, the picture is not the one that was
    /// written. A hole of a few bytes may pass.
    /// </returns>
    public static bool IsDamaged(ReadOnlySpan<byte> file)
    {
        var messages = new Messages();
        try
        {
            var decoder = new jpeg_decompress_struct(messages);
            decoder.jpeg_stdio_src(new MemoryStream(file.ToArray()));
            decoder.jpeg_read_header(true);
            if ((long)decoder.Image_width * decoder.Image_height > MostPixels) return false;
            decoder.Out_color_space = decoder.Jpeg_color_space;
            (decoder.Do_fancy_upsampling, decoder.Dct_method) = (false, J_DCT_METHOD.JDCT_IFAST);
            decoder.jpeg_start_decompress();
            byte[][] row = [new byte[decoder.Output_width * decoder.Output_components]];
            while (decoder.Output_scanline < decoder.Output_height) decoder.jpeg_read_scanlines(row, 1);
            decoder.jpeg_finish_decompress();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A kind that it does not read (arithmetic coding, 12 bits) is not for it to judge.
        }
        return messages.Damaged;
    }

    private sealed partial class Messages : jpeg_error_mgr
    {
        public bool Damaged { get; private set; }

        public override void emit_message(int msg_level)
        {
            if (msg_level >= 0) return;
            string message = format_message();
            Damaged |= message.Contains("premature end of data segment", StringComparison.Ordinal)
                || message.Contains("bad Huffman code", StringComparison.Ordinal)
                || (LeftOver().Match(message) is { Success: true } match
                    && int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) > MostLeftOver);
        }

        public override void output_message()
        {
        }

        [GeneratedRegex("Corrupt JPEG data: ([0-9]{1,9}) extraneous bytes")]
        private static partial Regex LeftOver();
    }
}
