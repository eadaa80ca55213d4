using MathNet.Numerics.Distributions;

namespace Dori.Measures;

/// <param name="Value">Where half succeed; null where the fit says that the share does not rise.</param>
/// <param name="Low">Null: open, no dose is too small for the data.</param>
/// <param name="High">Null: open, no dose is too large.</param>
internal sealed record HalfDose(double? Value, double? Low, double? High);

// How a share rises with a dose, and what right guesses say.
internal static partial class Statistics
{
    /// <summary>Logistic regression of successes on a dose's logarithm with Firth's penalty (1993), which is finite under
    /// separation.</summary>
    /// <param name="x">log dose.</param>
    /// <returns>Of logit = a + b x.</returns>
    public static (double A, double B) Firth(IReadOnlyList<double> x, IReadOnlyList<bool> y)
    {
        double a = 0, b = 0, center = x.Average();
        double[] z = [.. x.Select(value => value - center)];
        for (int step = 0; step < 200; step++)
        {
            (double Ua, double Ub, double Iaa, double Iab, double Ibb) = Score(z, y, a, b);
            double det = Iaa * Ibb - Iab * Iab;
            if (!(det > 1e-300)) break; // one dose only: no slope can be told
            (double da, double db) = ((Ibb * Ua - Iab * Ub) / det, (Iaa * Ub - Iab * Ua) / det);
            double scale = Math.Min(1, 1 / Math.Max(Math.Abs(da), Math.Max(Math.Abs(db), 1e-300))), before = Penalized(z, y, a, b);
            while (scale > 1e-9 && Penalized(z, y, a + scale * da, b + scale * db) < before) scale /= 2;
            (a, b) = (a + scale * da, b + scale * db);
            if (Math.Abs(da) + Math.Abs(db) < 1e-10) break;
        }
        return (a - b * center, b);
    }

    /// <summary>The modified score and the information.</summary>
    private static (double, double, double, double, double) Score(double[] x, IReadOnlyList<bool> y, double a, double b)
    {
        double[] p = [.. x.Select(value => 1 / (1 + Math.Exp(-(a + b * value))))];
        double aa = 0, ab = 0, bb = 0, ua = 0, ub = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double w = p[i] * (1 - p[i]);
            (aa, ab, bb) = (aa + w, ab + w * x[i], bb + w * x[i] * x[i]);
        }
        double det = aa * bb - ab * ab;
        for (int i = 0; i < x.Length; i++)
        {
            double w = p[i] * (1 - p[i]), h = det > 0 ? w * (bb - 2 * ab * x[i] + aa * x[i] * x[i]) / det : 0; // leverage
            double u = (y[i] ? 1 : 0) - p[i] + h * (0.5 - p[i]);
            (ua, ub) = (ua + u, ub + u * x[i]);
        }
        return (ua, ub, aa, ab, bb);
    }

    /// <summary>Log-likelihood and half the log of the information's determinant.</summary>
    private static double Penalized(double[] x, IReadOnlyList<bool> y, double a, double b)
    {
        double l = 0, aa = 0, ab = 0, bb = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double eta = a + b * x[i], softplus = Math.Max(eta, 0) + Math.Log(1 + Math.Exp(-Math.Abs(eta)));
            double w = Math.Exp(eta - 2 * softplus);
            l += (y[i] ? eta : 0) - softplus;
            (aa, ab, bb) = (aa + w, ab + w * x[i], bb + w * x[i] * x[i]);
        }
        double det = aa * bb - ab * ab;
        return det > 0 ? l + Math.Log(det) / 2 : double.NegativeInfinity;
    }

    /// <summary>
    /// The dose at which half succeed, by <see cref="Firth"/> on log dose, with the 95 % interval of the profile of the penalized
    /// likelihood. An end that the data do not close within a factor of 1,000 of the doses tried is open.
    /// </summary>
    /// <param name="doses">Above 0, at least two different ones.</param>
    public static HalfDose DoseOfHalf(IReadOnlyList<double> doses, IReadOnlyList<bool> successes)
    {
        const double beyond = 1000, drop = 3.841458820694124 / 2; // chi-square, 1 degree of freedom, 95 %
        double[] x = [.. doses.Select(dose => Math.Log(dose))];
        double center = x.Average();
        double[] z = [.. x.Select(value => value - center)];
        (double a, double b) = Firth(x, successes);
        if (!(b > 0)) return new HalfDose(null, null, null);
        double half = -a / b - center, top = Penalized(z, successes, a + b * center, b);
        double low = z.Min() - Math.Log(beyond), high = z.Max() + Math.Log(beyond);
        bool Inside(double m) => top - Profile(z, successes, m) <= drop;
        return new HalfDose(Math.Exp(half + center), End(half, low), End(half, high));

        double? End(double from, double to)
        {
            // Beyond the doses tried the profile is monotone; within a factor of 1,000 of them it is looked at in steps.
            const int steps = 400;
            double inside = from;
            for (int k = 1; k <= steps; k++)
            {
                double m = from + (to - from) * k / steps;
                if (Inside(m)) { inside = m; continue; }
                double outside = m;
                for (int i = 0; i < 60; i++)
                    if (Inside((inside + outside) / 2)) inside = (inside + outside) / 2;
                    else outside = (inside + outside) / 2;
                return Math.Exp(inside + center);
            }
            return null;
        }
    }

    /// <summary>Largest penalized likelihood where half succeed at m: over the slope, by a grid and golden sections.</summary>
    private static double Profile(double[] z, IReadOnlyList<bool> y, double m)
    {
        double Of(double logSlope) => Penalized(z, y, -Math.Exp(logSlope) * m, Math.Exp(logSlope));
        const double least = -7, most = 4, step = 0.25;
        double best = least;
        for (double s = least; s <= most; s += step)
            if (Of(s) > Of(best)) best = s;
        (double low, double high) = (best - step, best + step);
        double golden = (Math.Sqrt(5) - 1) / 2;
        for (int i = 0; i < 40; i++)
        {
            (double c, double d) = (high - golden * (high - low), low + golden * (high - low));
            if (Of(c) > Of(d)) high = d;
            else low = c;
        }
        return Of((low + high) / 2);
    }

    /// <summary>
    /// Lower bound, 95 %, on the epsilon of pure differential privacy from one training run (Steinke, Nasr, Jagielski, NeurIPS 2023): right
    /// guesses are at most Binomial(guesses, e^eps / (1 + e^eps)), so that every eps under which so many are rarer than 5 % is refuted.
    /// </summary>
    /// <returns>The largest refuted eps; 0 where none is.</returns>
    public static double EpsilonBound(int right, int guesses)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(right);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(right, guesses);
        if (right == 0) return 0;
        double p = Beta.InvCDF(right, guesses - right + 1, 0.05); // P[Binomial(guesses, p) >= right] = 0.05
        return Math.Max(0, Math.Log(p / (1 - p)));
    }
}
