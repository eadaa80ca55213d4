using Dori.Audit;
namespace Dori.Reporting;

/// <summary>The audit's terms as the report writes them.</summary>
internal static class Wording
{
    public static string Start(AuditStart? start) => start switch
    {
        AuditStart.Prompt => "prompt alone, no search",
        AuditStart.Caption => "search from the caption",
        AuditStart.Other => "search from another caption",
        AuditStart.Random => "search from noise",
        _ => "no start",
    };

    public static string Group(string group) => group switch
    {
        ItemGroup.Audit => "pictures",
        ItemGroup.All => "all audited",
        ItemGroup.Control => "controls",
        _ => group,
    };

    /// <summary>Look of a group in plots: the same everywhere.</summary>
    public static int Look(string group) => group switch
    {
        ItemGroup.Verbatim => 0,
        ItemGroup.Template => 1,
        ItemGroup.Audit => 2,
        ItemGroup.All => 3,
        ItemGroup.Control => 5,
        _ => 4,
    };

    /// <summary>A verdict's sign beside its word, and its class in the style sheet: never colour alone.</summary>
    public static (string Sign, string Class) Sign(Verdict verdict) => verdict switch
    {
        Verdict.Retained => ("\u25A0", "retained"),
        Verdict.Undecided => ("\u25E7", "undecided"),
        Verdict.NotFound => ("\u25A1", "not-found"),
        _ => ("\u2013", "not-judged"),
    };

    public static string FirstCopy(int? steps, int all) => steps switch
    {
        null => $"none within {Show.Steps(all)}",
        0 => "0 steps: the prompt alone does",
        { } n => Show.Steps(n),
    };
}
