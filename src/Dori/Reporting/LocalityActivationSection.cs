using Dori.Locality;

namespace Dori.Reporting;

/// <summary>Second chapter: discrepancies by layer.</summary>
internal static class LocalityActivationSection
{
    public static void Write(HtmlWriter html, LocalitySummary s)
    {
        ActivationSpace a = s.Activation;
        using (html.Open("section", ("aria-labelledby", "activation")))
        {
            html.Element("h2", "Do they excite the network alike?", ("id", "activation"));
            LocalityReport.Verdict(html, a.Verdict);
            if (a.Layers.Count > 0)
            {
                html.Element("p",
                    $"Distance within one picture\u2019s triggers over the distance between different pictures, at every layer that a "
                        + $"pruning "
                    + $"method looks at; one noise, at time step {Show.Short(a.Timestep)}. Below 1, one picture\u2019s triggers are more "
                    + $"alike. Whiskers are 95 % bootstrap intervals.");
                using (html.Open("figure", ("class", "plots")))
                    foreach (IGrouping<string, ActivationLayer> method in a.Layers.GroupBy(l => l.Method))
                        Chart(html, method.Key, [.. method]);
                foreach (IGrouping<string, ActivationLayer> method in a.Layers.GroupBy(l => l.Method))
                    Table(html, a, method.Key, [.. method]);
            }
        }
    }

    private static void Chart(HtmlWriter html, string method, IReadOnlyList<ActivationLayer> layers)
    {
        PlotSeries Series(string name, int look, Func<ActivationLayer, Comparison?> of) =>
            new(name,
                [.. layers.Select((l, i) => (i, c: of(l))).Where(p => p.c is not null)
                .Select(p => new PlotPoint(p.i + 1, p.c!.Ratio, p.c.Low, p.c.High))], look);
        PlotSeries[] series =
            [.. new[] { Series("captions", 0, l => l.AgainstCaptions),
            Series("triggers", 1, l => l.AgainstOthers) }.Where(x => x.Points.Count > 0)];
        string words =
            string.Join(" ",
            series.Select(x =>
            $"Against different pictures\u2019 {x.Name}: {string.Join(", ", x.Points.Select(p => LocalityReport.Number(p.Y)))}."));
        string what = method == "NeMo" ? "NeMo\u2019s layers: value projections\u2019 outputs" : method == "Wanda"
            ? "Wanda\u2019s layers: feed-forward inputs" : method;
        Plots.Lines(html,
            new LineChart(what, words, new PlotAxis("layer", 1, Math.Max(2, layers.Count), v => v == Math.Floor(v) ? Show.Short(v) : ""),
            new PlotAxis("ratio", 0), series, new PlotMark(1, "as different pictures")));
    }

    private static void Table(HtmlWriter html, ActivationSpace a, string method, IReadOnlyList<ActivationLayer> layers)
    {
        html.Element("h3", $"{method}, mean pairwise L2 distance");
        using (LocalityReport.Table(html, $"Activations at {method}\u2019s layers", "Layer", "Triggers", "Their starts",
            "Different captions",
            "Triggers / captions", "p", "Within / between triggers", "p"))
            for (int i = 0; i < layers.Count; i++)
            {
                ActivationLayer l = layers[i];
                LocalityReport.TableRow(html, $"{i + 1} {Short(l.Layer)}", false, Value(l.Triggers), Value(l.Starts),
                    Value(l.DifferentCaptions), LocalityReport.Ratio(l.AgainstCaptions), LocalityReport.PValue(l.AgainstCaptions),
                    LocalityReport.Ratio(l.AgainstOthers), LocalityReport.PValue(l.AgainstOthers));
            }
        html.Element("p",
            $"Triggers: of one picture, averaged over pictures. Their starts: the same before the search. Different captions: "
            + $"{Show.Count(a.Captions)}, of different audited pictures.", ("class", "legend"));
    }

    /// <summary>down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v: the block alone, as every layer of a method ends
    /// alike.</summary>
    internal static string Short(string layer) =>
        string.Join(' ',
        layer.Split('.') is var parts && parts.Length > 3 ? parts.TakeWhile(p => p != "transformer_blocks").Where(p => p != "attentions")
        : parts).Replace("_blocks", "", StringComparison.Ordinal).Replace("_block", "", StringComparison.Ordinal);

    private static string Value(double value) =>
        value.ToString(value < 10 ? "0.000" : "0.0", System.Globalization.CultureInfo.InvariantCulture);
}
