using Dori.Pictures;

namespace Dori.Audit;

/// <summary>What rates are taken over: the groups of summaries and comparisons.</summary>
internal static class ItemGroup
{
    public const string Verbatim = "verbatim", Template = "template", Control = "control";
    /// <summary>Audited items without a kind.</summary>
    public const string Audit = "audit";
    /// <summary>All but controls.</summary>
    public const string All = "all";

    /// <summary>Of audited items, in the order of tables.</summary>
    public static IReadOnlyList<string> Audited { get; } = [Verbatim, Template, Audit];

    public static string Of(PictureRole role, PictureKind kind) =>
        role == PictureRole.Control ? Control : kind == PictureKind.None ? Audit : kind.Text();
}
