using Dori.Audit;
using Dori.Measures;

namespace Dori.Reporting;

/// <summary>How little a search needs to bring each picture back, rung by rung, and what the finds take in bits.</summary>
internal static class LadderSection
{
    private static readonly (string Name, string? Css)[] s_rungs =
    [
        ("Rung", null), ("What may move", null), ("Pictures", "number"), ("Copied", "number"), ("95 %", "number"), ("Controls", "number"),
        ("Copied", "number"), ("95 %", "number"), ("Best similarity, median", "number"), ("of controls", "number"),
        ("Bits, median", "number"),
    ];
    private static readonly (string Name, string? Css)[] s_items =
    [
        ("Picture", null), ("Rung", null), ("Similarity", "number"), ("p", "number"), ("Bits of the find", "number"),
        ("Bits of a codec", "number"), ("", null),
    ];

    public static void Write(HtmlWriter html, LadderSummary ladder)
    {
        using (html.Open("section", ("aria-labelledby", "ladder")))
        {
            html.Element("h2", "How little does a search need?", ("id", "ladder"));
            html.Element("p", "Every picture and every control was searched with as few free numbers as possible first, and with more only "
                + "where that brought no copy back. A picture\u2019s p-value is one conformal test on its rung and its similarity there "
                + "among the controls\u2019, however many rungs were climbed.");
            FigureTable.Write(html, "Rungs", s_rungs, ladder.Rungs.Select(rung => (rung.Name, (string[])
            [
                rung.Says, Show.Count(rung.Pictures), Show.Count(rung.Copies.Count), Range(rung.Copies, rung.Pictures),
                Show.Count(rung.Controls), Show.Count(rung.ControlCopies.Count), Range(rung.ControlCopies, rung.Controls),
                Show.Similarity(rung.Median ?? double.NaN), Show.Similarity(rung.ControlMedian ?? double.NaN),
                Show.Whole(rung.MedianBits ?? double.NaN),
            ])));
            IEnumerable<LadderItem> audited = ladder.Items.Where(item => !item.Control);
            FigureTable.Write(html, "Pictures on the ladder", s_items, audited.Select(item => (item.Item, (string[])
            [
                item.Rung ?? (item.Similarity is null ? "not climbed to the end" : "none"), Show.Similarity(item.Similarity ?? double.NaN),
                Show.PValue(item.PValue ?? double.NaN), Show.Whole(item.Bits ?? double.NaN), Show.Whole(item.CodecBits ?? double.NaN),
                item.Light ? "fewer than codec and controls" : "",
            ])));
            html.Element("p", "Bits of a find: the moved numbers, rounded as coarsely as a copy still allows, under a Laplace law fitted "
                + "to them, with its parameter and the step, the caption where it is used, and which picture was asked for. Bits of "
                + "a codec: the fewest of WebP or JPEG, over sizes and qualities, that reach the threshold, containers not counted. A find "
                + "that takes fewer than the codec and than every control\u2019s find is evidence against \u201Cthe search carried "
                + "it\u201D, and no proof: a trained decoder is a better codec for its own kind of picture. On tied padding, ball and "
                + "published the caption is used, on the others nothing of it is.", ("class", "legend"));
        }
    }

    private static string Range(Rate rate, int all) => all == 0 ? Show.None : Show.Range(rate);
}
