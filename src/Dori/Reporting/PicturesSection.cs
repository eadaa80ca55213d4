using Dori.Pictures;
using Dori.Audit;

namespace Dori.Reporting;

/// <summary>Every audited picture beside what the model made of it, the most worrying first; controls folded away at the end.</summary>
internal static class PicturesSection
{
    /// <summary>Pictures on a page of their own, from the second on.</summary>
    public const int PerPage = 100;
    private const int MostReferences = 4;
    private const string ControlOriginal = "nearest-control", ControlGenerated = "nearest-control-generation";

    /// <param name="page">From 1; the first is the report itself.</param>
    public static void Write(HtmlWriter html, AuditView view, ReportPictures pictures, ReportContext context, int page = 1)
    {
        int from = (page - 1) * PerPage, to = Math.Min(view.Targets.Count, from + PerPage);
        using (html.Open("section", ("aria-labelledby", "pictures"), ("class", "all-pictures")))
        {
            html.Element("h2", "Picture by picture", ("id", "pictures"));
            html.Element("p",
                "Retained first, then undecided, not found, and not judged; within each the most similar first. The nearest control is "
                + "shown once: the picture the model was not trained on that came back closest, "
                + "so that a find can be held against what the search alone can force.");
            PicturesIndex.Write(html, view, page);
            PictureSummary? control = view.Controls.Count > 0 ? view.Controls[0] : null;
            BestGeneration? controlBest = control is null ? null : view.Best(control);
            if (control is not null && pictures.Shown)
            {
                pictures.Share(ControlOriginal, context.OriginalPicture(control.File));
                pictures.Share(ControlGenerated, controlBest?.Picture is { } path ? context.GeneratedPicture(path) : null);
            }
            for (int i = from; i < to; i++) Card(html, view, pictures, view.Targets[i], i + 1, i == from ? control : null, controlBest);
            if (view.Targets.Count == 0) html.Element("p", "None was audited.");
            if (page == 1) Controls(html, view, pictures);
        }
    }

    private static void Card(HtmlWriter html, AuditView view, ReportPictures pictures, PictureSummary p, int number,
        PictureSummary? control, BestGeneration? controlBest)
    {
        string id = PicturesIndex.IdOf(number);
        using (html.Open("article", ("class", $"card {PicturesIndex.Mark(p.Verdict)}"), ("aria-labelledby", id)))
        {
            using (html.Open("div", ("class", "facts")))
            {
                Badge(html, p.Verdict);
                using (html.Open("h3", ("id", id)))
                    html.Foreign(p.Caption.Length > 0 ? p.Caption : "(no caption)");
                using (html.Open("p", ("class", "file")))
                {
                    html.Foreign(p.File);
                    if (p.Kind != PictureKind.None)
                    {
                        html.Text(" \u00B7 ");
                        html.Text(p.Kind.Text());
                    }
                }
                if (!pictures.Shown)
                    foreach (string file in view.Files(p))
                        html.Element("p", $"SHA-256 {pictures.HashOf(file) ?? "not kept"}", ("class", "file"));
                Figures(html, view, p);
            }

            if (!pictures.Shown) return;
            using (html.Open("div", ("class", "tiles")))
            {
                Original(html, view, pictures, p);
                BestGeneration? prompt = view.ByPrompt(p), search = view.BySearch(p);
                if (prompt is not null || view.Summary.Starts.Contains(AuditStart.Prompt))
                    Generation(html, view, pictures, prompt, "By prompt", p);
                if (search is not null || view.Summary.Starts.Any(s => s != AuditStart.Prompt))
                    Generation(html, view, pictures, search, "By search", p);
                if (control is not null || view.Controls.Count == 0) NearestControl(html, pictures, control, controlBest);
            }
        }
    }

