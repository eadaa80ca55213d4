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
        var view = new AuditView(summary, units, context.HasPicture);
        AtomicFile.WriteText(path, writer => Write(new HtmlWriter(writer), view, context));
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        int pages = PicturesIndex.PagesOf(view);
        for (int page = 2; page <= pages; page++)
        {
            int number = page;
            AtomicFile.WriteText(Path.Combine(folder, PicturesIndex.FileOf(page)),
                writer => WritePage(new HtmlWriter(writer), view, context, number));
        }
        for (int page = pages + 1; File.Exists(Path.Combine(folder, PicturesIndex.FileOf(page))); page++)
            File.Delete(Path.Combine(folder, PicturesIndex.FileOf(page))); // of a report of more pictures
    }

    private static string TitleOf(AuditView view) => $"Retention audit of {view.Summary.Model.Name}";

    /// <summary>Pictures that the report itself has no room for.</summary>
    private static void WritePage(HtmlWriter html, AuditView view, ReportContext context, int page)
    {
        using (ReportPage.Begin(html, $"{TitleOf(view)}, page {page}", context.Version))
        using (html.Open("main"))
        {
            using (html.Open("p", ("class", "identity"))) html.Foreign(context.Identity);
            PicturesSection.Write(html, view, new ReportPictures(html, context), context, page);
        }
        html.Text("\n");
    }

    private static void Write(HtmlWriter html, AuditView view, ReportContext context)
    {
        var pictures = new ReportPictures(html, context);
        using (ReportPage.Begin(html, TitleOf(view), context.Version))
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
