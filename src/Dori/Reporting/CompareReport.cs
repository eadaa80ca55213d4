using Dori.Audit;
using Dori.Measures;
using Dori.Mitigation;

namespace Dori.Reporting;

/// <summary>A comparison's report: one HTML file in the audit report's style, which asks the network for nothing.</summary>
internal static class CompareReport
{
    /// <param name="path">The file; its folder is made where it is missing.</param>
    /// <param name="drawn">A model's picture of an ordinary caption as PNG or JPEG, by the model's name and the caption's index; null where
    /// there is none.</param>
    /// <param name="caption">Of an index.</param>
    /// <param name="pruning">What a pruning method says of a model, by the model's name; null where none does.</param>
    /// <param name="command">The command that runs the comparison again.</param>
    /// <param name="version">The program's.</param>
    /// <param name="strip">The pictures; null: none are at hand.</param>
    public static void Write(string path, Comparison comparison, Func<string, int, byte[]?> drawn, Func<int, string> caption,
        Func<string, PruningRecord?> pruning,
        string command, string version, CompareStrip? strip = null) => AtomicFile.WriteText(path, writer =>
    {
        var html = new HtmlWriter(writer);
        using (ReportPage.Begin(html, $"Comparison of {comparison.Models.Count} models", version))
        using (html.Open("main"))
        {
            Head(html, comparison, version);
            strip?.Write(html);
            Rates(html, comparison);
            if (comparison.Models.Any(model => model.Quality.Count > 0)) Quality(html, comparison);
            CompareSamples.Write(html, comparison, drawn, caption);
            foreach (ComparedModel model in comparison.Models)
                if (pruning(model.Name) is { } record) PruningSection.Write(html, record, model.Name, $"pruning-{model.Name}");
            About(html, comparison, command);
        }
        html.Text("\n");
    });

    private static void Head(HtmlWriter html, Comparison comparison, string version)
    {
        using (html.Open("header"))
        {
            html.Element("p", $"dori {version} \u00B7 comparison", ("class", "eyebrow"));
            html.Element("h1", "Which model still holds the pictures?");
        }
        using (html.Open("section", ("class", "answer"), ("aria-label", "Verdicts")))
            foreach (ComparedModel model in comparison.Models)
            {
                (string before, string after) = model.InWords();
                using (html.Open("p", ("class", "headline")))
                {
                    html.Text(before);
                    html.Foreign(model.Name);
                    html.Text(after);
                }
                Rate controls = Statistics.Share(model.Controls.AboveThreshold, model.Controls.Items);
                html.Element("p",
                    model.Controls.Items == 0 ? "No controls were run."
                    : $"Controls: {model.Controls.AboveThreshold} of {model.Controls.Items} pass the same threshold "
                    + (model.Searched ? "after the same search" : "by their captions alone")
                    + $" ({Show.Bounds(controls)}).", ("class", "detail"));
            }
        ReportPage.Warnings(html, comparison.Warnings, warning => html.Foreign(warning));
        html.Element("p",
            $"Every model was searched with the same options, seeds and noise. Similarity is measured by the copy detector "
            + $"\u201C{comparison.CopyDetector}\u201D; a generation above {Show.Short(comparison.Threshold)} counts as a copy. "
            + $"Where a picture was searched, it had up to {Show.Steps(comparison.Steps)} and {Show.Count(comparison.Generations)} "
                + $"generations per start.",
                ("class", "note"));
    }

