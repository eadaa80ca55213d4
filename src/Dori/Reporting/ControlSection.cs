using Dori.Audit;
using Dori.Measures;

namespace Dori.Reporting;

/// <summary>
/// The positive control: what was measured of the model before the first search, with the limits, and what the original gives back.
/// </summary>
internal static class ControlSection
{
    public static void Write(HtmlWriter html, PositiveControl? control, OriginalSummary? original)
    {
        using (html.Open("section", ("aria-labelledby", "control")))
        {
            html.Element("h2", "Could this audit have found anything?", ("id", "control"));
            html.Element("p", Sentence(control));
            if (original is not null) Original(html, original);
            if (control is not null) Figures(html, control);
        }
    }

    private static string Sentence(PositiveControl? control) => control switch
    {
        null => "This run recorded no positive control: whether the model can draw at all was not asked before the search.",
        { Holds: false } => $"No. The positive control failed, so that nothing is judged: {control.Advice}.",
        { OnControls: [var first, ..] } => "Of the audited pictures, yes: the model without its adapter is sound, and with it knows these "
            + "pictures by heart. It no longer draws others, as an overtrained model does not: that these were not copied says little "
            + $"({first.Shown}).",
        { Unseen.Count: 0 } => $"Yes: all {Show.Count(control.Looked)} pictures come back from the model\u2019s autoencoder as copies of "
            + "themselves, the model denoises and draws ordinary pictures, and captions matter to it.",
        _ => $"For {Show.Count(control.Seen)} of {Show.Count(control.Looked)} pictures. The model denoises and draws ordinary pictures, "
            + "and captions matter to it; but its autoencoder does not bring back "
            + $"{string.Join(", ", control.Unseen.Select(item => item.Item))}, which are not judged unless retained.",
    };

    private static void Original(HtmlWriter html, OriginalSummary original)
    {
        using (html.Open("p"))
        {
            html.Text("The original, ");
            html.Foreign(original.Name);
            html.Text(", is expected to hold the pictures and was searched in the same way. ");
            html.Text(original.Obstacle is { } obstacle
                ? $"It does not show that this search finds them: {obstacle}. So pictures that were not found are not judged."
                : Shown(original));
        }
    }

    private static string Shown(OriginalSummary original)
    {
        Rate power = original.Power!;
        string sentence = $"It gives back {Show.Count(original.GivenBack)} of {Show.Count(original.Asked)} pictures, "
            + $"{Show.Count(original.GivenBackByPrompt)} by prompt alone: {Show.Percent(power.Value)}, exact "
            + $"{Show.Bounds(power)}. That is how many of the pictures that a model holds as this one does the audit "
            + "finds; what a mitigated model still holds may be harder to find.";
        string[] silent = [.. original.Pictures.Where(picture => !picture.GivenBack).Select(picture => picture.Item)];
        return silent.Length == 0 ? sentence
            : $"{sentence} It does not give back {string.Join(", ", silent.Take(20))}{(silent.Length > 20 ? ", ..." : "")}: that these "
                + "were not found in the model under audit may be the search\u2019s own weakness.";
    }

    private static readonly (string Name, string? Css)[] s_columns =
        [("Measured before the first search", null), ("Value", "number"), ("Limit", "number"), ("", null)];

    private static void Figures(HtmlWriter html, PositiveControl control)
    {
        using (html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", "Positive control"), ("tabindex", "0")))
            using (html.Open("table", ("class", "rates"), ("aria-label", "Positive control")))
            {
                using (html.Open("thead"))
                    using (html.Open("tr"))
                        foreach ((string name, string? css) in s_columns) html.Element("th", name, ("scope", "col"), ("class", css));
                using (html.Open("tbody"))
                    foreach (ControlFigure figure in control.Figures)
                    {
                        using (html.Open("tr"))
                        {
                            html.Element("th", $"{figure.Part}: {figure.Name}", ("scope", "row"));
                            html.Element("td", Show.Similarity(figure.Value ?? double.NaN), ("class", "number"));
                            html.Element("td", figure.Limit, ("class", "number"));
                            html.Element("td", figure.Passed ? "passes" : "fails");
                        }
                    }
            }
    }
}
