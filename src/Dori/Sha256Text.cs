using System.Security.Cryptography;
using System.Text;

namespace Dori;

/// <summary>Names for settings and inputs that are too long to be one.</summary>
internal static class Sha256Text
{
    /// <returns>64 lower-case hexadecimal digits of the text's UTF-8 bytes</returns>
    public static string Of(string text) => Of(Encoding.UTF8.GetBytes(text));

    /// <returns>64 lower-case hexadecimal digits of the bytes</returns>
    public static string Of(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <returns>The first 12 of them: for a file's name.</returns>
    public static string Short(string text) => Of(text)[..12];
}
