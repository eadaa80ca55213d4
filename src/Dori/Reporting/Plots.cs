namespace Dori.Reporting;

/// <summary>A point with its interval, where it has one.</summary>
internal sealed record PlotPoint(double X, double Y, double? Low = null, double? High = null);

/// <summary>A line with its name at its end. <c>Look</c> is 0 to 5: colour, marker and dashes go together, so that none of them is needed
/// alone; 5 is grey, for controls.</summary>
internal sealed record PlotSeries(string Name, IReadOnlyList<PlotPoint> Points, int Look);

/// <summary>An axis. An end that is null is taken from the data, rounded out to a tick; a <c>Format</c> that is null writes plain
/// numbers.</summary>
internal sealed record PlotAxis(string Label, double? Low = null, double? High = null, Func<double, string>? Format = null)
{
    public string Of(double value) => Format is null ? Show.Short(value) : Format(value);
}

/// <summary>A line across the plot at a value: a threshold.</summary>
internal sealed record PlotMark(double Value, string Label);

/// <summary>Lines over an axis. <c>Description</c> says the drawing in words, for those who cannot see it; intervals are <c>Bands</c> or
/// else whiskers.</summary>
internal sealed record LineChart(string Title, string Description, PlotAxis X, PlotAxis Y, IReadOnlyList<PlotSeries> Series,
    PlotMark? Mark = null, bool Bands = false);

internal sealed record StripRow(string Name, int Look, IReadOnlyList<(double Value, string Name)> Points);

/// <summary>One row of dots for each group along one axis.</summary>
internal sealed record StripChart(string Title, string Description, PlotAxis X, IReadOnlyList<StripRow> Rows, PlotMark? Mark = null);

/// <summary>Plots as inline SVG with real text. Colours come from the page's style sheet (classes <c>look-0</c> to
/// <c>look-5</c>).</summary>
internal static class Plots
{
    private static readonly string?[] Dashes = [null, "7 3", "2 3", "9 3 2 3", "4 2", "5 4"];

    public static void Lines(HtmlWriter html, LineChart chart)
    {
        const double width = 460, height = 300, left = 52, right = 74, top = 34, bottom = 46;
        PlotPoint[] points = [.. chart.Series.SelectMany(s => s.Points)];
        (double xLow, double xHigh) = Range(chart.X, points.Select(p => p.X));
        (double yLow, double yHigh) =
            Range(chart.Y, points.SelectMany(p => new[] { p.Y, p.Low ?? p.Y, p.High ?? p.Y }).Append(chart.Mark?.Value ?? double.NaN));
        double X(double value) => left + (value - xLow) / (xHigh - xLow) * (width - left - right);
        double Y(double value) => height - bottom - (Math.Clamp(value, yLow, yHigh) - yLow) / (yHigh - yLow) * (height - top - bottom);

        using HtmlWriter.Scope plot = Begin(html, width, height, chart.Title, chart.Description);
        Label(html, chart.Title, 0, 16, "start", "plot-title");
        foreach (double tick in Ticks.Between(yLow, yHigh, 5))
        {
            Line(html, left, Y(tick), width - right, Y(tick), "grid");
            Label(html, chart.Y.Of(tick), left - 8, Y(tick) + 4, "end");
        }
        foreach (double tick in Ticks.Between(xLow, xHigh, 6))
        {
            Line(html, X(tick), height - bottom, X(tick), height - bottom + 5, "axis");
            Label(html, chart.X.Of(tick), X(tick), height - bottom + 18, "middle");
        }
        Line(html, left, height - bottom, width - right, height - bottom, "axis");
        Label(html, chart.X.Label, (left + width - right) / 2, height - 8, "middle");
        if (chart.Mark is { } mark) Line(html, left, Y(mark.Value), width - right, Y(mark.Value), "mark");

        // Whiskers of several series at the same x would hide each other: each series stands a little to the side.
        double Aside(int i) => chart.Bands ? 0 : (i - (chart.Series.Count - 1) / 2.0) * 4;
        if (chart.Bands)
        {
            foreach (PlotSeries s in chart.Series) Band(html, s, X, Y);
        }
        for (int i = 0; i < chart.Series.Count; i++)
        {
            PlotSeries s = chart.Series[i];
            double aside = Aside(i);
            using (html.Open("g", ("class", $"look-{s.Look}")))
            {
                html.Leaf("polyline", ("class", "line"),
                    ("points", string.Join(' ', s.Points.Select(p => $"{Show.Coordinate(X(p.X) + aside)},{Show.Coordinate(Y(p.Y))}"))),
                    ("stroke-dasharray", Dashes[s.Look]));
                foreach (PlotPoint p in s.Points)
                {
                    if (!chart.Bands && p is { Low: { } low, High: { } high }) Whisker(html, X(p.X) + aside, Y(low), Y(high));
                    Marker(html, s.Look, X(p.X) + aside, Y(p.Y), 4, $"{s.Name}, {chart.X.Of(p.X)}: {chart.Y.Of(p.Y)}");
                }
            }
        }
        // over the lines, on a halo
        if (chart.Mark is { } named) Label(html, named.Label, width - right - 4, Y(named.Value) - 5, "end", "mark-label");
        EndLabels(html, chart.Series, X, Y, top, height - bottom);
    }