    private static void Rates(HtmlWriter html, Comparison comparison) =>
        Table(html, "rates", "How many come back",
            $"Per start and group. p is McNemar\u2019s exact test against {comparison.Models[0].Name} over the same pictures: how "
            + $"surprising it would be to see so many change sides one way by chance.",
            "Similarities are the median over pictures \u00B1 the median absolute deviation of each picture\u2019s best generation. Lost / "
            + "gained: pictures that the first model alone copies, and that this model alone copies. The p-values are not corrected for "
            + "their number.",
            ["Group", "Model", "Pictures", "Copied", "Rate", "95 %", "0 to 100 %", "Best similarity", "Lost / gained", "p"],
            () =>
            {
                foreach (string start in comparison.Starts)
                {
                    using (html.Open("tbody"))
                    {
                        using (html.Open("tr"))
                            html.Element("th",
                                start == Comparison.AnySearch ? "Search from any start" : start == AuditStart.Prompt.Text()
                                    ? "Prompt alone, no search"
                                : $"Search from {start}, {Show.Steps(comparison.Steps)}", ("scope", "rowgroup"), ("colspan", "10"),
                                    ("class", "start"));
                        foreach (string group in comparison.Models.SelectMany(m => m.Rows).Where(r => r.Start == start).Select(r => r.Group)
                            .Distinct())
                            for (int m = 0; m < comparison.Models.Count; m++)
                                if (comparison.Models[m].Rows.FirstOrDefault(r => r.Start == start && r.Group == group) is { } row)
                                    RateRow(html, comparison.Models[m].Name, m, row,
                                        comparison.Tests.FirstOrDefault(t => t.Model == comparison.Models[m].Name && t.Group == group
                                        && t.Start == start));
                    }
                }
            });

    private static void RateRow(HtmlWriter html, string name, int model, ComparedRow row, PairedTest? test)
    {
        Rate rate = row.MemorizationRate;
        using (html.Open("tr", ("class", row.Group == ItemGroup.Control ? "control" : null)))
        {
            html.Element("th", Wording.Group(row.Group), ("scope", "row"));
            using (html.Open("td")) html.Foreign(name);
            foreach (
                string number in new[] { Show.Count(row.Images), Show.AtLeast(row.LowerBound, Show.Count(rate.Count)),
                Show.AtLeast(row.LowerBound, Show.Percent(rate.Value)),
                Show.Range(rate) }) Number(html, number);
            using (html.Open("td")) Plots.Share(html, rate.Value, rate.Low, rate.High, Math.Min(model, 4));
            Number(html, Show.AtLeast(row.LowerBound, Show.Spread(row.Similarity.Median, row.Similarity.Mad)));
            Number(html, test is null ? "\u2013" : $"{test.OnlyFirst} / {test.OnlyThis}");
            Number(html, test is null ? "\u2013" : Show.PValue(test.PValue));
        }
    }

    private static void Quality(HtmlWriter html, Comparison comparison) =>
        Table(html, "quality", "What it cost",
            $"Pictures of captions that were not to be removed. \u0394 is the difference to {comparison.Models[0].Name} over the same "
            + $"captions and noise, with its 95 % interval: an interval without 0 is a change.",
            $"Distances are to the captions\u2019 own pictures, of the features \u201C{comparison.FeatureNetwork}\u201D (lower is better); "
            + $"the last row is what other real pictures give. CLIP score is the mean cosine of \u201C{comparison.Clip}\u201D (higher is "
            + $"better). "
            + "Diversity is the median over captions of the median similarity among a caption\u2019s own generations (lower is more "
                + "diverse). Related captions share words with the removed pictures\u2019.",
            ["Captions", "Model", "Frechet distance", "Kernel distance \u00D7 1000", "CLIP score", "Diversity"],
            () =>
            {
                foreach (string set in comparison.Models.SelectMany(m => m.Quality).Select(q => q.Name).Distinct())
                {
                    using (html.Open("tbody"))
                    {
                        foreach (ComparedModel model in comparison.Models)
                        {
                            if (model.Quality.FirstOrDefault(q => q.Name == set) is not { } quality) continue;
                            QualityDifference? d =
                                comparison.QualityDifferences.FirstOrDefault(x => x.Model == model.Name && x.Set == set)?.Difference;
                            QualityFigures f = quality.Figures;
                            using (html.Open("tr"))
                            {
                                html.Element("th", $"{set}, {f.Captions}", ("scope", "row"));
                                using (html.Open("td")) html.Foreign(model.Name);
                                Figure(html, f.FrechetDistance, d?.FrechetDistance, 1);
                                Figure(html, f.KernelDistance, d?.KernelDistance, 1000);
                                Figure(html, f.ClipScore, d?.ClipScore, 1);
                                if (f.Diversity is { } diversity) Figure(html, diversity, d?.Diversity, 1);
                                else Number(html, "\u2013");
                            }
                        }
                        if (comparison.Models[0].Quality.FirstOrDefault(q => q.Name == set) is { } real)
                        {
                            using (html.Open("tr", ("class", "control")))
                            {
                                html.Element("th", $"{set}, {real.Figures.Captions}", ("scope", "row"));
                                html.Element("td", "real pictures");
                                Number(html, real.FrechetFloor is { } floor ? Show.Similarity(floor) : "\u2013");
                                Number(html, "\u2013");
                                Number(html, Show.Similarity(real.Figures.RealClipScore));
                                Number(html, "\u2013");
                            }
                        }
                    }
                }
            });

