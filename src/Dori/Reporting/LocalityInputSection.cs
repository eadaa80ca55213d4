using Dori.Locality;

namespace Dori.Reporting;

/// <summary>First chapter: the pictures, the spreads, the maps.</summary>
internal static class LocalityInputSection
{
    private const int Shown = 6;

    public static void Write(HtmlWriter html, LocalityOutcome outcome, ReportPictures pictures)
    {
        LocalitySummary s = outcome.Summary;
        using (html.Open("section", ("aria-labelledby", "input")))
        {
            html.Element("h2", "Do the triggers lie together?", ("id", "input"));
            LocalityReport.Verdict(html, s.Input.Verdict);
            foreach (LocalityPicture picture in s.Pictures.Where(p => !p.Other)) Pictures(html, s, picture, pictures);
            Others(html, s);
            if (s.Input.Pictures.Count > 0) Table(html, s.Input);
            foreach (EmbeddingMap map in outcome.Maps.OrderBy(map => map.Item is null ? 0 : 1)) Maps(html, s, map);
        }
    }

    private static void Pictures(HtmlWriter html, LocalitySummary s, LocalityPicture p, ReportPictures pictures)
    {
        using (html.Open("h3")) html.Foreign(p.Caption.Length > 0 ? p.Caption : p.File);
        html.Element("p",
            $"{Show.Count(p.Triggers)} of {Show.Count(p.Searches)} searches bring it back: best similarity "
            + $"{Show.Spread(p.Similarity.Median, p.Similarity.Mad)} (median over searches \u00B1 median absolute deviation). From the "
            + $"starts themselves it is {Show.Spread(p.StartSimilarity.Median, p.StartSimilarity.Mad)}.");
        using (html.Open("div", ("class", "tiles")))
        {
            using (html.Open("figure"))
            {
                pictures.Original(p.File, "The original");
                html.Element("figcaption", "original");
            }
            for (int k = 0; k < Math.Min(Shown, p.Searches); k++)
            {
                using (html.Open("figure"))
                {
                    pictures.Generated($"pictures/{p.Item}-random-{s.Seed + k}-0.png", $"Generated from the end of search {k + 1}");
                    html.Element("figcaption", $"search {k + 1}, first generation");
                }
            }
        }
    }

    private static void Others(HtmlWriter html, LocalitySummary s)
    {
        LocalityPicture[] others = [.. s.Pictures.Where(p => p.Other)];
        if (others.Length > 0)
            html.Element("p",
            $"Of the {Show.Count(others.Length)} other pictures, searched once each, {Show.Count(others.Count(p => p.Triggers > 0))} came "
            + $"back; their triggers stand for different pictures below.", ("class", "legend"));
    }

