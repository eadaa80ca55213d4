using Dori.Audit;

namespace Dori.Reporting;

/// <summary>Rates per start and group, the controls' row under each.</summary>
internal static class RatesSection
{
    public static void Write(HtmlWriter html, AuditView view)
    {
        Summary s = view.Summary;
        using (html.Open("section", ("aria-labelledby", "rates")))
        {
            html.Element("h2", "How many come back", ("id", "rates"));
            html.Element("p",
                $"Per start, after its last step. The memorization rate is the share of pictures with a generation above "
                + $"{Show.Short(s.Threshold)}; the last row of each start says how often the same effort forces a picture that the model "
                    + $"was "
                + $"not trained on.");
            using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", "Rates"), ("tabindex", "0")))
                using (html.Open("table", ("class", "rates"), ("aria-label", "Rates per start and group")))
                {
                    using (html.Open("thead"))
                        using (html.Open("tr"))
                            foreach ((string name, string? css) in new (string, string?)[]
                                { ("Group", null), ("Pictures", "number"), ("Copied", "number"), ("Rate", "number"),
                                    ("95 %", "number"),
                                    ("0 to 100 %", null), ("Best similarity", "number"), ("Median similarity", "number"),
                                        ("Diversity", "number") })
                                html.Element("th", name, ("scope", "col"), ("class", css));
                    foreach (IGrouping<AuditStart, GroupSummary> start in s.Groups.GroupBy(g => g.Start)) Body(html, start.Key, [.. start]);
                }
            html.Element("p",
                "95 %: the interval, or where none was copied the exact one-sided bound. Copied: pictures with at least one "
                + "generation above the threshold. Similarities are the median over pictures \u00B1 the median absolute "
                + "deviation: of each picture\u2019s best generation, and of its median generation. Diversity is the median "
                + "similarity among a picture\u2019s own generations: lower is more diverse.", ("class", "legend"));
            if (s.Groups.Count == 0) html.Element("p", "No unit has been finished yet: there are no rates.");
        }
    }

    private static void Body(HtmlWriter html, AuditStart start, IReadOnlyList<GroupSummary> groups)
    {
        using (html.Open("tbody"))
        {
            using (html.Open("tr"))
                using (html.Open("th", ("scope", "rowgroup"), ("colspan", "9"), ("class", "start")))
                {
                    html.Text(Capital(Wording.Start(start)));
                    html.Text(start == AuditStart.Prompt ? "" : $", {Show.Steps(groups[0].Steps)}");
                }
            foreach (GroupSummary g in groups.Where(g => g.Group != ItemGroup.Control)
                .Concat(groups.Where(g => g.Group == ItemGroup.Control)))
                Row(html, g);
            if (groups.All(g => g.Group != ItemGroup.Control))
            {
                using (html.Open("tr", ("class", "control")))
                {
                    html.Element("th", "controls", ("scope", "row"));
                    html.Element("td", "None were run from this start: the rates above have nothing to be compared with.",
                        ("colspan", "8"));
                }
            }
        }
    }

    private static void Row(HtmlWriter html, GroupSummary g)
    {
        var rate = g.MemorizationRate;
        using (html.Open("tr", ("class", g.Group == ItemGroup.Control ? "control" : null)))
        {
            html.Element("th", Wording.Group(g.Group), ("scope", "row"));
            Number(html, Show.Count(g.Distinct ?? g.Images));
            Number(html, Show.AtLeast(g.LowerBound, Show.Count(rate.Count)));
            Number(html, Show.AtLeast(g.LowerBound, Show.Percent(rate.Value)));
            Number(html, Show.Range(rate));
            using (html.Open("td")) Plots.Share(html, rate.Value, rate.Low, rate.High, Wording.Look(g.Group));
            Number(html, Show.AtLeast(g.LowerBound, Show.Spread(g.Similarity.Median, g.Similarity.Mad)));
            Number(html, Show.Spread(g.MedianSimilarity.Median, g.MedianSimilarity.Mad));
            Number(html, Show.Similarity(g.Diversity));
        }
    }

    private static void Number(HtmlWriter html, string text) => html.Element("td", text, ("class", "number"));

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
