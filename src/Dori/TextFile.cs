using System.Text;

namespace Dori;

/// <summary>
/// Texts that lie where weights belong: a page that says "access denied", saved under the file's name, is the most common.
/// </summary>
internal static class TextFile
{
    private const int Longest = 24, Fewest = 8;

    /// <param name="start">The file's first bytes.</param>
    /// <returns>How the text begins, without line breaks; null where the bytes are no text.</returns>
    public static string? Start(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("\uFEFF"u8)) start = start[3..];
        start = start[..Math.Min(start.Length, Longest)];
        foreach (byte b in start)
            if (b is < 0x20 and not ((byte)'\t' or (byte)'\n' or (byte)'\r') or > 0x7E) return null;
        return start.Length < Fewest ? null : Encoding.ASCII.GetString(start).ReplaceLineEndings(" ").Replace('\t', ' ').Trim();
    }
}