    private static void Table(HtmlWriter html, InputSpace input)
    {
        html.Element("h3", "Spread, in mean pairwise L2 distance");
        using (LocalityReport.Table(html, "Spread of embeddings", "Picture", "Triggers", "Their starts", "Triggers", "Captions",
            "Triggers / starts", "p", "Triggers / captions", "p", "Moved"))
            foreach (InputPicture p in input.Pictures)
                LocalityReport.TableRow(html, p.Item, false, Show.Count(p.Triggers), Spacing(p.StartSpacing), Spacing(p.EndSpacing),
                    Spacing(p.CaptionSpacing), LocalityReport.Ratio(p.AgainstStarts), LocalityReport.PValue(p.AgainstStarts),
                    LocalityReport.Ratio(p.AgainstCaptions), LocalityReport.PValue(p.AgainstCaptions),
                        $"{LocalityReport.Number(p.Displacement.Median)} \u00B1 {LocalityReport.Number(p.Displacement.Mad)}");
        html.Element("p",
            $"Ratios with their 95 % intervals: below 1, the triggers lie closer together. Captions: {Show.Count(input.Captions)} of "
            + $"pictures that are not memorized. Moved: each trigger\u2019s distance from its own start over the starts\u2019 spacing; "
            + $"near 0, the search hardly leaves where it began.", ("class", "legend"));

        html.Element("h3", "Are they one cluster?");
        using (LocalityReport.Table(html, "Clusters", "Picture", "Silhouette, triggers", "starts", "Neighbours, triggers", "p", "starts",
            "p",
            "by chance"))
            foreach (InputPicture p in input.Pictures)
                LocalityReport.TableRow(html, p.Item, false, LocalityReport.Number(p.Silhouette), LocalityReport.Number(p.StartSilhouette),
                    Show.Percent(p.Neighbours.Share), Show.PValue(p.Neighbours.PValue),
                    Show.Percent(p.StartNeighbours.Share), Show.PValue(p.StartNeighbours.PValue), Show.Percent(p.Neighbours.Expected));
        html.Element("p",
            "Against captions. Silhouette: from \u22121 to 1, mean over triggers; up to 0.25 is no structure. Neighbours: the share of a "
            + "trigger\u2019s three nearest that are triggers too, with the p-value of the permutation test. "
            + "The starts, which no search has touched, stand beside: what they show already is not the picture\u2019s doing."
            + (input.NeighboursByPicture is { } near
                ? $" Among triggers alone, {Show.Percent(near.Share)} of the nearest belong to the same picture (by chance "
                + $"{Show.Percent(near.Expected)}, p = {Show.PValue(near.PValue)})"
                + (input.SilhouetteByPicture is { } silhouette
                    ? $", and the silhouette with pictures as clusters is {LocalityReport.Number(silhouette)}." : ".") : ""),
                    ("class", "legend"));
    }

    private static void Maps(HtmlWriter html, LocalitySummary s, EmbeddingMap map)
    {
        LocalityPicture[] own = [.. s.Pictures.Where(p => !p.Other)];
        var groups = new List<(string Name, int Look, Func<MapPoint, bool> Of)>();
        if (map.Item is null)
        {
            groups.AddRange(own.Take(3)
                .Select((p, i) => (p.Item, i, (Func<MapPoint, bool>)(point => point.Role == "trigger" && point.Item == p.Item))));
            if (own.Length > 3) groups.Add(("more", 3, point => point.Role == "trigger" && own.Skip(3).Any(p => p.Item == point.Item)));
            groups.Add(("other pictures", 4, point => point.Role == "trigger" && own.All(p => p.Item != point.Item)));
            groups.Add(("captions", 5, point => point.Role == "caption"));
        }
        else
        {
            groups.Add(("starts", 5, point => point.Role == "start"));
            groups.Add(("triggers", 0, point => point.Role == "trigger"));
            groups.Add(("found nothing", 1, point => point.Role == "end"));
            groups.Add(("captions", 2, point => point.Role == "caption"));
        }
        ScatterGroup[] Groups(Func<MapPoint, (double X, double Y)> place) =>
            [.. groups.Select(g =>
                new ScatterGroup(g.Name, g.Look,
                [.. map.Points.Where(g.Of).Select(p => (place(p).X, place(p).Y, $"{p.Role} {p.Item} {p.Number + 1}"))]))
                .Where(g => g.Points.Count > 0)];
        string words =
            $"{string.Join(", ", groups.Select(g => $"{map.Points.Count(g.Of)} {g.Name}"))}. The numbers above say what it shows.";
        using (html.Open("figure", ("class", "plots")))
        {
            using (html.Open("figcaption", ("class", "plots-title")))
            {
                if (map.Item is null) html.Text("Triggers of all pictures");
                else html.Foreign(own.FirstOrDefault(p => p.Item == map.Item)?.Caption is { Length: > 0 } caption ? caption : map.Item);
            }
            LocalityPlots.Scatter(html, "t-SNE", words, "Nearness only: sizes and gaps mean little.", Groups(p => p.Tsne));
            LocalityPlots.Scatter(html, "Principal components", words,
                $"The two axes hold {Show.Percent(map.PrincipalShares.X)} and {Show.Percent(map.PrincipalShares.Y)} of the variance.",
                Groups(p => p.Principal));
        }
    }

    private static string Spacing(double value) =>
        value.ToString(value < 10 ? "0.00" : "0.0", System.Globalization.CultureInfo.InvariantCulture);
}