    public static void Strip(HtmlWriter html, StripChart chart)
    {
        const double width = 940, left = 96, right = 24, top = 44, radius = 4.5;
        (double low, double high) =
            Range(chart.X, chart.Rows.SelectMany(r => r.Points.Select(p => p.Value)).Append(chart.Mark?.Value ?? double.NaN));
        double X(double value) => left + (Math.Clamp(value, low, high) - low) / (high - low) * (width - left - right);
        var swarms = chart.Rows.Select(row => Swarm.Lanes([.. row.Points.Select(p => X(p.Value))], 2 * radius + 0.6, most: 9)).ToList();
        double[] heights =
            [.. swarms.Select(lanes => Math.Max(34, (lanes.Count == 0 ? 1 : 2 * lanes.Max(Math.Abs) + 1) * (2 * radius + 0.6) + 16))];
        double bottomLine = top + heights.Sum(), height = bottomLine + 46;

        using HtmlWriter.Scope plot = Begin(html, width, height, chart.Title, chart.Description);
        Label(html, chart.Title, 0, 16, "start", "plot-title");
        foreach (double tick in Ticks.Between(low, high, 12))
        {
            Line(html, X(tick), top, X(tick), bottomLine, "grid");
            Label(html, chart.X.Of(tick), X(tick), bottomLine + 18, "middle");
        }
        Line(html, left, bottomLine, width - right, bottomLine, "axis");
        Label(html, chart.X.Label, (left + width - right) / 2, height - 8, "middle");
        double y = top;
        for (int r = 0; r < chart.Rows.Count; r++)
        {
            StripRow row = chart.Rows[r];
            double middle = y + heights[r] / 2;
            if (r > 0) Line(html, left, y, width - right, y, "grid");
            using (html.Open("g", ("class", $"look-{row.Look}")))
            {
                Label(html, row.Name, left - 12, middle + 4, "end", "series-label");
                for (int i = 0; i < row.Points.Count; i++)
                    Marker(html, row.Look, X(row.Points[i].Value), middle + swarms[r][i] * (2 * radius + 0.6), radius,
                        $"{row.Points[i].Name}: {Show.Similarity(row.Points[i].Value)}");
            }
            y += heights[r];
        }
        if (chart.Mark is { } mark)
        {
            Line(html, X(mark.Value), top - 8, X(mark.Value), bottomLine, "mark");
            Label(html, mark.Label, X(mark.Value), top - 14, "middle", "mark-label");
        }
    }

    /// <summary>A share with its interval on a line from 0 to 1, for a table's cell.</summary>
    public static void Share(HtmlWriter html, double value, double low, double high, int look)
    {
        const double width = 120, height = 18, edge = 6;
        double X(double share) => edge + Math.Clamp(share, 0, 1) * (width - 2 * edge);
        using (html.Open("svg", ("class", $"share look-{look}"), ("viewBox", $"0 0 {Show.Coordinate(width)} {Show.Coordinate(height)}"),
            ("width", "120"), ("height", "18"), ("aria-hidden", "true")))
        {
            Line(html, X(0), height / 2, X(1), height / 2, "grid");
            Line(html, X(0), 4, X(0), height - 4, "grid");
            Line(html, X(1), 4, X(1), height - 4, "grid");
            if (double.IsFinite(low) && double.IsFinite(high)) Line(html, X(low), height / 2, X(high), height / 2, "range");
            if (double.IsFinite(value)) Marker(html, look, X(value), height / 2, 4.5, null);
        }
    }

    /// <summary>A bar from 0 to 1, for a table's cell.</summary>
    public static void Bar(HtmlWriter html, double share, int look)
    {
        const double width = 160, height = 14;
        using (html.Open("svg", ("class", $"bar look-{look}"), ("viewBox", $"0 0 {Show.Coordinate(width)} {Show.Coordinate(height)}"),
            ("width", "160"), ("height", "14"), ("aria-hidden", "true")))
            html.Leaf("rect", ("class", "fill"), ("x", "0"), ("y", "2"), ("width", Show.Coordinate(Math.Clamp(share, 0, 1) * width)),
                ("height", Show.Coordinate(height - 4)));
    }

