using System.ComponentModel.DataAnnotations;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;

namespace Dori;

/// <summary>One look at all ranges of a record of options: <c>[Range]</c> stands on the property, <c>[Display]</c> its name where it has
/// another.</summary>
internal static class Ranges
{
    /// <param name="more">What a range alone cannot say: whether all is well, else the sentence about it.</param>
    /// <exception cref="DoriException">Every value that is out of range, by its option's name.</exception>
    public static void Check<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicProperties)] T>(T options,
        params IEnumerable<(bool Well, string Otherwise)> more) where T : notnull
    {
        IEnumerable<string> wrong = typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(property => (property, range: property.GetCustomAttribute<RangeAttribute>())).Where(pair => pair.range is not null)
            .SelectMany(pair => Values(pair.property.GetValue(options)).Where(value => !Holds(pair.range!, value))
                .Select(value =>
                    Sentence(pair.property.GetCustomAttribute<DisplayAttribute>()?.Name ?? pair.property.Name, value, pair.range!)));
        string[] all = [.. wrong, .. more.Where(pair => !pair.Well).Select(pair => pair.Otherwise)];
        if (all.Length > 0) throw new DoriException(string.Join("; ", all));
    }

    /// <summary>A list is looked at value by value; null is in range.</summary>
    private static IEnumerable<IFormattable> Values(object? value) => value switch
    {
        null => [],
        IFormattable one => [one],
        System.Collections.IEnumerable many => many.Cast<IFormattable>(),
        _ => throw new InvalidOperationException($"{value.GetType()} has no range"),
    };

    private static bool Holds(RangeAttribute range, IFormattable value)
    {
        double number = Convert.ToDouble(value, CultureInfo.InvariantCulture), low = Number(range.Minimum), high = Number(range.Maximum);
        return (range.MinimumIsExclusive ? number > low : number >= low) && (range.MaximumIsExclusive ? number < high : number <= high);
    }

    private static string Sentence(string name, IFormattable value, RangeAttribute range) => string.Create(CultureInfo.InvariantCulture,
        $"`{name}`: {value} is out of range; {(range.MinimumIsExclusive ? "above " : "")}{Number(range.Minimum)} to "
        + $"{(range.MaximumIsExclusive ? "below " : "")}{Number(range.Maximum)} is possible");

    private static double Number(object bound) => Convert.ToDouble(bound, CultureInfo.InvariantCulture);
}