    private static void Figures(HtmlWriter html, AuditView view, PictureSummary p)
    {
        Summary s = view.Summary;
        using (html.Open("dl"))
        {
            if (p.Start is null) Pair(html, "Best similarity", "none: no unit of this picture is there");
            else Pair(html, "Best similarity",
                $"{Show.Similarity(p.Similarity)} "
                + $"({Wording.Start(p.Start)}{(p.Start == AuditStart.Prompt || p.Step == s.Steps ? "" : $", after {Show.Steps(p.Step)}")}"
                + $"{(p.Mirrored ? ", to the picture\u2019s mirror image" : "")})");
            if (p.Verdict == Verdict.NotJudged) Pair(html, "p-value", "not judged");
            else
            {
                string smallest = Math.Abs(p.PValue - s.Controls.SmallestPValue) < 1e-12
                    ? $"the smallest that {Show.Count(s.Controls.Items)} controls can give; " : "";
                Pair(html, "p-value",
                    $"{Show.PValue(p.PValue)} ({smallest}{(p.Discovery ? "on" : "not on")} the list at a false discovery rate of "
                    + $"{Show.Short(100 * s.Controls.FalseDiscoveryRate)} %)");
            }
            if (p.Verdict == Verdict.NotFound)
                Pair(html, "Power of this audit",
                    s.Original?.Power is { } power ? $"{Show.Percent(power.Value)}, {Show.Bounds(power)}" : "not measured");
            Pair(html, "First copy after", Wording.FirstCopy(p.StepsToFirstCopy, s.Steps));
            Original(html, s.Original, p);
            Reference(html, s.Reference, p);
            Trained(html, p);
        }
        if (s.Original?.NotShown(p) == true)
            html.Element("p", "The original did not give it back either: this search may not be able to find it.", ("class", "look-at"));
        if (AuditView.StandsOut(p))
            html.Element("p", "Below the threshold, yet closer than the controls come. Compare by eye.", ("class", "look-at"));
    }

    /// <summary>What the picture's folder says of the training.</summary>
    private static void Trained(HtmlWriter html, PictureSummary p)
    {
        if (p.Repeats is { } repeats) Pair(html, "Repeats in training", $"{Show.Count(repeats)} an epoch");
        if (p.OtherCaptions is not { Count: > 0 } others) return;
        html.Element("dt", "Other captions, not tried");
        using (html.Open("dd")) html.Foreign(string.Join("; ", others.Select(caption => $"\u201C{caption}\u201D")));
    }

    private static void Reference(HtmlWriter html, ReferenceSummary? reference, PictureSummary p)
    {
        if (reference?.Of(p) is not { } found) return;
        string answer = found.Answer switch
        {
            ReferenceAnswer.ThisModelAlone => "this model alone",
            ReferenceAnswer.Both => "both: the reference gives it back too",
            ReferenceAnswer.Undecided when found.Pair =>
                "undecided: the reference does not give it back, which is evidence by this pair alone",
            ReferenceAnswer.Undecided => "undecided",
            _ => "nothing to compare: this model does not give it back",
        };
        string best = found.Start is null ? "not searched yet" : $"its best {Show.Similarity(found.Similarity)}";
        string d = found.Difference is not { } difference ? "" : $", D {Show.Similarity(difference)}";
        Pair(html, "Reference", $"{answer} ({best}{d}{(found.PValue is { } pValue ? $", p {Show.PValue(pValue)}" : "")})");
        if (found.GainBits is not null)
            Pair(html, "Likelihood gain", $"{Wording.Gain(found)} bits that training added, without any search");
    }

    private static void Original(HtmlWriter html, OriginalSummary? original, PictureSummary p)
    {
        if (original?.Of(p) is not { } found) return;
        string how = found.Start is null ? "" : $"{Show.Similarity(found.Similarity)} ({Wording.Start(found.Start)}"
            + $"{(found.Start == AuditStart.Prompt ? "" : $", after {Show.Steps(found.Step)}")})";
        if (found.GivenBack) Pair(html, "The original gives it back", how);
        else if (found.Complete) Pair(html, "The original does not give it back", how);
        else Pair(html, "The original", $"not fully searched yet{(how.Length > 0 ? $"; so far {how}" : "")}");
    }

    private static void Original(HtmlWriter html, AuditView view, ReportPictures pictures, PictureSummary p)
    {
        IReadOnlyList<string> files = view.Files(p);
        using (html.Open("figure"))
        {
            if (files.Count == 1) pictures.Original(files[0], $"Original: {p.Caption}");
            else
            {
                using (html.Open("span", ("class", "mosaic")))
                    for (int i = 0; i < Math.Min(MostReferences, files.Count); i++)
                        pictures.Original(files[i], $"Original {i + 1} of {files.Count}: {p.Caption}");
            }
            Caption(html, "Original",
                files.Count == 1 ? "" : files.Count > MostReferences ? $"{MostReferences} of {Show.Count(files.Count)} references"
                : $"{Show.Count(files.Count)} references", null);
        }
    }

