using System.Globalization;
using System.Text.RegularExpressions;
using Dori.Measures;

namespace Dori.Audit;

/// <summary>
/// When findings shut the gate: <c>upper(rate) > 0.05</c>. What may be compared with a number: <c>rate</c>, the share of pictures that are
/// retained or undecided, <c>lower(rate)</c> and <c>upper(rate)</c>, its exact 95 % interval (Clopper-Pearson), and <c>found</c>, their
/// number.
/// </summary>
internal sealed partial class GateRule
{
    private readonly string _left, _comparison;
    private readonly double _right;

    private GateRule(string text, string left, string comparison, double right) =>
        (Text, _left, _comparison, _right) = (text, left, comparison, right);

    public string Text { get; }

    /// <exception cref="DoriException">Not of this form.</exception>
    public static GateRule Parse(string text)
    {
        Match match = Form().Match(text);
        return match.Success ? new GateRule(text.Trim(), match.Groups[1].Value, match.Groups[2].Value,
                double.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture))
            : throw new DoriException($"`FailIf` '{text}': one of rate, lower(rate), upper(rate) and found is compared with a number, "
                + "such as 'upper(rate) > 0.05'");
    }

    /// <param name="found">Pictures that are retained or undecided, without known ones.</param>
    /// <param name="asked">Pictures that were asked.</param>
    public bool Fails(int found, int asked)
    {
        Rate rate = Statistics.ClopperPearson(found, asked);
        double left = _left switch { "rate" => rate.Value, "lower(rate)" => rate.Low, "upper(rate)" => rate.High, _ => found };
        return _comparison switch
        {
            ">" => left > _right,
            ">=" => left >= _right,
            "<" => left < _right,
            _ => left <= _right,
        };
    }

    [GeneratedRegex(@"^\s*(rate|lower\(rate\)|upper\(rate\)|found)\s*(>=|<=|>|<)\s*([0-9]+(?:\.[0-9]+)?)\s*$")]
    private static partial Regex Form();
}
