using Dori.Locality;

namespace Dori.Reporting;

/// <summary>
/// The answer to "is memorization local?": three chapters with one verdict each, and beside every figure the one that it must be held
/// against. One HTML file that asks the network for nothing; the same input gives the same bytes.
/// </summary>
internal static class LocalityReport
{
    /// <param name="path">The file; its folder is made where it is missing.</param>
    /// <param name="context">The pictures, by their paths in the set and in the folder of the searches, and what a reader needs to run the
    /// study again.</param>
    public static void Write(string path, LocalityOutcome outcome, ReportContext context)
    {
        AtomicFile.MakeFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
        AtomicFile.Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" }; // UTF-8 without a byte order mark
            Write(new HtmlWriter(writer), outcome, context);
        });
    }

    private static void Write(HtmlWriter html, LocalityOutcome outcome, ReportContext context)
    {
        LocalitySummary s = outcome.Summary;
        using (ReportPage.Begin(html, $"Is memorization local in {s.Model.Name}?", context.Version))
        using (html.Open("main"))
        {
            Answer(html, s, context);
            LocalityInputSection.Write(html, outcome, new ReportPictures(html, context));
            LocalityActivationSection.Write(html, s);
            if (s.Weight is { } weight) LocalityWeightSection.Write(html, s, weight);
            About(html, s, context);
        }
        html.Text("\n");
    }

    private static void Answer(HtmlWriter html, LocalitySummary s, ReportContext context)
    {
        using (html.Open("header"))
        {
            html.Element("p", $"dori {context.Version} \u00B7 locality", ("class", "eyebrow"));
            using (html.Open("h1"))
            {
                html.Text("Is memorization local in ");
                html.Foreign(s.Model.Name);
                html.Text("?");
            }
        }

        (string, LocalityVerdict)[] chapters =
            [("As embeddings", s.Input.Verdict), ("As activations", s.Activation.Verdict),
            .. s.Weight is { } w ? [("As weights", w.Verdict)] : ((string, LocalityVerdict)[])[]];
        using (html.Open("section",
            ("class", $"answer {(chapters.Any(c => c.Item2.Outcome == LocalityVerdict.Undecided) ? "tone-open" : "tone-none")}"),
            ("aria-label", "Verdicts")))
            foreach ((string name, LocalityVerdict verdict) in chapters)
            {
                html.Element("p", $"{name}: locality is {verdict.Outcome}.", ("class", "headline"));
                html.Element("p", verdict.Sentence, ("class", "detail"));
            }
        ReportPage.Warnings(html, s.Warnings, html.Text);
        LocalityPicture[] own = [.. s.Pictures.Where(p => !p.Other)];
        int others = s.Pictures.Count(p => p.Other);
        html.Element("p",
            $"For {(own.Length == 1 ? "one picture" : $"each of {Show.Count(own.Length)} pictures")}, {Show.Count(s.Searches)} searches of "
            + $"{Show.Steps(s.Steps)} began at random embeddings from N(0, I)"
            + (others == 0 ? ". " : $"; for {Show.Count(others)} others, one search each. ")
            + $"A trigger is an embedding, at the end of a search, with a generation more similar to the picture than "
                + $"{Show.Short(s.Threshold)} (copy detector \u201C{s.CopyDetector}\u201D, {Show.Count(s.Generations)} generations). "
            + "If a picture were stored in one place, its triggers would lie together, excite the network alike and use the same weights.",
                ("class", "note"));
    }

    /// <summary>A chapter's verdict: the word, the sentence, the figures that decide.</summary>
    internal static void Verdict(HtmlWriter html, LocalityVerdict verdict)
    {
        using (html.Open("p"))
        {
            html.Element("span", verdict.Outcome,
                ("class", $"badge {(verdict.Outcome == LocalityVerdict.Undecided ? "undecided" : "not-found")}"));
            html.Text(" " + verdict.Sentence);
        }
        using (html.Open("ul"))
            foreach (string figure in verdict.Figures) html.Element("li", figure);
    }

    /// <returns>Closes the table.</returns>
    internal static HtmlWriter.Scope Table(HtmlWriter html, string label, params ReadOnlySpan<string> names)
    {
        HtmlWriter.Scope all = html.Open("div", ("class", "scroll"), ("role", "region"), ("aria-label", label), ("tabindex", "0"));
        html.Open("table", ("class", "rates"), ("aria-label", label));
        using (html.Open("thead"))
            using (html.Open("tr"))
                for (int i = 0; i < names.Length; i++) html.Element("th", names[i], ("scope", "col"), ("class", i == 0 ? null : "number"));
        html.Open("tbody");
        return all;
    }

    internal static void TableRow(HtmlWriter html, string name, bool control, params ReadOnlySpan<string> cells)
    {
        using (html.Open("tr", ("class", control ? "control" : null)))
        {
            using (html.Open("th", ("scope", "row"))) html.Foreign(name);
            foreach (string cell in cells) html.Element("td", cell, ("class", "number"));
        }
    }

    internal static string Ratio(Comparison? c) => c is null ? "\u2013" : $"{Number(c.Ratio)} ({Number(c.Low)} to {Number(c.High)})";

    internal static string PValue(Comparison? c) => c is null ? "\u2013" : Show.PValue(c.PValue);

    internal static string Number(double? value) =>
        value is { } number && double.IsFinite(number)
        ? number.ToString("0.00", System.Globalization.CultureInfo.InvariantCulture).Replace('-', '\u2212') : "\u2013";

    private static void About(HtmlWriter html, LocalitySummary s, ReportContext context)
    {
        using (html.Open("section", ("aria-labelledby", "run"), ("class", "once")))
        {
            html.Element("h2", "What was run", ("id", "run"));
            using (html.Open("table", ("class", "run")))
                using (html.Open("tbody"))
                {
                    foreach ((string name, string value) in context.Facts) AboutSection.Fact(html, name, value);
                    AboutSection.Fact(html, "Searches a picture", Show.Count(s.Searches));
                    if (context.Cost is { } cost) AboutSection.Fact(html, "Time and memory", cost);
                    AboutSection.Fact(html, "Program", $"dori {context.Version}");
                }
            html.Element("h3", "To run it again");
            using (html.Open("pre")) html.Element("code", context.Command);
        }

        using (html.Open("section", ("aria-labelledby", "bars")))
        {
            html.Element("h2", "How the verdicts are made", ("id", "bars"));
            using (html.Open("dl", ("class", "words")))
                foreach ((string word, string meaning) in Bars())
                {
                    html.Element("dt", word);
                    html.Element("dd", meaning);
                }
        }

        using (html.Open("section", ("aria-labelledby", "caveats"), ("class", "once")))
        {
            html.Element("h2", "What this study cannot say", ("id", "caveats"));
            using (html.Open("ul"))
                foreach (string caveat in Caveats()) html.Element("li", caveat);
        }
    }

    private static IEnumerable<(string, string)> Bars()
    {
        yield return ("As embeddings",
            $"Supported: the 95 % intervals of the triggers\u2019 spread over captions\u2019, over their starts\u2019 and over other "
            + $"pictures\u2019 triggers lie below 1, and the mean silhouette is above {Number(LocalityVerdicts.Structure)}. Refuted: the "
            + $"interval over captions\u2019 lies at or above 1, and the silhouette shows no structure.");
        yield return ("As activations",
            "A layer counts as closer where the intervals against captions and against other pictures\u2019 triggers lie below 1 and the "
            + "permutation tests, adjusted over layers, are at most 0.05. Supported: every layer is closer. Refuted: none is, and in most "
            + "an interval lies at or above 1. Anything between, partial locality too, is undecided: read the layers.");
        yield return ("As weights",
            "Only where pruning silences the trigger that it was made for, in at least half of the cases. Refuted: the 95 % interval of "
            + "other triggers that still bring the picture back lies above one half. Supported: it lies below one half, pruning for "
            + "another picture\u2019s caption leaves clearly more, and no layer\u2019s agreement is that of captions.");
        yield return ("Intervals",
            "Bootstrap over triggers, within each picture. p-values are of permutations: of labels, or of the two sides of a pair. For "
            + "spreads, every group is seen from its own mean, since another place alone is not another spread.");
    }

    private static IEnumerable<string> Caveats()
    {
        yield return "Searches that begin at random embeddings begin far apart, farther than captions lie from each other. That their ends "
            + "stay apart says that many places trigger the picture; it does not say that there is no place to which a longer search would "
            + "lead them.";
        yield return "t-SNE shows who is near whom and can make clusters out of nothing. Nothing here rests on it.";
        yield return "Activations were compared with one noise at the sampler\u2019s first time step. Later steps see what earlier ones "
            + "have made of it.";
        yield return "What NeMo and Wanda mark is what these methods mark. A picture could sit in weights that neither looks at.";
        yield return "The loss of quality is the denoising loss on pictures that are not audited. It is no measure of how pictures look.";
    }
}
