using Dori.Audit;

namespace Dori.Reporting;

/// <summary>From how many random starts each picture comes back.</summary>
internal static class PathsSection
{
    private static readonly (string Name, string? Css)[] s_columns = [("Picture", null), ("Starts with a copy", "number"), ("p", "number")];

    public static void Write(HtmlWriter html, PathsSummary paths)
    {
        using (html.Open("section", ("aria-labelledby", "paths")))
        {
            html.Element("h2", "From how many random starts?", ("id", "paths"));
            html.Element("p", $"Every picture and every control was searched from {Show.Count(paths.Paths)} independent random starts. "
                + $"{Show.Count(paths.Copies)} of {Show.Count(paths.Starts)} bring a picture back, {Show.Count(paths.ControlCopies)} of "
                + $"{Show.Count(paths.ControlStarts)} a control (Fisher\u2019s exact test of these counts, one-sided: "
                + $"{Show.PValue(paths.FisherPValue)}; a description, since the starts of one picture are not independent).");
            IEnumerable<PathsItem> audited = paths.Items.Where(item => !item.Control);
            FigureTable.Write(html, "Random starts", s_columns, audited.Select(item => (item.Item, (string[])
            [
                item.Succeeded is { } k ? $"{Show.Count(k)} of {Show.Count(paths.Paths)}" : "not all searched yet",
                Show.PValue(item.PValue ?? double.NaN),
            ])));
            html.Element("p", "p: the share of controls, and the picture itself, that come back from as many starts.", ("class", "legend"));
        }
    }
}