    internal static (double, double) Range(PlotAxis axis, IEnumerable<double> values)
    {
        (double low, double high) = Ticks.Around(values);
        low = axis.Low ?? low;
        high = axis.High ?? high;
        return low < high ? (low, high) : (low, low + 1);
    }

    private static void Band(HtmlWriter html, PlotSeries series, Func<double, double> x, Func<double, double> y)
    {
        PlotPoint[] points = [.. series.Points.Where(p => p.Low is not null && p.High is not null)];
        if (points.Length < 2) return;
        IEnumerable<string> corners = points.Select(p => $"{Show.Coordinate(x(p.X))},{Show.Coordinate(y(p.High!.Value))}")
            .Concat(points.Reverse().Select(p => $"{Show.Coordinate(x(p.X))},{Show.Coordinate(y(p.Low!.Value))}"));
        html.Leaf("polygon", ("class", $"band look-{series.Look}"), ("points", string.Join(' ', corners)));
    }

    private static void Whisker(HtmlWriter html, double x, double low, double high)
    {
        Line(html, x, low, x, high, "whisker");
        Line(html, x - 3, low, x + 3, low, "whisker");
        Line(html, x - 3, high, x + 3, high, "whisker");
    }

    /// <summary>Names at the lines' ends, moved apart where the ends lie close together.</summary>
    private static void EndLabels(HtmlWriter html, IReadOnlyList<PlotSeries> series, Func<double, double> x, Func<double, double> y,
        double top, double bottom)
    {
        var ends = series.Where(s => s.Points.Count > 0).Select(s => (Series: s, End: s.Points[^1])).OrderBy(e => y(e.End.Y)).ToList();
        double[] places = Swarm.Apart([.. ends.Select(e => y(e.End.Y))], 15, top, bottom);
        for (int i = 0; i < ends.Count; i++)
        {
            using (html.Open("g", ("class", $"look-{ends[i].Series.Look}")))
                Label(html, ends[i].Series.Name, x(ends[i].End.X) + 14, places[i] + 4, "start", "series-label");
        }
    }

    internal static void Marker(HtmlWriter html, int look, double x, double y, double r, string? title)
    {
        string C(double value) => Show.Coordinate(value);
        (string tag, (string, string?)[] shape) = look switch
        {
            0 => ("circle", [("cx", C(x)), ("cy", C(y)), ("r", C(r))]),
            1 => ("rect", [("x", C(x - r * 0.9)), ("y", C(y - r * 0.9)), ("width", C(r * 1.8)), ("height", C(r * 1.8))]),
            2 => ("path", [("d", $"M{C(x)} {C(y - r * 1.2)}L{C(x + r * 1.1)} {C(y + r * 0.8)}L{C(x - r * 1.1)} {C(y + r * 0.8)}Z")]),
            3 => ("path", [("d", $"M{C(x)} {C(y - r * 1.3)}L{C(x + r * 1.3)} {C(y)}L{C(x)} {C(y + r * 1.3)}L{C(x - r * 1.3)} {C(y)}Z")]),
            4 => ("path", [("d", $"M{C(x)} {C(y + r * 1.2)}L{C(x + r * 1.1)} {C(y - r * 0.8)}L{C(x - r * 1.1)} {C(y - r * 0.8)}Z")]),
            _ => ("circle", ((string, string?)[])[("cx", C(x)), ("cy", C(y)), ("r", C(r * 0.85))]),
        };
        (string, string?) css = ("class", look == 5 ? "marker hollow" : "marker");
        if (title is null) html.Leaf(tag, [css, .. shape]);
        else
        {
            using (html.Open(tag, [css, .. shape])) html.Element("title", title);
        }
    }

    internal static HtmlWriter.Scope Begin(HtmlWriter html, double width, double height, string title, string description) =>
        html.Open("svg", ("class", "plot"), ("viewBox", $"0 0 {Show.Coordinate(width)} {Show.Coordinate(height)}"), ("role", "img"),
            ("aria-label", $"{title}. {description}"));

    internal static void Line(HtmlWriter html, double x1, double y1, double x2, double y2, string css) =>
        html.Leaf("line", ("class", css), ("x1", Show.Coordinate(x1)), ("y1", Show.Coordinate(y1)), ("x2", Show.Coordinate(x2)),
            ("y2", Show.Coordinate(y2)));

    internal static void Label(HtmlWriter html, string text, double x, double y, string anchor, string? css = null) =>
        html.Element("text", text, ("class", css), ("x", Show.Coordinate(x)), ("y", Show.Coordinate(y)), ("text-anchor", anchor));
}