    private static void Generation(HtmlWriter html, AuditView view, ReportPictures pictures, BestGeneration? generation, string name,
        PictureSummary p)
    {
        using (html.Open("figure"))
        {
            if (generation is null)
            {
                html.Element("span", view.Unfinished ? "Not yet run." : "Not run.", ("class", "picture missing"));
                Caption(html, name, "", null);
            }
            else
            {
                pictures.Generated(generation.Picture, $"{name}, similarity {Show.Similarity(generation.Similarity)}: {p.Caption}");
                Caption(html, name, How(generation), generation.Similarity, generation.Similarity > view.Summary.Threshold);
            }
        }
    }

    private static string How(BestGeneration generation) =>
        (generation.Start == AuditStart.Prompt ? "no search" : $"from {StartWord(generation.Start)}, {Show.Steps(generation.Steps)}")
            + (generation.Mirrored ? ", mirrored" : "");

    private static void NearestControl(HtmlWriter html, ReportPictures pictures, PictureSummary? control, BestGeneration? best)
    {
        using (html.Open("figure", ("class", "nearest")))
        {
            if (control is null)
            {
                html.Element("span", "No control was run.", ("class", "picture missing"));
                Caption(html, "Nearest control", "", null);
            }
            else
            {
                using (html.Open("span", ("class", "pair")))
                {
                    pictures.Shared(ControlOriginal, $"Nearest control, original: {control.Caption}");
                    pictures.Shared(ControlGenerated,
                        $"Nearest control, best generation, similarity {Show.Similarity(control.Similarity)}");
                }
                Caption(html, "Nearest control",
                    best is null ? "original, generation" : best.Start == AuditStart.Prompt ? "original, by prompt"
                    : $"original, from {StartWord(best.Start)}", control.Similarity);
            }
        }
    }

    private static void Controls(HtmlWriter html, AuditView view, ReportPictures pictures)
    {
        if (view.Controls.Count == 0) return;
        using (html.Open("details"))
        {
            using (html.Open("summary"))
                html.Text(
                    $"The {Show.Count(view.Controls.Count)} controls, the most similar first: "
                        + $"{Show.Count(view.Summary.Controls.AboveThreshold)} "
                    + $"above the threshold {Show.Short(view.Summary.Threshold)}, highest {Show.Similarity(view.Controls[0].Similarity)}");
            using (html.Open("div", ("class", "controls")))
                foreach (PictureSummary p in view.Controls)
                {
                    BestGeneration? best = view.Best(p);
                    using (html.Open("figure"))
                    {
                        if (pictures.Shown)
                            using (html.Open("span", ("class", "pair")))
                            {
                                pictures.Original(p.File, $"Control: {p.Caption}");
                                pictures.Generated(best?.Picture,
                                    $"Best generation of the control, similarity {Show.Similarity(p.Similarity)}: {p.Caption}");
                            }
                        using (html.Open("figcaption"))
                        {
                            html.Element("span", Show.Similarity(p.Similarity), ("class", "value"));
                            html.Text(view.Passes(p) ? " above" : " below");
                            using (html.Open("span", ("class", "how")))
                                html.Foreign(p.Caption.Length > 0 ? p.Caption : p.File);
                        }
                    }
                }
        }
    }

    private static void Caption(HtmlWriter html, string name, string how, double? similarity, bool copy = false)
    {
        using (html.Open("figcaption"))
        {
            html.Element("span", name, ("class", "name"));
            if (similarity is { } value)
            {
                html.Text(" ");
                html.Element("span", Show.Similarity(value), ("class", copy ? "value copy" : "value"));
            }
            if (how.Length > 0) html.Element("span", how, ("class", "how"));
        }
    }

    internal static void Badge(HtmlWriter html, Verdict verdict)
    {
        (string sign, string css) = Wording.Sign(verdict);
        using (html.Open("span", ("class", $"badge {css}")))
        {
            html.Element("span", sign, ("aria-hidden", "true"));
            html.Text(" " + verdict.Text());
        }
    }

    private static string StartWord(AuditStart start) => start switch
    {
        AuditStart.Caption => "the caption",
        AuditStart.Other => "another caption",
        AuditStart.Random => "noise",
        _ => start.Text(),
    };

    private static void Pair(HtmlWriter html, string name, string value)
    {
        html.Element("dt", name);
        html.Element("dd", value);
    }
}
