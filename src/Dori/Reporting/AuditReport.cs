using Dori.Audit;

namespace Dori.Reporting;

/// <summary>
/// The audit's report: one HTML file that holds everything it shows and asks the network for nothing. Verdicts come first, every rate has
/// its count, interval and controls, and the pictures that a reader should worry about stand on top. The same input gives the same bytes.
/// </summary>
internal static class AuditReport
{
    /// <param name="path">The file; its folder is made where it is missing.</param>
    /// <param name="summary">May be of an unfinished run, or have too few controls: the report says so before anything else.</param>
    /// <param name="units">In any order; those of items that the summary lacks are passed over.</param>
    /// <param name="context">The pictures, and what a reader needs to run the audit again.</param>
    public static void Write(string path, Summary summary, IReadOnlyList<UnitRecord> units, ReportContext context)
    {
        AtomicFile.WriteText(path, writer => Write(new HtmlWriter(writer), new AuditView(summary, units), context));
    }

    private static void Write(HtmlWriter html, AuditView view, ReportContext context)
    {
        string title = $"Retention audit of {view.Summary.Model.Name}";
        var pictures = new ReportPictures(html, context);
        using (ReportPage.Begin(html, title, context.Version))
        using (html.Open("main"))
        {
            VerdictSection.Write(html, view, context);
            RatesSection.Write(html, view);
            PicturesSection.Write(html, view, pictures, context);
            CurvesSection.Write(html, view);
            TableSection.Write(html, view);
            if (view.Summary.Reference is { } reference) ReferenceSection.Write(html, reference);
            if (context.Ladder is { } ladder) LadderSection.Write(html, ladder);
            if (context.Paths is { } paths) PathsSection.Write(html, paths);
            ControlSection.Write(html, view.Summary.Control, view.Summary.Original);
            if (context.Pruning is { } pruning) PruningSection.Write(html, pruning, null, "pruning");
            AboutSection.Write(html, view, context);
        }
        html.Text("\n");
    }
}
