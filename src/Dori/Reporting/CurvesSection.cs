using Dori.Pictures;
using Dori.Audit;

namespace Dori.Reporting;

/// <summary>How similarity and the memorization rate grow with the search's steps, for pictures and controls, and where every item
/// ends.</summary>
internal static class CurvesSection
{
    public static void Write(HtmlWriter html, AuditView view)
    {
        Summary s = view.Summary;
        using (html.Open("section", ("aria-labelledby", "curves")))
        {
            html.Element("h2", "How much search it takes", ("id", "curves"));
            Strip(html, view);

            var starts = s.Curve.Where(g => g.Start != AuditStart.Prompt).GroupBy(g => g.Start)
                .Where(g => g.Select(x => x.Steps).Distinct().Count() > 1).ToList();
            if (starts.Count > 0)
            {
                html.Element("p",
                    "A memory answers to a weak search, a picture the model does not hold only to a strong one: what counts is the "
                        + "distance "
                    + "between the pictures\u2019 line and the controls\u2019. "
                    + "Median best similarity: over pictures, of each one\u2019s best generation; the band is one median absolute "
                        + "deviation. "
                        + "Memorization rate: the whiskers are 95 % Wilson intervals. For the caption\u2019s search, step 0 is the prompt "
                        + "alone.");
                foreach (IGrouping<AuditStart, GroupSummary> start in starts) Pair(html, view, start.Key, [.. start]);
            }
            else html.Element("p", "No search has results at more than one number of steps: there is no curve to show.");
        }
    }

    private static void Pair(HtmlWriter html, AuditView view, AuditStart start, IReadOnlyList<GroupSummary> curve)
    {
        Summary s = view.Summary;
        // "all" repeats what its parts show.
        bool parts = curve.Any(g => g.Group is not (ItemGroup.All or ItemGroup.Control));
        var groups = curve.GroupBy(g => g.Group).Where(g => !(parts && g.Key == ItemGroup.All)).OrderBy(g => Wording.Look(g.Key)).ToList();
        PlotSeries Series(IGrouping<string, GroupSummary> group, Func<GroupSummary, PlotPoint> point)
        {
            IEnumerable<GroupSummary> points = group;
            if (start == AuditStart.Caption && group.All(g => g.Steps > 0))
                points = points.Concat(s.Groups.Where(g => g.Start == AuditStart.Prompt && g.Group == group.Key).Take(1));
            return new PlotSeries(Wording.Group(group.Key), [.. points.OrderBy(g => g.Steps).Select(point)], Wording.Look(group.Key));
        }
        var x = new PlotAxis("search steps", 0, curve.Max(g => g.Steps));
        var mark = new PlotMark(s.Threshold, $"threshold {Show.Short(s.Threshold)}");
        var similarity =
            groups.Select(g =>
            Series(g,
            p => new PlotPoint(p.Steps, p.Similarity.Median, p.Similarity.Median - p.Similarity.Mad,
            p.Similarity.Median + p.Similarity.Mad))).ToList();
        var rate =
            groups.Select(g =>
            Series(g, p => new PlotPoint(p.Steps, p.MemorizationRate.Value, p.MemorizationRate.Low, p.MemorizationRate.High))).ToList();

        using (html.Open("figure", ("class", "plots")))
        {
            html.Element("figcaption", char.ToUpperInvariant(Wording.Start(start)[0]) + Wording.Start(start)[1..],
                ("class", "plots-title"));
            Plots.Lines(html,
                new LineChart("Median best similarity", InWords(similarity, Show.Similarity), x, new PlotAxis("similarity", High: 1),
                similarity, mark, Bands: true));
            Plots.Lines(html,
                new LineChart("Memorization rate", InWords(rate, Show.Percent), x,
                    new PlotAxis("rate", 0, 1, v => Show.Short(100 * v) + " %"),
                rate));
        }
    }

    private static void Strip(HtmlWriter html, AuditView view)
    {
        var rows = view.Groups.Select(group => Row(Wording.Group(group), Wording.Look(group), view.In(group))).ToList();
        if (view.Controls.Count > 0) rows.Add(Row("controls", Wording.Look(ItemGroup.Control), view.Controls));
        if (rows.Count == 0) return;
        html.Element("p",
            "Every picture by its most similar generation over all starts, the prompt included, after the last step. Where the "
            + "controls\u2019 dots reach the pictures\u2019, the search is too strong to tell memory from force.");
        using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", "Best similarity of every picture"),
            ("tabindex", "0")))
        {
            string words =
                string.Join(" ",
                rows.Select(r =>
                $"{r.Name}: {r.Points.Count}, from {Show.Similarity(r.Points.Min(p => p.Value))} to "
                + $"{Show.Similarity(r.Points.Max(p => p.Value))}, {r.Points.Count(p => p.Value > view.Summary.Threshold)}"
                + " above the threshold."));
            Plots.Strip(html,
                new StripChart("Best similarity of every picture", words, new PlotAxis("best similarity", High: 1), rows,
                new PlotMark(view.Summary.Threshold, $"threshold {Show.Short(view.Summary.Threshold)}")));
        }
    }

    private static StripRow Row(string name, int look, IEnumerable<PictureSummary> pictures) =>
        new(name, look, [.. pictures.Select(p => (p.Similarity, p.Caption.Length > 0 ? p.Caption : p.File))]);

    private static string InWords(IEnumerable<PlotSeries> series, Func<double, string> format) =>
        string.Join(" ",
            series.Where(s => s.Points.Count > 0)
            .Select(s => $"{s.Name}: {string.Join(", ", s.Points.Select(p => $"{format(p.Y)} at {Show.Short(p.X)}"))}."));
}
