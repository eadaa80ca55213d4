using Dori.Audit;

namespace Dori.Reporting;

/// <summary>What the reference says of the set: whether the search, or what both models learned, could have done it.</summary>
internal static class ReferenceSection
{
    public static void Write(HtmlWriter html, ReferenceSummary reference)
    {
        using (html.Open("section", ("aria-labelledby", "reference")))
        {
            html.Element("h2", "Could the search have done it alone?", ("id", "reference"));
            using (html.Open("p"))
            {
                html.Text("The reference, ");
                html.Foreign(reference.Name);
                html.Text(", is expected not to hold the pictures and was searched in the same way, controls too. ");
                html.Text(reference.Obstacle is { } obstacle ? $"It does not answer: {obstacle}." : Answers(reference));
            }
            html.Element("p", $"Copied first, after fewer search steps, by this model {Show.Count(reference.ThisModelFirst)} times and by "
                + $"the reference {Show.Count(reference.ReferenceFirst)} times; {Show.Count(reference.Ties)} ties, in which both or "
                + "neither did, are dropped. Were it a coin\u2019s doing, this model would be first so often with probability "
                + $"{Show.PValue(reference.SignPValue)} (exact sign test, one-sided).");
            html.Element("p", "D is this model\u2019s best similarity less the reference\u2019s. Its p-value is conformal: the share of "
                + $"{Show.Count(reference.Controls)} controls, and the picture itself, whose D is as large. The likelihood gain says "
                + "what training added to the picture\u2019s likelihood given its caption; a picture may be likelier without being "
                + "held, so that no verdict rests on it.", ("class", "legend"));
        }
    }

    private static string Answers(ReferenceSummary r)
    {
        int byPairs = r.Pairs - r.ThisModelAlone;
        return $"Of {Show.Count(r.GivenBack)} pictures that this model gives back, {Show.Count(r.ThisModelAlone)} come from it alone, "
            + $"{Show.Count(r.Both)} from both, and {Show.Count(r.Undecided)} are undecided between the two"
            + (byPairs > 0 ? $" ({Show.Count(byPairs)} of them do not come back from the reference: evidence by pairs)." : ".");
    }
}