    private static void Figure(HtmlWriter html, Interval value, Interval? difference, double scale)
    {
        string N(double x) => Show.Similarity(x * scale);
        using (html.Open("td", ("class", "number")))
        {
            html.Text($"{N(value.Value)} ({N(value.Low)} to {N(value.High)})");
            if (difference is not null)
                html.Element("span", $"\u0394 {N(difference.Value)} ({N(difference.Low)} to {N(difference.High)})", ("class", "how"));
        }
    }

    private static void About(HtmlWriter html, Comparison comparison, string command)
    {
        using (html.Open("section", ("aria-labelledby", "run"), ("class", "once")))
        {
            html.Element("h2", "What was run", ("id", "run"));
            using (html.Open("table", ("class", "run")))
                using (html.Open("tbody"))
                    foreach (ComparedModel model in comparison.Models)
                    {
                        using (html.Open("tr"))
                        {
                            using (html.Open("th", ("scope", "row"))) html.Foreign(model.Name);
                            html.Element("td", $"SHA-256 {model.Sha256}");
                        }
                    }
            html.Element("h3", "To run it again");
            using (html.Open("pre")) html.Element("code", command);
        }
    }

    /// <summary>A chapter that is a table.</summary>
    /// <param name="legend">Below it.</param>
    /// <param name="rows">Writes its bodies.</param>
    private static void Table(HtmlWriter html, string id, string heading, string words, string legend, string[] columns, Action rows)
    {
        using HtmlWriter.Scope section = html.Open("section", ("aria-labelledby", id));
        html.Element("h2", heading, ("id", id));
        using (html.Open("p")) html.Foreign(words);
        using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", heading), ("tabindex", "0")))
            using (html.Open("table", ("class", "rates"), ("aria-label", heading)))
            {
                using (html.Open("thead"))
                    using (html.Open("tr"))
                        for (int c = 0; c < columns.Length; c++)
                            html.Element("th", columns[c], ("scope", "col"),
                                ("class", c < 2 || columns[c].StartsWith("0 to", StringComparison.Ordinal) ? null : "number"));
                rows();
            }
        html.Element("p", legend, ("class", "legend"));
    }

    private static void Number(HtmlWriter html, string text) => html.Element("td", text, ("class", "number"));
}

/// <summary>The same captions as every model draws them: what a figure cannot say, an eye can.</summary>
internal static class CompareSamples
{
    private const int Captions = 6;

    public static void Write(HtmlWriter html, Comparison comparison, Func<string, int, byte[]?> drawn, Func<int, string> caption)
    {
        (string Set, int Index)[] shown =
            [.. comparison.Models[0].Quality.SelectMany(set => set.Indices.Take(Captions).Select(index => (set.Name, index)))];
        if (shown.Length == 0) return;
        using (html.Open("section", ("aria-labelledby", "samples")))
        {
            html.Element("h2", "The same captions, from the same noise", ("id", "samples"));
            foreach ((string set, int index) in shown)
            {
                using (html.Open("h3"))
                {
                    html.Foreign(caption(index));
                    html.Text($" ({set})");
                }
                using (html.Open("div", ("class", "tiles")))
                    foreach (ComparedModel model in comparison.Models)
                    {
                        using (html.Open("figure"))
                        {
                            if (drawn(model.Name, index) is { } bytes)
                                html.Void("img", ("class", "picture"), ("alt", $"{model.Name}: {caption(index)}"), ("src",
                                    $"data:{(bytes is [0xFF, ..] ? "image/jpeg" : "image/png")};base64,{Convert.ToBase64String(bytes)}"));
                            using (html.Open("figcaption")) html.Foreign(model.Name);
                        }
                    }
            }
        }
    }
}
