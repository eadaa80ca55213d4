using Dori.Audit;

namespace Dori.Reporting;

/// <summary>What finds a picture among many, without a script: a filter by verdict, contents, and the other pages.</summary>
internal static class PicturesIndex
{
    /// <summary>From how many pictures on there are contents and a filter.</summary>
    private const int Few = 8;
    private static readonly Verdict[] s_verdicts = [Verdict.Retained, Verdict.Undecided, Verdict.NotFound, Verdict.NotJudged];

    /// <summary>A card's element, by its number among all, from 1.</summary>
    public static string IdOf(int number) => $"picture-{number}";

    /// <summary>A verdict as a class of the style sheet.</summary>
    public static string Mark(Verdict verdict) => $"is-{verdict.Text().Replace(' ', '-')}";

    public static int PagesOf(AuditView view) => Math.Max(1, (view.Targets.Count + PicturesSection.PerPage - 1) / PicturesSection.PerPage);

    public static string FileOf(int page) => page == 1 ? "report.html" : $"report-{page}.html";

    public static void Write(HtmlWriter html, AuditView view, int page)
    {
        if (view.Targets.Count < Few) return;
        Filter(html, view);
        int pages = PagesOf(view);
        if (pages > 1)
            using (html.Open("nav", ("class", "pages"), ("aria-label", "Pages")))
                for (int other = 1; other <= pages; other++)
                {
                    string text =
                        $"{(other - 1) * PicturesSection.PerPage + 1} to {Math.Min(view.Targets.Count, other * PicturesSection.PerPage)}";
                    if (other == page) html.Element("span", text, ("aria-current", "page"));
                    else html.Element("a", text, ("href", FileOf(other)));
                    html.Text(" ");
                }
        if (page > 1) return;
        using (html.Open("details", ("class", "contents")))
        {
            html.Element("summary", $"All {Show.Count(view.Targets.Count)} pictures");
            using (html.Open("ol"))
                for (int i = 0; i < view.Targets.Count; i++)
                {
                    PictureSummary picture = view.Targets[i];
                    int on = i / PicturesSection.PerPage + 1;
                    using (html.Open("li", ("class", Mark(picture.Verdict))))
                    {
                        using (html.Open("a", ("href", $"{(on == page ? "" : FileOf(on))}#{IdOf(i + 1)}")))
                            html.Foreign(picture.Caption.Length > 0 ? picture.Caption : picture.Item);
                        html.Text($" {picture.Verdict.Text()}, {Show.Similarity(picture.Similarity)}");
                    }
                }
        }
    }

    /// <summary>The style sheet hides the cards of other verdicts than the one that is checked.</summary>
    private static void Filter(HtmlWriter html, AuditView view)
    {
        Verdict[] there = [.. s_verdicts.Where(verdict => view.Targets.Any(picture => picture.Verdict == verdict))];
        if (there.Length < 2) return;
        using (html.Open("fieldset", ("class", "filter")))
        {
            html.Element("legend", "Show");
            Choice(html, "all", $"all {Show.Count(view.Targets.Count)}", isChecked: true);
            foreach (Verdict verdict in there)
                Choice(html, Mark(verdict), $"{verdict.Text()}, {Show.Count(view.Targets.Count(p => p.Verdict == verdict))}",
                    isChecked: false);
        }
    }

    private static void Choice(HtmlWriter html, string value, string text, bool isChecked)
    {
        using (html.Open("label"))
        {
            html.Void("input", ("type", "radio"), ("name", "verdict"), ("value", value), ("checked", isChecked ? "checked" : null));
            html.Text(" " + text + " ");
        }
    }
}
