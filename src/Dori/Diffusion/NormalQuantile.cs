namespace Dori.Diffusion;

/// <summary>
/// The inverse of the normal distribution function: Wichura 1988, algorithm AS 241 (PPND16), about 1e-15 relative.
/// Only additions, multiplications, divisions and square roots, which IEEE 754 fixes to the last bit, so that it gives the same numbers on
/// every machine; the logarithm of the C library, which differs between systems in the last place, is replaced by one of these.
/// </summary>
internal static class NormalQuantile
{
    /// <param name="p">In (0, 1).</param>
    public static double Of(double p)
    {
        double q = p - 0.5;
        if (Math.Abs(q) <= 0.425)
        {
            double r = 0.180625 - q * q;
            return q * (
                ((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r + 45921.953931549871457) * r
                        + 13731.693765509461125) * r + 1971.5909503065514427) * r + 133.14166789178437745) * r + 3.3871328727963666080)
                / (((((((5226.4952788528545610 * r + 28729.085735721942674) * r + 39307.895800092710610) * r + 21213.794301586595867) * r
                        + 5394.1960214247511077) * r + 687.18700749205790830) * r + 42.313330701600911252) * r + 1);
        }
        double tail = Math.Sqrt(-Log(q < 0 ? p : 1 - p));
        double value;
        if (tail <= 5)
        {
            double r = tail - 1.6;
            value = (
                ((((((7.74545014278341407640e-4 * r + 0.0227238449892691845833) * r + 0.241780725177450611770) * r
                + 1.27045825245236838258) * r
                        + 3.64784832476320460504) * r + 5.76949722146069140550) * r + 4.63033784615654529590) * r + 1.42343711074968357734)
                / (((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 0.0151986665636164571966) * r
                    + 0.148103976427480074590) * r
                        + 0.689767334985100004550) * r + 1.67638483018380384940) * r + 2.05319162663775882187) * r + 1);
        }
        else
        {
            double r = tail - 5;
            value = (
                ((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.00124266094738807843860) * r
                + 0.0265321895265761230930) * r
                        + 0.296560571828504891230) * r + 1.78482653991729133580) * r + 5.46378491116411436990) * r + 6.65790464350110377720)
                / (((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) * r
                    + 7.86869131145613259100e-4) * r
                        + 0.0148753612908506148525) * r + 0.136929880922735805310) * r + 0.599832206555887937690) * r + 1);
        }
        return q < 0 ? -value : value;
    }

    /// <summary>log x = k log 2 + 2 artanh((m - 1) / (m + 1)) for x = m 2^k, m in [sqrt 1/2, sqrt 2); x normal and positive.</summary>
    internal static double Log(double x)
    {
        const double ln2 = 0.693147180559945309417;
        long bits = BitConverter.DoubleToInt64Bits(x);
        int exponent = (int)(bits >> 52) - 1023;
        double m = BitConverter.Int64BitsToDouble((bits & 0xFFFFFFFFFFFFF) | 1023L << 52);
        if (m > 1.41421356237309504880) { m /= 2; exponent++; }
        double s = (m - 1) / (m + 1), square = s * s, sum = 0;
        for (int n = 21; n >= 1; n -= 2) sum = sum * square + 1.0 / n; // s^2 <= 0.0295: the next term is below 1e-18
        return exponent * ln2 + 2 * s * sum;
    }
}
