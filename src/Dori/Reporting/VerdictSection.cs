using Dori.Audit;

namespace Dori.Reporting;

/// <summary>The answer, and what a reader must know before believing it.</summary>
internal static class VerdictSection
{
    public static void Write(HtmlWriter html, AuditView view, ReportContext context)
    {
        Summary s = view.Summary;
        using (html.Open("header"))
        {
            using (html.Open("p", ("class", "eyebrow")))
            {
                html.Text($"dori {string.Join(", ", context.Log.Versions.DefaultIfEmpty(context.Version))} \u00B7 retention audit");
                if (RunFacts.Dates(context.Log) is { } dates) html.Text($" \u00B7 {dates}");
            }
            using (html.Open("h1")) Title(html, s, context.Log);
            if (context.Identity.Length > 0)
                using (html.Open("p", ("class", "identity"))) html.Foreign(context.Identity);
            Said(html, "Auditor: ", context.Log.Auditor);
            Said(html, "", context.Log.Note);
        }

        using (html.Open("section", ("class", $"answer {Tone(view)}"), ("aria-label", "Verdict")))
        {
            if (Headline.Obstacle(view) is { } obstacle) html.Element("p", obstacle, ("class", "obstacle"));
            foreach (Headline headline in Headline.Of(view))
            {
                html.Element("p", headline.Sentence, ("class", "headline"));
                html.Element("p", headline.Detail, ("class", "detail"));
            }
        }

        ReportPage.Warnings(html, s.Warnings, html.Text);

        html.Element("p",
            $"Similarity is measured by the copy detector \u201C{s.CopyDetector}\u201D from \u22121 to 1; a generation above "
            + $"{Show.Short(s.Threshold)} counts as a copy. "
            + (!s.Searched ? $"Each picture was asked for by its caption alone, {Show.Count(s.Generations)} generations "
                : $"Each picture had {(s.StopAtVerdict ? "at most " : "")}{Show.Steps(s.Steps)} of search and "
                    + $"{Show.Count(s.Generations)} generations per start ")
            + $"({string.Join("; ", s.Starts.Select(start => Wording.Start(start)))}). "
            + "A picture counts by its most similar generation over all starts.", ("class", "note"));
    }

    private static void Title(HtmlWriter html, Summary summary, RunLog log)
    {
        if (log.Title is { } title)
        {
            html.Foreign(title);
            return;
        }
        html.Text("Does ");
        html.Foreign(summary.Model.Name);
        html.Text(" still hold the pictures?");
    }

    private static void Said(HtmlWriter html, string before, string? text)
    {
        if (text is null) return;
        using (html.Open("p", ("class", "note")))
        {
            html.Text(before);
            html.Foreign(text);
        }
    }

    private static string Tone(AuditView view) =>
        view.Targets.Any(p => p.Verdict == Verdict.Retained) ? "tone-retained"
        : Headline.Obstacle(view) is not null || view.Targets.Any(p => p.Verdict != Verdict.NotFound) ? "tone-open"
        : "tone-none";
}
