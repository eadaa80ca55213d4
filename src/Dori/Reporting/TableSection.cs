using Dori.Pictures;
using Dori.Audit;

namespace Dori.Reporting;

/// <summary>All figures of all pictures in one table.</summary>
internal static class TableSection
{
    public static void Write(HtmlWriter html, AuditView view)
    {
        using (html.Open("section", ("aria-labelledby", "table")))
        {
            html.Element("h2", "All pictures", ("id", "table"));
            using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", "All pictures"), ("tabindex", "0")))
                using (html.Open("table", ("class", "all"), ("aria-label", "All pictures")))
                {
                    using (html.Open("thead"))
                        using (html.Open("tr"))
                            foreach ((string name, string? css) in Columns(view))
                                html.Element("th", name, ("scope", "col"), ("class", css));
                    Body(html, view, view.Targets, "Audited pictures, in the order of the section above");
                    Body(html, view, view.Controls, "Controls, the most similar first");
                }
            NearDuplicates(html, view.Summary);
            html.Element("p",
                "Best, prompt and search are similarities: over all starts, of the prompt alone, and over the searches; those "
                + $"above {Show.Short(view.Summary.Threshold)} are bold. \u201CBy\u201D is the start that gave the best. \u201CFirst "
                + "copy\u201D is the fewest search steps after which a generation passes: 0 where the prompt alone does. Controls carry no "
                + $"verdict.{(view.Summary.Original is null ? "" : " \u201COriginal\u201D is the best that the original gives back.")}"
                + (view.Summary.Reference is null ? "" : " \u201CReference\u201D: whether the reference gives back too what this model "
                    + "does; its best; D, this model\u2019s best less that; its p-value among the controls\u2019 D; and, without any "
                    + "search, the bits by which training made the picture likelier."),
                ("class", "legend"));
        }
    }

    private static void NearDuplicates(HtmlWriter html, Summary summary)
    {
        if (summary.NearDuplicates is not { Count: > 0 } groups) return;
        html.Element("p", $"Near-duplicates by the copy detector ({summary.CopyDetector}, at its own threshold), which "
            + $"count once in every rate and interval: {string.Join("; ", groups.Select(group => string.Join(", ", group)))}.",
            ("class", "legend"));
    }

    private static (string Name, string? Css)[] Columns(AuditView view) =>
    [
        ("#", "number"), ("Caption", null), ("File", null), ("Kind", null), ("Verdict", null), ("Best", "number"), ("By", null),
        ("Prompt", "number"), ("Search", "number"), ("p", "number"), ("First copy", "number"),
        .. view.Summary.Original is null ? [] : new (string, string?)[] { ("Original", "number") },
        .. view.Summary.Reference is null ? [] : new (string, string?)[]
            { ("Reference", null), ("Its best", "number"), ("D", "number"), ("p of D", "number"), ("Gain, bits", "number") },
    ];

    private static void Body(HtmlWriter html, AuditView view, IReadOnlyList<PictureSummary> pictures, string name)
    {
        if (pictures.Count == 0) return;
        using (html.Open("tbody"))
        {
            using (html.Open("tr"))
                html.Element("th", name, ("scope", "rowgroup"), ("colspan", Show.Count(Columns(view).Length)), ("class", "start"));
            for (int i = 0; i < pictures.Count; i++)
            {
                PictureSummary p = pictures[i];
                bool control = p.Role == PictureRole.Control;
                using (html.Open("tr", ("class", control ? "control" : null)))
                {
                    html.Element("td", Show.Count(i + 1), ("class", "number"));
                    using (html.Open("th", ("scope", "row")))
                        html.Foreign(p.Caption.Length > 0 ? p.Caption : "(no caption)");
                    using (html.Open("td")) html.Foreign(p.File);
                    html.Element("td", control ? ItemGroup.Control : p.Kind.Text());
                    using (html.Open("td"))
                    {
                        if (control) html.Text("\u2013");
                        else PicturesSection.Badge(html, p.Verdict);
                    }
                    Similarity(html, view, p.Similarity);
                    html.Element("td", p.Start?.Text() ?? "");
                    Similarity(html, view, p.PromptSimilarity);
                    Similarity(html, view, p.SearchSimilarity);
                    html.Element("td", control || p.Verdict == Verdict.NotJudged ? "\u2013" : Show.PValue(p.PValue), ("class", "number"));
                    html.Element("td", p.StepsToFirstCopy is { } steps ? Show.Count(steps) : "\u2013", ("class", "number"));
                    if (view.Summary.Original is { } original)
                    {
                        if (original.Of(p) is { Start: not null } found) Similarity(html, view, found.Similarity);
                        else html.Element("td", "\u2013", ("class", "number"));
                    }
                    if (view.Summary.Reference?.Of(p) is { } reference) Reference(html, view, reference);
                }
            }
        }
    }

    private static void Reference(HtmlWriter html, AuditView view, ReferencePicture p)
    {
        html.Element("td", p.Answer == ReferenceAnswer.None ? "\u2013" : p.Answer.Text());
        if (p.Start is null) html.Element("td", "\u2013", ("class", "number"));
        else Similarity(html, view, p.Similarity);
        html.Element("td", Show.Similarity(p.Difference ?? double.NaN), ("class", "number"));
        html.Element("td", Show.PValue(p.PValue ?? double.NaN), ("class", "number"));
        html.Element("td", Wording.Gain(p), ("class", "number"));
    }

    private static void Similarity(HtmlWriter html, AuditView view, double value) =>
        html.Element("td", Show.Similarity(value), ("class", value > view.Summary.Threshold ? "number copy" : "number"));
}
