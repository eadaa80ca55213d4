using System.Globalization;
using System.Text;
using Dori.Audit;

namespace Dori.Reporting;

/// <summary>
/// The figures as comma-separated tables (RFC 4180: CRLF, quotes doubled; UTF-8). A text field that a spreadsheet would run as a formula
/// gets a leading apostrophe. Numbers have a point and their shortest exact digits.
/// </summary>
internal static class CsvTables
{
    /// <summary>Writes <c>pictures.csv</c> and <c>rates.csv</c>; the folder is made where it is missing.</summary>
    public static void Write(string folder, Summary summary)
    {
        AtomicFile.MakeFolder(folder);
        AtomicFile.WriteText(Path.Combine(folder, "pictures.csv"), Pictures(summary));
        AtomicFile.WriteText(Path.Combine(folder, "rates.csv"), Rates(summary));
    }

    /// <summary>
    /// One row a picture, controls included, in the summary's order. The original's similarity is empty where none was searched.
    /// </summary>
    public static string Pictures(Summary summary)
    {
        var table = new StringBuilder();
        Row(table, "item", "file", "caption", "kind", "role", "verdict", "similarity", "start", "p_value", "discovery", "prompt_similarity",
            "search_similarity", "steps_to_first_copy", "threshold", "copy_detector", "mirrored", "original_similarity",
            "reference", "reference_similarity", "reference_difference", "reference_p_value", "reference_gain_bits",
            "power", "distinct");
        foreach (PictureSummary p in summary.Pictures)
        {
            Row(table,
            [
                Text(p.Item), Text(p.File), Text(p.Caption), p.Kind.Text(), p.Role.Text(), p.Verdict.Text(), Number(p.Similarity),
                p.Start?.Text() ?? "", Number(p.PValue), p.Discovery ? "true" : "false", Number(p.PromptSimilarity),
                Number(p.SearchSimilarity), p.StepsToFirstCopy?.ToString(CultureInfo.InvariantCulture) ?? "", Number(summary.Threshold),
                Text(summary.CopyDetector), p.Mirrored ? "true" : "false",
                summary.Original?.Of(p) is { Start: not null } original ? Number(original.Similarity) : "",
                .. Reference(summary.Reference?.Of(p)),
                p.Verdict != Verdict.NotFound ? "" : summary.Original?.Power is { } power ? Number(power.Value) : "not measured",
                Text(summary.DistinctOf(p)),
            ]);
        }
        return table.ToString();
    }

    /// <summary>Empty where none was searched.</summary>
    private static string[] Reference(ReferencePicture? p) => p is null ? ["", "", "", "", ""]
        : [p.Answer.Text(), p.Start is null ? "" : Number(p.Similarity), Number(p.Difference ?? double.NaN), Number(p.PValue ?? double.NaN),
            Number(p.GainBits ?? double.NaN)];

    /// <summary>One row a group, start and number of steps: the rates at the last step first, then the rest of the curve.</summary>
    public static string Rates(Summary summary)
    {
        var table = new StringBuilder();
        Row(table, "group", "start", "steps", "images", "generations", "count", "rate", "rate_low_95", "rate_high_95",
            "similarity_median", "similarity_mad", "median_similarity_median", "median_similarity_mad",
            "diversity", "threshold", "copy_detector", "lower_bound", "distinct");
        foreach (GroupSummary g in summary.Groups.Concat(summary.Curve).DistinctBy(g => (g.Group, g.Start, g.Steps)))
        {
            Row(table, Text(g.Group), g.Start.Text(), Number(g.Steps), Number(g.Images), Number(g.Generations),
                Number(g.MemorizationRate.Count), Number(g.MemorizationRate.Value), Number(g.MemorizationRate.Low),
                Number(g.MemorizationRate.High), Number(g.Similarity.Median), Number(g.Similarity.Mad), Number(g.MedianSimilarity.Median),
                    Number(g.MedianSimilarity.Mad), Number(g.Diversity), Number(summary.Threshold),
                Text(summary.CopyDetector), g.LowerBound ? "yes" : "no",
                Number(g.Distinct ?? g.Images));
        }
        return table.ToString();
    }

    internal static void Row(StringBuilder table, params ReadOnlySpan<string> fields)
    {
        for (int i = 0; i < fields.Length; i++)
        {
            if (i > 0) table.Append(',');
            string field = fields[i];
            if (field.AsSpan().IndexOfAny("\",\r\n") >= 0)
                table.Append('"').Append(field.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
            else table.Append(field);
        }
        table.Append("\r\n");
    }

    internal static string Text(string text)
    {
        text = Printable.Lines(text); // shown on a terminal as often as in a spreadsheet
        return text.Length > 0 && text[0] is '=' or '+' or '-' or '@' or '\t' or '\r' or '\n' ? "'" + text : text;
    }

    internal static string Number(double value) => double.IsFinite(value) ? value.ToString("R", CultureInfo.InvariantCulture) : "";
}
