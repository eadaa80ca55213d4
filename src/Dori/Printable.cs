using System.Text;

namespace Dori;

/// <summary>
/// Captions, file names and URLs come from strangers: a terminal would obey the escapes in them, and bidirectional controls turn the words
/// around them. What is shown to a person goes through here.
/// </summary>
internal static class Printable
{
    /// <summary>One line: line breaks and tabs become blanks, what cannot be seen becomes U+FFFD.</summary>
    public static string Line(string text) => Clean(text, keepLines: false);

    /// <summary>As <see cref="Line"/>, but line ends and tabs stay.</summary>
    public static string Lines(string text) => Clean(text, keepLines: true);

    private static string Clean(string text, bool keepLines)
    {
        if (text.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0) return text;
        var safe = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) // a lone surrogate comes as U+FFFD
        {
            if (keepLines && (rune.Value is '\n' or '\r' or '\t')) safe.Append((char)rune.Value);
            else if (IsBreak(rune)) safe.Append(' ');
            else if (IsUnseen(rune)) safe.Append('\uFFFD');
            else safe.Append(rune.ToString());
        }
        return safe.ToString();
    }

    /// <summary>Ends a line, or moves within it: also U+0085, U+2028 and U+2029.</summary>
    public static bool IsBreak(Rune rune) => rune.Value is (>= '\t' and <= '\r') or 0x85 or 0x2028 or 0x2029;

    /// <summary>Controls (C0, C1), characters that change the writing direction, noncharacters, tags.</summary>
    public static bool IsUnseen(Rune rune) =>
        Rune.IsControl(rune) || rune.Value is 0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069)
            or 0xFEFF or (>= 0xFFF9 and <= 0xFFFB) or (>= 0xFDD0 and <= 0xFDEF) or (>= 0xE0000 and <= 0xE0FFF)
        || (rune.Value & 0xFFFE) == 0xFFFE;
}
