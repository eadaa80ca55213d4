using System.Text.RegularExpressions;

namespace Dori.Cli;

/// <summary>The library calls options by their properties' names, <c>`SamplerSteps`</c>; here they are flags:
/// <c>--sampler-steps</c>.</summary>
internal static partial class Flags
{
    public static string In(string text) =>
        Option().Replace(text, match => "--" + Word.Apart(match.Groups[1].Value, '-'));

    [GeneratedRegex("`([A-Z][A-Za-z]+)`")]
    private static partial Regex Option();
}
