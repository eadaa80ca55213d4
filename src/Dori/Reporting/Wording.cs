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

    /// <summary>How many pictures that are held this audit would have found: beside whatever was not. Without a full stop.</summary>
    public static string Power(Summary summary) => summary.Original switch
    {
        { Power: { } power } original => $"Power: of {Show.Count(original.Asked)} pictures that the original, {original.Name}, is expected "
            + $"to hold, this audit finds {Show.Count(original.GivenBack)} ({Show.Percent(power.Value)}, {Show.Bounds(power)})",
        { } => "Power: not measured; the original\u2019s answer is not complete",
        null => "Power: not measured; what this audit would find of pictures that are held is not known (name a model that holds them as "
            + "the original)",
    };

    /// <summary>What training added, in bits.</summary>
    public static string Gain(ReferencePicture picture) => picture is not { GainBits: { } bits, GainError: { } error } ? Show.None
        : $"{Show.Whole(bits)} \u00B1 {Show.Whole(error)}";

    public static string FirstCopy(int? steps, int all) => steps switch
    {
        null => $"none within {Show.Steps(all)}",
        0 => "0 steps: the prompt alone does",
        { } n => Show.Steps(n),
    };
}
