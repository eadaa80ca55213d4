using Dori.Audit;

namespace Dori.Reporting;

/// <summary>The positive control: what was measured of the model before the first search, with the limits.</summary>
internal static class ControlSection
{
    public static void Write(HtmlWriter html, PositiveControl? control)
    {
        html.Open("section", ("aria-labelledby", "control"));
        html.Element("h2", "Could this audit have found anything?", ("id", "control"));
        html.Element("p", Sentence(control));
        if (control is not null) Figures(html, control);
        html.Close();
    }

    private static string Sentence(PositiveControl? control) => control switch
    {
        null => "This run recorded no positive control: whether the model can draw at all was not asked before the search.",
        { Holds: false } => $"No. The positive control failed, so that nothing is judged: {control.Advice}.",
        { Unseen.Count: 0 } => $"Yes: all {Show.Count(control.Looked)} pictures come back from the model\u2019s autoencoder as copies of "
            + "themselves, the model denoises and draws ordinary pictures, and captions matter to it.",
        _ => $"For {Show.Count(control.Seen)} of {Show.Count(control.Looked)} pictures. The model denoises and draws ordinary pictures, "
            + "and captions matter to it; but its autoencoder does not bring back "
            + $"{string.Join(", ", control.Unseen.Select(item => item.Item))}, which are not judged unless retained.",
    };

    private static readonly (string Name, string? Css)[] s_columns =
        [("Measured before the first search", null), ("Value", "number"), ("Limit", "number"), ("", null)];

    private static void Figures(HtmlWriter html, PositiveControl control)
    {
        html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", "Positive control"), ("tabindex", "0"));
        html.Open("table", ("class", "rates"), ("aria-label", "Positive control"));
        html.Open("thead");
        html.Open("tr");
        foreach ((string name, string? css) in s_columns) html.Element("th", name, ("scope", "col"), ("class", css));
        html.Close();
        html.Close();
        html.Open("tbody");
        foreach (ControlFigure figure in control.Figures)
        {
            html.Open("tr");
            html.Element("th", $"{figure.Part}: {figure.Name}", ("scope", "row"));
            html.Element("td", Show.Similarity(figure.Value ?? double.NaN), ("class", "number"));
            html.Element("td", figure.Limit, ("class", "number"));
            html.Element("td", figure.Passed ? "passes" : "fails");
            html.Close();
        }
        html.Close();
        html.Close();
        html.Close();
    }
}
