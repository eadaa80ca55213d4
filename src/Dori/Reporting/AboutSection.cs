using Dori.Audit;

namespace Dori.Reporting;

/// <summary>What was run, on what, how to run it again, what the words mean, and what the audit cannot say.</summary>
internal static class AboutSection
{
    public static void Write(HtmlWriter html, AuditView view, ReportContext context)
    {
        Summary s = view.Summary;
        using (html.Open("section", ("aria-labelledby", "run"), ("class", "once")))
        {
            html.Element("h2", "What was run", ("id", "run"));
            using (html.Open("table", ("class", "run")))
                using (html.Open("tbody"))
                {
                    Fact(html, "Model", s.Model.Name);
                    Fact(html, "Model, SHA-256 over its files", s.Model.Sha256);
                    Fact(html, "Copy detector", s.CopyDetector);
                    Fact(html, "Threshold", Show.Short(s.Threshold));
                    Fact(html, "Search", $"{Show.Steps(s.Steps)}, {Show.Count(s.Generations)} generations per picture and start");
                    Fact(html, "Mirror images",
                        s.Mirror ? "count: the larger similarity, to the picture or to its mirror image" : "do not count");
                    Fact(html, "Starts", string.Join("; ", s.Starts.Select(start => Wording.Start(start))));
                    Fact(html, "Units", $"{Show.Count(s.Units)}{(s.MissingUnits > 0 ? $", {Show.Count(s.MissingUnits)} missing" : "")}"
                        + (s.SparedUnits > 0 ? $", {Show.Count(s.SparedUnits)} not needed for any verdict" : ""));
                    foreach ((string name, string value) in context.Facts) Fact(html, name, value);
                    if (context.Cost is { } cost) Fact(html, "Time and memory", cost);
                    Fact(html, "Program", $"dori {context.Version}");
                }
            html.Element("h3", "To run it again");
            using (html.Open("pre")) html.Element("code", context.Command);
        }

        using (html.Open("section", ("aria-labelledby", "words")))
        {
            html.Element("h2", "What the words mean", ("id", "words"));
            using (html.Open("dl", ("class", "words")))
                foreach ((string word, string meaning) in Words(s))
                {
                    html.Element("dt", word);
                    html.Element("dd", meaning);
                }
        }

        using (html.Open("section", ("aria-labelledby", "caveats"), ("class", "once")))
        {
            html.Element("h2", "What this audit cannot say", ("id", "caveats"));
            using (html.Open("ul"))
                foreach (string caveat in Caveats(s)) html.Element("li", caveat);
        }
    }

    private static IEnumerable<(string, string)> Words(Summary s)
    {
        string threshold = Show.Short(s.Threshold), rate = Show.Short(100 * s.Controls.FalseDiscoveryRate);
        yield return ("Retained",
            $"A generation passes the threshold of {threshold}, and the controls, searched with the same effort, show that such a find is "
            + $"not the search\u2019s own doing. The model holds the picture, whatever its prompts give.");
        yield return ("Undecided",
            "A generation passes the threshold, but so do too many controls to tell memory from the search\u2019s force. Fewer steps or "
            + "more controls may decide it.");
        yield return ("Not found",
            "No generation from any start passed the threshold. That this search found nothing is evidence that the picture is gone, not "
            + "proof.");
        yield return ("Not judged", "Something that a verdict rests on is missing: enough controls (a p-value of 0.05 needs at least "
            + $"{Show.Count(s.Controls.Needed)}), a unit of this picture, a positive control that passes, or an original that gives "
            + "pictures back.");
        yield return ("Positive control", "What shows that this audit could have found something: the pictures come back from the "
            + "autoencoder, and the model denoises, draws and listens to captions. Where it fails nothing is judged.");
        if (s.Original is not null)
            yield return ("Original", "The ancestor that is expected to hold the pictures, searched from the same starts with the same "
                + "effort. What it gives back shows what this search can find.");
        yield return ("Start",
            "Where the search begins: the picture\u2019s own caption, another caption, or noise. \u201CPrompt\u201D is no search at all: "
            + "the caption as a user would type it.");
        yield return ("Search",
            "Gradient descent on the numbers that a prompt is turned into, so that the unchanged model makes this picture. It finds "
            + "memories that no longer answer to words.");
        yield return ("Control",
            "A picture that the model was not trained on, searched and compared in exactly the same way. What the controls reach is what "
            + "the search can force without any memory.");
        yield return ("Similarity",
            "Cosine between the copy detector\u2019s descriptions of a generation and of the original: 1 is the same picture. An item with "
            + "several references counts by the nearest.");
        yield return ("Memorization rate",
            $"The share of pictures with at least one generation above {threshold}. The 95 % interval is Wilson\u2019s and says how far "
            + $"chance in the choice of pictures could move it.");
        yield return ("Conformal p",
            $"(1 + controls at least as similar as this picture) / (1 + controls): how rare such a similarity is where there is no memory. "
            + $"With {Show.Count(s.Controls.Items)} controls it cannot be smaller than {Show.PValue(s.Controls.SmallestPValue)}.");
        yield return ("BH list",
            $"Benjamini and Hochberg\u2019s procedure picks the pictures whose p-values are small enough for the whole set at once. On "
            + $"average at most {rate} % of the list are there by chance.");
        yield return ("Kind",
            "Verbatim: the model was seen to reproduce the whole picture. Template: only its composition, with free details, for which one "
            + "threshold on the whole picture is a weak measure.");
    }

    private static IEnumerable<string> Caveats(Summary s)
    {
        yield return $"The search tunes many thousands of numbers and can, with enough steps, force pictures that the model never saw. In "
            + $"the literature 50 steps is the edge, with no margin beyond it; this audit used {Show.Count(s.Steps)}, and only its own "
            + $"controls say whether that was too many.";
        yield return "\u201CNot found\u201D holds for the starts, steps, seeds and generations of this audit. A longer or another search "
            + "could still find the picture.";
        yield return "Controls are a fair comparison only where they resemble the audited pictures and were truly absent from training. "
            + "The p-values rest on that.";
        yield return "The threshold belongs to this copy detector. Another detector needs its own, and template pictures may be missed by "
            + "a threshold made for whole copies.";
        yield return "Near-duplicates among the pictures make the intervals too narrow: they count as separate items here unless the "
            + "picture set names them as one.";
        yield return "The audit speaks of the pictures it was given. It says nothing about others that the model may hold.";
    }

    internal static void Fact(HtmlWriter html, string name, string value)
    {
        using (html.Open("tr"))
        {
            html.Element("th", name, ("scope", "row"));
            using (html.Open("td")) html.Foreign(value);
        }
    }
}
