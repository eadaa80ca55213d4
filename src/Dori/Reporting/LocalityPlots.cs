using Dori.Locality;

namespace Dori.Reporting;

/// <summary>Dots of one kind on a map. <c>Look</c> as in <see cref="PlotSeries"/>.</summary>
internal sealed record ScatterGroup(string Name, int Look, IReadOnlyList<(double X, double Y, string Name)> Points);

/// <summary>The locality report's own drawings.</summary>
internal static class LocalityPlots
{
    /// <summary>A map without axes' numbers: only nearness means something. Both axes have one scale.</summary>
    public static void Scatter(HtmlWriter html, string title, string description, string note, IReadOnlyList<ScatterGroup> groups)
    {
        const double width = 460, height = 400, top = 48, bottom = 24, edge = 10;
        (double X, double Y, string Name)[] all = [.. groups.SelectMany(g => g.Points)];
        double left = all.Min(p => p.X), low = all.Min(p => p.Y), spanX = all.Max(p => p.X) - left, spanY = all.Max(p => p.Y) - low;
        double innerWidth = width - 2 * edge, innerHeight = height - top - bottom - 2 * edge;
        double scale = Math.Min(innerWidth / Math.Max(spanX, 1e-12), innerHeight / Math.Max(spanY, 1e-12));
        double X(double x) => edge + (innerWidth - spanX * scale) / 2 + (x - left) * scale;
        double Y(double y) => height - bottom - edge - (innerHeight - spanY * scale) / 2 - (y - low) * scale;

        using HtmlWriter.Scope plot = Plots.Begin(html, width, height, title, description);
        Plots.Label(html, title, 0, 16, "start", "plot-title");
        double at = 6;
        foreach (ScatterGroup g in groups)
        {
            using (html.Open("g", ("class", $"look-{g.Look}")))
            {
                Plots.Marker(html, g.Look, at, 32, 4, null);
                Plots.Label(html, g.Name, at + 10, 36, "start", "series-label");
            }
            at += 26 + 6.6 * g.Name.Length;
        }
        html.Leaf("rect", ("class", "grid"), ("fill", "none"), ("x", "0.5"), ("y", Show.Coordinate(top)),
            ("width", Show.Coordinate(width - 1)), ("height", Show.Coordinate(height - top - bottom)));
        foreach (ScatterGroup g in groups)
        {
            using (html.Open("g", ("class", $"look-{g.Look}")))
                foreach ((double x, double y, string name) in g.Points) Plots.Marker(html, g.Look, X(x), Y(y), 3.6, name);
        }
        Plots.Label(html, note, width / 2, height - 8, "middle");
    }

    /// <summary>Similarities in a square of cells: rows are what was pruned for, columns what was generated from. A cell above the
    /// threshold has a frame.</summary>
    public static void Transfer(HtmlWriter html, string title, WeightPicture picture, double threshold)
    {
        const double cell = 44, left = 150, top = 64;
        int columns = picture.Triggers.Count;
        var rows = new List<(string Name, IReadOnlyList<double> Values, int Own)> { ("nothing", picture.Unpruned, -1) };
        rows.AddRange(picture.Transfer.Select((values, i) => ($"trigger {picture.Triggers[i] + 1}", values, i)));
        rows.AddRange(picture.Null.Select((values, i) => ($"another caption {i + 1}", values, -1)));
        double width = left + columns * cell + 10, height = top + rows.Count * cell + 16;
        using HtmlWriter.Scope plot = Plots.Begin(html, Math.Max(width, 460), height, title,
            string.Join(" ", rows.Select(r => $"Pruned for {r.Name}: {string.Join(", ", r.Values.Select(Show.Similarity))}.")));
        Plots.Label(html, title, 0, 16, "start", "plot-title");
        Plots.Label(html, "pruned for", left - 12, top - 8, "end");
        Plots.Label(html, "generated from trigger", left, top - 26, "start");
        for (int j = 0; j < columns; j++) Plots.Label(html, $"{picture.Triggers[j] + 1}", left + (j + 0.5) * cell, top - 8, "middle");
        using (html.Open("g", ("class", "look-0")))
            for (int r = 0; r < rows.Count; r++)
            {
                double y = top + r * cell;
                Plots.Label(html, rows[r].Name, left - 12, y + cell / 2 + 4, "end",
                    r == 0 || r > picture.Transfer.Count ? null : "series-label");
                for (int j = 0; j < columns; j++)
                {
                    double value = rows[r].Values[j];
                    html.Leaf("rect", ("class", "marker"), ("fill-opacity", Show.Coordinate(0.08 + 0.5 * Math.Clamp(value, 0, 1))),
                        ("x", Show.Coordinate(left + j * cell + 1)), ("y", Show.Coordinate(y + 1)), ("width", Show.Coordinate(cell - 2)),
                        ("height", Show.Coordinate(cell - 2)));
                    if (value > threshold)
                        html.Leaf("rect", ("class", "line"), ("x", Show.Coordinate(left + j * cell + 2)), ("y", Show.Coordinate(y + 2)),
                        ("width", Show.Coordinate(cell - 4)), ("height", Show.Coordinate(cell - 4)));
                    Plots.Label(html, value.ToString("0.00", System.Globalization.CultureInfo.InvariantCulture), left + (j + 0.5) * cell,
                        y + cell / 2 + 4, "middle", rows[r].Own == j ? "plot-title" : "mark-label");
                }
            }
    }
}
