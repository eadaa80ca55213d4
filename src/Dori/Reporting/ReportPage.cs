namespace Dori.Reporting;

/// <summary>The head that all reports share: nothing from the network, no scripts, one style sheet that the policy names by its
/// hash.</summary>
internal static class ReportPage
{
    /// <summary>Opens the page as far as <c>body</c>; the caller closes <c>body</c> and <c>html</c>.</summary>
    public static void Begin(HtmlWriter html, string title, string version)
    {
        html.Doctype();
        html.Open("html", ("lang", "en"));
        html.Open("head");
        html.Open("meta", ("charset", "utf-8"));
        html.Open("meta", ("http-equiv", "Content-Security-Policy"),
            ("content", $"default-src 'none'; img-src data:; style-src '{ReportStyle.Hash}'; base-uri 'none'; form-action 'none'"));
        html.Open("meta", ("name", "viewport"), ("content", "width=device-width, initial-scale=1"));
        html.Open("meta", ("name", "color-scheme"), ("content", "light dark"));
        html.Open("meta", ("name", "referrer"), ("content", "no-referrer"));
        html.Open("meta", ("name", "generator"), ("content", $"dori {version}"));
        html.Element("title", title);
        html.Style(ReportStyle.Css);
        html.Close();
        html.Open("body");
    }
}
