namespace Dori.Reporting;

/// <summary>The audit's terms as the report writes them.</summary>
internal static class Wording
{
    public static string Start(string start) => start switch
    {
        "prompt" => "prompt alone, no search",
        "caption" => "search from the caption",
        "other" => "search from another caption",
        "random" => "search from noise",
        _ => "search from " + start,
    };

    public static string Group(string group) => group switch
    {
        "audit" => "pictures",
        "all" => "all audited",
        "control" => "controls",
        _ => group,
    };

    /// <summary>Look of a group in plots: the same everywhere.</summary>
    public static int Look(string group) => group switch { "verbatim" => 0, "template" => 1, "audit" or "" => 2, "all" => 3, "control" => 5, _ => 4 };

    /// <summary>A verdict's sign beside its word, and its class in the style sheet: never colour alone.</summary>
    public static (string Sign, string Class) Verdict(string verdict) => verdict switch
    {
        "retained" => ("\u25A0", "retained"),
        "undecided" => ("\u25E7", "undecided"),
        "not found" => ("\u25A1", "not-found"),
        _ => ("\u2013", "not-judged"),
    };

    public static string FirstCopy(int? steps, int all) => steps switch
    {
        null => $"none within {Show.Steps(all)}",
        0 => "0 steps: the prompt alone does",
        { } n => Show.Steps(n),
    };
}
