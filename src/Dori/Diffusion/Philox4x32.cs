namespace Dori.Diffusion;

/// <summary>
/// Philox4x32-10, a counter-based generator: number i of a stream is a function of (key, i) alone.
/// Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
/// </summary>
internal static class Philox4x32
{
    public static (uint X0, uint X1, uint X2, uint X3) Block(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < 10; round++)
        {
            ulong first = (ulong)c0 * 0xD2511F53, second = (ulong)c2 * 0xCD9E8D57;
            (c0, c1, c2, c3) = ((uint)(second >> 32) ^ c1 ^ k0, (uint)second, (uint)(first >> 32) ^ c3 ^ k1, (uint)first);
            k0 += 0x9E3779B9; // the golden ratio
            k1 += 0xBB67AE85; // the square root of 3, less 1
        }
        return (c0, c1, c2, c3);
    }
}
