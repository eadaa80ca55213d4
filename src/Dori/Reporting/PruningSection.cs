using Dori.Mitigation;

namespace Dori.Reporting;

/// <summary>What a pruning method marked in each layer, for a model that a pruning left its record with.</summary>
internal static class PruningSection
{
    /// <param name="model">Its name; null where the report is about no other.</param>
    /// <param name="id">Of the heading, unique in the page.</param>
    public static void Write(HtmlWriter html, PruningRecord record, string? model, string id)
    {
        string heading = $"What {record.Method} cut from {model ?? "this model"}";
        int skipped = record.Items.Count(item => item.Skipped);
        double Share(LayerMarks layer) => (double)layer.Marked / ((long)layer.Rows * layer.Columns);
        double most = Math.Max(record.Layers.Max(Share), 1e-12);
        using (html.Open("section", ("aria-labelledby", id)))
        {
            using (html.Open("h2", ("id", id))) html.Foreign(heading);
            html.Element("p",
                $"{Show.Count(record.Marked)} of {Show.Count(record.Weights)} weights "
                + $"({Show.Percent((double)record.Marked / Math.Max(1, record.Weights))}) in {record.Layers.Count} layers were set to 0, "
                + $"over {record.Items.Count} {(record.Items.Count == 1 ? "picture" : "pictures")}{(skipped > 0 ? $", {skipped} of which "
                    + $"the "
                    + $"method\u2019s own test did not call memorized" : "")}."
                + (record.NotReached > 0 ? $" For {record.NotReached} of them no selection of neurons silenced what the test looks at."
                    : ""));
            using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", heading), ("tabindex", "0")))
                using (html.Open("table", ("class", "rates"), ("aria-label", heading)))
                {
                    using (html.Open("thead"))
                        using (html.Open("tr"))
                            foreach (
                                (string name, string? css) in new (string, string?)[] { ("Layer", null),
                                    ("Outputs \u00D7 inputs", "number"),
                                ("Set to 0", "number"), ("Share", "number"), ("", null) })
                                html.Element("th", name, ("scope", "col"), ("class", css));
                    using (html.Open("tbody"))
                    {
                        foreach (LayerMarks layer in record.Layers)
                        {
                            using (html.Open("tr"))
                            {
                                html.Element("th", layer.Layer, ("scope", "row"));
                                foreach (
                                    string number in new[] { $"{layer.Rows} \u00D7 {layer.Columns}", Show.Count(layer.Marked),
                                    Show.Percent(Share(layer)) }) html.Element("td", number, ("class", "number"));
                                using (html.Open("td")) Plots.Bar(html, Share(layer) / most, 1);
                            }
                        }
                    }
                }
            html.Element("p",
                $"Bars are shares of the layer, drawn to the largest, {Show.Percent(most)}. Pruned weights say where a method looked, not "
                + $"where a picture was.", ("class", "legend"));
        }
    }
}
