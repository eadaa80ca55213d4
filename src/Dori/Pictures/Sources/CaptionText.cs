using System.Text;

namespace Dori.Pictures.Sources;

/// <summary>A caption's file: one line, as trainers read it.</summary>
internal static class CaptionText
{
    /// <summary>In bytes.</summary>
    public const int Longest = 1 << 16;

    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>A file's.</summary>
    /// <inheritdoc cref="Read(ReadOnlySpan{byte}, string)"/>
    public static (string Caption, bool More) Read(string path) => Read(InputFile.ReadBytes(path, InputKind.Caption), path);

    /// <param name="bytes">UTF-8, with or without a byte order mark, or UTF-16 with one.</param>
    /// <param name="place">What an error calls it.</param>
    /// <returns>The first line that is not blank, and whether others follow; empty where all are blank.</returns>
    /// <exception cref="DoriException">Another encoding: a caption with replacement signs was never trained on.</exception>
    public static (string Caption, bool More) Read(ReadOnlySpan<byte> bytes, string place)
    {
        string[] lines = [.. Decode(bytes, place).Split('\n', '\r').Select(line => line.Trim()).Where(line => line.Length > 0)];
        return lines.Length == 0 ? ("", false) : (lines[0], lines.Length > 1);
    }

    /// <inheritdoc cref="Read(ReadOnlySpan{byte}, string)"/>
    /// <returns>The text without its byte order mark.</returns>
    public static string Decode(ReadOnlySpan<byte> bytes, string place)
    {
        Encoding encoding = bytes switch
        {
            [0xFF, 0xFE, ..] => new UnicodeEncoding(bigEndian: false, byteOrderMark: true, throwOnInvalidBytes: true),
            [0xFE, 0xFF, ..] => new UnicodeEncoding(bigEndian: true, byteOrderMark: true, throwOnInvalidBytes: true),
            _ => s_utf8,
        };
        try
        {
            return encoding.GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            string where = e.BytesUnknown is [var wrong, ..] ? $" (byte 0x{wrong:X2} at {e.Index})" : "";
            throw new DoriException($"{place}: is not UTF-8{where}; save it as UTF-8", e);
        }
    }
}
