using System.Security.Cryptography;
using System.Text;

namespace Dori;

/// <summary>Names for settings and inputs that are too long to be one.</summary>
internal static class Sha256Text
{
    /// <returns>64 lower-case hexadecimal digits of the text's UTF-8 bytes</returns>
    public static string Of(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <returns>The first 12 of them: for a file's name.</returns>
    public static string Short(string text) => Of(text)[..12];
}
