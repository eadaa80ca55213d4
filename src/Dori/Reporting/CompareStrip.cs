using Dori.Audit;
using Dori.Pictures;

namespace Dori.Reporting;

/// <summary>
/// Row by row what every model made of a picture: the original, then each model by prompt and by search; once, the control that came
/// nearest in any of them.
/// </summary>
internal sealed class CompareStrip
{
    private const int Most = 60;
    private readonly (ComparedRun Run, AuditView View)[] _models;

    public CompareStrip(IReadOnlyList<ComparedRun> runs) => _models = [.. runs.Select(run =>
    {
        AuditedModel read = run.Read();
        return (run, new AuditView(read.Summary, read.Units, run.Audit.HasPart));
    })];

    public void Write(HtmlWriter html)
    {
        PictureSummary[] pictures = [.. _models.SelectMany(model => model.View.Targets).DistinctBy(picture => picture.Item)];
        if (pictures.Length == 0) return;
        using (html.Open("section", ("aria-labelledby", "strip")))
        {
            html.Element("h2", "Picture by picture", ("id", "strip"));
            html.Element("p",
                "The most similar generation by prompt alone and by search, from each model, with its similarity; a copy is framed."
                + (pictures.Length > Most ? $" The first {Most} of {Show.Count(pictures.Length)}; the models' own reports have all." : ""),
                ("class", "legend"));
            using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", "Picture by picture"), ("tabindex", "0")))
            using (html.Open("table", ("class", "strip")))
            {
                Head(html);
                using (html.Open("tbody"))
                    foreach (PictureSummary picture in pictures.Take(Most)) Row(html, picture);
                Control(html);
            }
        }
    }

    private void Head(HtmlWriter html)
    {
        using (html.Open("thead"))
        using (html.Open("tr"))
        {
            html.Element("th", "Original", ("scope", "col"));
            foreach ((ComparedRun run, AuditView view) in _models)
                foreach (string how in Ways(view))
                    using (html.Open("th", ("scope", "col")))
                    {
                        html.Foreign(run.Name);
                        html.Text($", by {how}");
                    }
        }
    }

    private static IEnumerable<string> Ways(AuditView view)
    {
        if (view.Summary.Starts.Contains(AuditStart.Prompt)) yield return "prompt";
        if (view.Summary.Searched) yield return "search";
    }

    private void Row(HtmlWriter html, PictureSummary picture)
    {
        using (html.Open("tr"))
        {
            using (html.Open("th", ("scope", "row")))
            {
                Original(html, _models[0].Run, picture);
                using (html.Open("span", ("class", "how"))) html.Foreign(picture.Caption.Length > 0 ? picture.Caption : picture.Item);
            }
            foreach ((ComparedRun run, AuditView view) in _models)
                foreach (string how in Ways(view))
                {
                    PictureSummary? own = view.Targets.FirstOrDefault(other => other.Item == picture.Item);
                    BestGeneration? best = own is null ? null : how == "prompt" ? view.ByPrompt(own) : view.BySearch(own);
                    using (html.Open("td"))
                        Generation(html, run, view, best, how == "search" && own is { Start: not null } && best is null
                            ? "not needed" : "not run");
                }
        }
    }

    private void Control(HtmlWriter html)
    {
        (ComparedRun Run, AuditView View)[] searched = [.. _models.Where(model => model.View.Controls.Count > 0)];
        if (searched.Length == 0) return;
        (ComparedRun run, AuditView view) = searched.MaxBy(model => model.View.Controls[0].Similarity);
        PictureSummary control = view.Controls[0];
        using (html.Open("tbody"))
        using (html.Open("tr", ("class", "control")))
        {
            using (html.Open("th", ("scope", "row")))
            {
                Original(html, run, control);
                html.Element("span", "The nearest control: never seen by any model", ("class", "how"));
            }
            using (html.Open("td", ("colspan", $"{_models.Sum(model => Ways(model.View).Count())}")))
            {
                Generation(html, run, view, view.Best(control), "not run");
                using (html.Open("span", ("class", "how")))
                {
                    html.Text("its best, from ");
                    html.Foreign(run.Name);
                }
            }
        }
    }

    private static void Original(HtmlWriter html, ComparedRun run, PictureSummary picture)
    {
        ManifestItem? item = run.Audit.Manifest.Pictures.Items.FirstOrDefault(other => other.Id == picture.Item);
        Image(html, item is null ? null : run.Audit.ReadOriginal(item.Sha256[0]), $"Original: {picture.Caption}", copy: false);
    }

    private static void Generation(HtmlWriter html, ComparedRun run, AuditView view, BestGeneration? best, string otherwise)
    {
        if (best is null)
        {
            html.Element("span", otherwise, ("class", "picture missing"));
            return;
        }
        Image(html, best.Picture is { } path ? run.Audit.ReadPart(path) : null, $"Similarity {Show.Similarity(best.Similarity)}",
            best.Similarity > view.Summary.Threshold);
        html.Element("span", Show.Similarity(best.Similarity) + (best.Mirrored ? ", mirrored" : ""), ("class", "value"));
    }

    private static void Image(HtmlWriter html, byte[]? file, string alt, bool copy)
    {
        if (EmbeddedPicture.Thumbnail(file) is { } picture)
            html.Void("img", ("class", $"picture{(picture.IsSmall ? " small" : "")}{(copy ? " copy" : "")}"), ("src", picture.DataUri),
                ("alt", alt));
        else html.Element("span", "Picture not kept.", ("class", "picture missing"));
    }
}
