using System.Globalization;
using Dori.Measures;

namespace Dori.Reporting;

/// <summary>Figures as a reader sees them: the same on every machine, with a dash where there is none.</summary>
internal static class Show
{
    public const string None = "\u2013";

    /// <summary>Three decimals: with two, a similarity just below the threshold would read as the threshold.</summary>
    public static string Similarity(double value) => Fixed(value, "0.000");

    public static string PValue(double value) => Fixed(value, value < 0.001 ? "0.0000" : "0.000");

    /// <summary>Without needless zeros, such as a threshold or an axis' tick.</summary>
    public static string Short(double value) => Fixed(value, "0.######");

    public static string Percent(double share) => double.IsFinite(share) ? Fixed(100 * share, "0.0") + "\u00A0%" : None;

    public static string Interval(double low, double high) => $"{Fixed(100 * low, "0.0")} to {Fixed(100 * high, "0.0")}\u00A0%";

    /// <summary>What lies beside a rate: its interval, or of 0 its one-sided bound.</summary>
    public static string Bounds(Rate rate) => rate is { Count: 0, High: < 1 } ? $"95 % one-sided bound {Percent(rate.High)}"
        : $"95 % interval {Interval(rate.Low, rate.High)}";

    /// <summary>The same in a column that is called 95 %.</summary>
    public static string Range(Rate rate) =>
        rate is { Count: 0, High: < 1 } ? $"at most {Percent(rate.High)}" : Interval(rate.Low, rate.High);

    /// <summary>A rate and what lies beside it, for a terminal.</summary>
    public static string Plain(Rate rate) => rate is { Count: 0, High: < 1 }
        ? string.Create(CultureInfo.InvariantCulture, $"{rate.Value:0.00} (at most {rate.High:0.00})")
        : string.Create(CultureInfo.InvariantCulture, $"{rate.Value:0.00} ({rate.Low:0.00} to {rate.High:0.00})");

    public static string Spread(double median, double deviation) => $"{Similarity(median)} \u00B1 {Similarity(deviation)}";

    /// <summary>With its sign where a figure is a lower bound.</summary>
    public static string AtLeast(bool lowerBound, string figure) => lowerBound ? $"\u2265 {figure}" : figure;

    public static string Whole(double value) => Fixed(value, "#,0");

    public static string Count(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A coordinate of a drawing.</summary>
    public static string Coordinate(double value) =>
        Math.Round(value, 2).ToString("0.##", CultureInfo.InvariantCulture) is var text && text == "-0" ? "0" : text;

    public static string Steps(int steps) => steps == 1 ? "1 step" : $"{Count(steps)} steps";

    private static string Fixed(double value, string format)
    {
        if (!double.IsFinite(value)) return None;
        string text = value.ToString(format, CultureInfo.InvariantCulture);
        return text.StartsWith('-') ? (text.AsSpan().IndexOfAnyInRange('1', '9') < 0 ? text[1..] : "\u2212" + text[1..]) : text;
    }
}
