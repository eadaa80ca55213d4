namespace Dori.Reporting;

/// <summary>95 % Wilson score interval of a share (Wilson 1927), for the counts that only the report makes.</summary>
internal static class Wilson
{
    private const double Z = 1.959963984540054;

    public static (double Low, double High) Interval(int count, int of)
    {
        if (of == 0) return (0, 1);
        double share = (double)count / of, z2 = Z * Z, scale = 1 + z2 / of;
        double middle = (share + z2 / (2 * of)) / scale;
        double half = Z * Math.Sqrt(share * (1 - share) / of + z2 / (4.0 * of * of)) / scale;
        return (count == 0 ? 0 : Math.Max(0, middle - half), count == of ? 1 : Math.Min(1, middle + half));
    }
}
