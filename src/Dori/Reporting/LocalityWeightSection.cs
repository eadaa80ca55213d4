using Dori.Locality;
using Dori.Measures;

namespace Dori.Reporting;

/// <summary>Third chapter: agreement by layer, the transfer matrices, the unions.</summary>
internal static class LocalityWeightSection
{
    public static void Write(HtmlWriter html, LocalitySummary s, WeightSpace weight)
    {
        using (html.Open("section", ("aria-labelledby", "weights")))
        {
            html.Element("h2", "Do they use the same weights?", ("id", "weights"));
            LocalityReport.Verdict(html, weight.Verdict);
            foreach (WeightMethod m in weight.Methods)
            {
                html.Element("h3", $"{m.Method}: agreement of what is marked");
                Agreement(html, m);
                html.Element("h3", $"{m.Method}: does pruning for one trigger silence the others?");
                Causal(html, s, m);
            }
        }
    }

    private static void Agreement(HtmlWriter html, WeightMethod m)
    {
        using (LocalityReport.Table(html, $"Agreement of what {m.Method} marks", "Layer", "Marked", "Triggers", "empty", "Captions",
            "empty",
            "Others", "Triggers \u2212 captions", "p"))
            for (int i = 0; i < m.Layers.Count; i++)
            {
                WeightLayer l = m.Layers[i];
                Interval? d = l.Difference;
                LocalityReport.TableRow(html, $"{i + 1} {LocalityActivationSection.Short(l.Layer)}", false,
                    $"{Show.Percent(l.Marked / l.Weights)}", LocalityReport.Number(l.Triggers), Show.Percent(l.TriggersEmpty),
                    LocalityReport.Number(l.Captions),
                    Show.Percent(l.CaptionsEmpty), LocalityReport.Number(l.OtherTriggers), d is null ? "\u2013"
                        : $"{LocalityReport.Number(d.Value)} ({LocalityReport.Number(d.Low)} to {LocalityReport.Number(d.High)})",
                        l.PValue is { } p ? Show.PValue(p) : "\u2013");
            }
        html.Element("p",
            $"Intersection over union of the marked weights, mean over pairs: of one picture\u2019s triggers, of {Show.Count(m.Captions)} "
            + $"different pictures\u2019 captions, and of triggers of different pictures (others). Two embeddings for which nothing is "
            + $"marked agree by definition: such pairs are left out, and their share stands beside (empty). The difference has its 95 % "
            + $"interval; with fewer than three triggers a picture there is none.", ("class", "legend"));
    }

    private static void Causal(HtmlWriter html, LocalitySummary s, WeightMethod m)
    {
        if (m.Transfer is { } t)
        {
            using (LocalityReport.Table(html, $"Transfer of pruning by {m.Method}", "Pruned for", "Still bring it back", "of", "Share",
                "95 % interval"))
            {
                Row("the trigger itself", t.Own, t.OwnTried, false);
                Row("another trigger of the picture", t.Other, t.OtherTried, false);
                Row("another picture\u2019s caption", t.Null, t.NullTried, true);
            }
            html.Element("p", "Of triggers that bring the picture back before pruning. Intervals count each trigger once.",
                ("class", "legend"));
        }
        else html.Element("p",
            "No two triggers of a picture bring it back in this test\u2019s own generations: there is nothing to transfer.");
        using (html.Open("figure", ("class", "plots")))
            foreach (WeightPicture p in m.Pictures) LocalityPlots.Transfer(html, $"{p.Item}: similarity after pruning", p, s.Threshold);
        html.Element("p",
            $"Framed: above the threshold of {Show.Short(s.Threshold)}, the picture is back. Triggers are numbered by their searches.",
            ("class", "legend"));
        Unions(html, s, m);

        void Row(string name, Rate rate, int tried, bool control) =>
            LocalityReport.TableRow(html, name, control, Show.Count(rate.Count), Show.Count(tried),
                tried == 0 ? "\u2013" : Show.Percent(rate.Value), tried == 0 ? "\u2013" : Show.Interval(rate.Low, rate.High));
    }

    private static void Unions(HtmlWriter html, LocalitySummary s, WeightMethod m)
    {
        html.Element("h3", $"{m.Method}: how many triggers must be pruned for before the search finds nothing?");
        using (LocalityReport.Table(html, $"Unions pruned by {m.Method}", "Picture", "Triggers", "Weights pruned", "A new search",
            "Best similarity", "Loss on ordinary pictures"))
            foreach (WeightPicture p in m.Pictures)
                foreach (UnionStep u in p.Unions)
                    LocalityReport.TableRow(html, p.Item, false, Show.Count(u.Triggers), Show.Percent(u.Share),
                        u.Found ? "finds it"
                            : "finds nothing", Show.Similarity(u.Similarity), $"\u00D7 {LocalityReport.Number(u.LossRatio)}");
        html.Element("p",
            $"Weights pruned: share of the layers that {m.Method} looks at. A new search: from noise and, where that finds nothing, from "
            + $"the caption; after as many steps and generations as the others. "
            + "Loss: denoising loss on pictures that are not audited, over the unpruned model\u2019s; above 1 is quality lost.",
                ("class", "legend"));
    }
}
