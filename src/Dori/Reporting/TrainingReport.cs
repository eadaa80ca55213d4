using System.Globalization;
using Dori.Audit;
using Dori.Measures;

namespace Dori.Reporting;

/// <summary>A training's curve: how many pictures come back from each of its checkpoints. One HTML file in the audit report's
/// style.</summary>
internal static class TrainingReport
{
    /// <param name="folder">Takes <c>training.html</c> and <c>training.json</c>.</param>
    /// <param name="command">What is to be typed to make it again.</param>
    public static void Write(string folder, TrainingCurve curve, string command)
    {
        AtomicFile.WriteText(Path.Combine(folder, "training.html"), writer => Page(new HtmlWriter(writer), curve, command));
        AtomicFile.WriteText(Path.Combine(folder, "training.json"), curve.ToJson() + "\n"); // last: it says that the rest is there
    }

    private static void Page(HtmlWriter html, TrainingCurve curve, string command)
    {
        using (ReportPage.Begin(html, "Copies over a training", ProgramVersion.Text))
        using (html.Open("main"))
        {
            using (html.Open("header"))
            {
                html.Element("p", $"dori {ProgramVersion.Text} \u00B7 training", ("class", "eyebrow"));
                html.Element("h1", "When did it begin to memorize?");
            }
            using (html.Open("section", ("class", "answer"), ("aria-label", "Answer")))
            using (html.Open("p", ("class", "headline"))) html.Foreign(curve.InOneLine());
            ReportPage.Warnings(html, curve.Warnings, warning => html.Foreign(warning));
            Chart(html, curve);
            Table(html, "Checkpoints", ["Checkpoint", "Steps", "Epoch", "Retained", "Undecided", "By prompt", "From any start", "Controls",
                "Best similarity, median", "Each picture seen"], curve.Points.Select(Row));
            Table(html, "Pictures", ["Picture", "Caption", "Repeats an epoch", "First retained by", "Lost again"],
                curve.Pictures.Select(Row));
            html.Element("h2", "To run it again");
            using (html.Open("pre")) html.Element("code", command);
        }
        html.Text("\n");
    }

    private static void Chart(HtmlWriter html, TrainingCurve curve)
    {
        if (curve.Points.Count < 2) return;
        bool steps = curve.Points.All(point => point.Steps is not null), epochs = curve.Points.All(point => point.Epoch is not null);
        double X(int i) => steps ? curve.Points[i].Steps!.Value : epochs ? curve.Points[i].Epoch!.Value : i + 1;
        PlotSeries Series(string name, Func<TrainingPoint, Rate> rate, int look) => new(name, [.. curve.Points.Select((point, i) =>
            new PlotPoint(X(i), rate(point).Value, rate(point).Low, rate(point).High))], look);
        PlotSeries[] series = [Series("any start", point => point.Copies, 0), Series("prompt", point => point.ByPrompt, 1),
            Series("controls", point => point.ControlCopies, 5)];
        string words = string.Join(" ", series.Select(line => $"{line.Name}: {string.Join(", ", line.Points.Select(point =>
            $"{Show.Percent(point.Y)} at {Show.Short(point.X)}"))}."));
        using (html.Open("figure", ("class", "plots")))
        {
            html.Element("figcaption", "Share of pictures that come back above the threshold, with 95 % Wilson intervals. Where the "
                + "controls rise too, the search forces what the model does not hold.", ("class", "plots-title"));
            Plots.Lines(html, new LineChart("Copies over the training", words,
                new PlotAxis(steps ? "training steps" : epochs ? "epochs" : "checkpoint"), new PlotAxis("rate", 0, 1, v =>
                Show.Short(100 * v) + " %"), series));
        }
    }

    private static string[] Row(TrainingPicture p) =>
        [p.Item, p.Caption, p.Repeats is { } repeats ? Show.Count(repeats) : "\u2013", p.First ?? "none", p.Lost ? "yes" : ""];

    private static string[] Row(TrainingPoint p) =>
    [
        p.Name, Number(p.Steps), Number(p.Epoch), p.Judged == 0 ? "not judged" : $"{p.Retained} of {p.Pictures}", $"{p.Undecided}",
        $"{p.ByPrompt.Count}", $"{p.Copies.Count}", $"{p.ControlCopies.Count}", Show.Similarity(p.Median), p.Seen ?? "\u2013",
    ];

    private static string Number(long? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "\u2013";

    private static void Table(HtmlWriter html, string title, string[] columns, IEnumerable<string[]> rows)
    {
        html.Element("h2", title);
        using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", title), ("tabindex", "0")))
        using (html.Open("table", ("class", "all"), ("aria-label", title)))
        {
            using (html.Open("thead"))
            using (html.Open("tr"))
                foreach (string column in columns) html.Element("th", column, ("scope", "col"));
            using (html.Open("tbody"))
                foreach (string[] row in rows)
                    using (html.Open("tr"))
                        foreach (string cell in row)
                            using (html.Open("td")) html.Foreign(cell);
        }
    }
}
