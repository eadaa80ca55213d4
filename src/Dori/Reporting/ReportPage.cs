namespace Dori.Reporting;

/// <summary>The head that all reports share: nothing from the network, no scripts, one style sheet that the policy names by its
/// hash.</summary>
internal static class ReportPage
{
    /// <summary>Opens the page as far as <c>body</c>.</summary>
    /// <returns>Closes it.</returns>
    public static HtmlWriter.Scope Begin(HtmlWriter html, string title, string version)
    {
        html.Doctype();
        HtmlWriter.Scope page = html.Open("html", ("lang", "en"));
        using (html.Open("head"))
        {
            html.Void("meta", ("charset", "utf-8"));
            html.Void("meta", ("http-equiv", "Content-Security-Policy"),
                ("content", $"default-src 'none'; img-src data:; style-src '{ReportStyle.Hash}'; base-uri 'none'; form-action 'none'"));
            html.Void("meta", ("name", "viewport"), ("content", "width=device-width, initial-scale=1"));
            html.Void("meta", ("name", "color-scheme"), ("content", "light dark"));
            html.Void("meta", ("name", "referrer"), ("content", "no-referrer"));
            html.Void("meta", ("name", "generator"), ("content", $"dori {version}"));
            html.Element("title", title);
            html.Style(ReportStyle.Css);
        }
        html.Open("body");
        return page;
    }

    /// <summary>What a reader must know before the figures; nothing where there is nothing.</summary>
    /// <param name="write">Writes one: as the program's own words or, where it names what a stranger named, as foreign.</param>
    public static void Warnings(HtmlWriter html, IReadOnlyList<string> warnings, Action<string> write)
    {
        if (warnings.Count == 0) return;
        using (html.Open("section", ("class", "warnings"), ("aria-label", "Warnings")))
        {
            html.Element("h2", "Before you rely on this");
            using (html.Open("ul"))
                foreach (string warning in warnings)
                    using (html.Open("li")) write(warning);
        }
    }
}
