namespace Dori.Reporting;

/// <summary>Axis ticks at 1, 2 or 5 times a power of ten.</summary>
internal static class Ticks
{
    /// <summary>The step of 1, 2 or 5 times a power of ten that cuts the range into at most <paramref name="most"/> pieces.</summary>
    public static double Step(double low, double high, int most)
    {
        double range = high - low;
        if (!(range > 0) || !double.IsFinite(range)) return 1;
        double rough = range / most, power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        const double slack = 1 + 1e-9; // 0.1 + 0.2 is not 0.3
        foreach (double factor in (ReadOnlySpan<double>)[1, 2, 5])
            if (rough <= factor * power * slack) return factor * power;
        return 10 * power;
    }

    /// <summary>Multiples of the step from <paramref name="low"/> to <paramref name="high"/>, ends included.</summary>
    public static IReadOnlyList<double> Between(double low, double high, int most = 6)
    {
        double step = Step(low, high, most);
        var ticks = new List<double>();
        for (double k = Math.Ceiling(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.Add(Clean(k * step, step));
        return ticks;
    }

    /// <summary>The smallest range between ticks that holds all values; values that are not finite are passed over.</summary>
    public static (double Low, double High) Around(IEnumerable<double> values, int most = 6)
    {
        double[] finite = [.. values.Where(double.IsFinite)];
        if (finite.Length == 0) return (0, 1);
        (double low, double high) = (finite.Min(), finite.Max());
        if (low == high) (low, high) = (low - 0.5, high + 0.5);
        double step = Step(low, high, most);
        return (Clean(Math.Floor(low / step + 1e-9) * step, step), Clean(Math.Ceiling(high / step - 1e-9) * step, step));
    }

    private static double Clean(double value, double step)
    {
        int digits = Math.Clamp(1 - (int)Math.Floor(Math.Log10(step)), 0, 15);
        return Math.Round(value, digits) + 0.0; // + 0: no negative zero
    }
}
