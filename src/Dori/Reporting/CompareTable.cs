using System.Text;
using Dori.Audit;
using Dori.Measures;

namespace Dori.Reporting;

/// <summary>A comparison as Markdown tables, for model cards and READMEs.</summary>
internal static class CompareTable
{
    public static void Write(string path, Comparison comparison) =>
        AtomicFile.WriteText(path, writer => writer.Write(Markdown(comparison)));

    public static string Markdown(Comparison comparison)
    {
        var text = new StringBuilder();
        (string Group, string Start)[] columns = [.. comparison.Models.SelectMany(model => model.Rows)
            .Select(row => (row.Group, row.Start)).Distinct()];
        Row(text, ["Model", .. columns.Select(c => $"{Wording.Group(c.Group)}, {Start(c.Start)}")]);
        Row(text, [":---", .. columns.Select(_ => "---:")]);
        foreach (ComparedModel model in comparison.Models)
            Row(text,
                [Name(model.Name),
                .. columns.Select(c =>
                Cell(model.Rows.FirstOrDefault(row => (row.Group, row.Start) == c),
                comparison.Tests.FirstOrDefault(t => t.Model == model.Name && (t.Group, t.Start) == c)))]);
        text.Append(
            $"\nCopied items of all, with the 95 % Wilson interval of the rate, and the median \u00B1 median absolute deviation of the "
            + $"best similarity ({Name(comparison.CopyDetector)}, threshold {Show.Short(comparison.Threshold)}, {comparison.Generations} "
            + $"generations, {Show.Steps(comparison.Steps)} of search). "
            + $"p: McNemar\u2019s exact test against {Name(comparison.Models[0].Name)}, not corrected for the number of tests. Controls "
                + $"are pictures that no model has seen.\n");
        string[] sets = [.. comparison.Models.SelectMany(m => m.Quality.Select(q => q.Name)).Distinct()];
        if (sets.Length > 0)
        {
            text.Append('\n');
            Row(text,
                ["Model", "Captions", "Frechet distance", "Kernel distance x 1000", "CLIP score",
                "Similarity among a caption\u2019s pictures"]);
            Row(text, [":---", ":---", "---:", "---:", "---:", "---:"]);
            foreach (string set in sets)
            {
                foreach (ComparedModel model in comparison.Models)
                {
                    if (model.Quality.FirstOrDefault(q => q.Name == set) is not { } quality) continue;
                    QualityDifference? d =
                        comparison.QualityDifferences.FirstOrDefault(x => x.Model == model.Name && x.Set == set)?.Difference;
                    QualityFigures f = quality.Figures;
                    Row(text,
                        [Name(model.Name), $"{set}, {f.Captions}", Figure(f.FrechetDistance, d?.FrechetDistance),
                        Figure(f.KernelDistance, d?.KernelDistance, 1000), Figure(f.ClipScore, d?.ClipScore), f.Diversity is { } own
                        ? Figure(own, d?.Diversity) : "\u2013"]);
                }
                if (comparison.Models[0].Quality.FirstOrDefault(q => q.Name == set) is { } real)
                    Row(text,
                        ["real pictures", $"{set}, {real.Figures.Captions}",
                        real.FrechetFloor is { } floor ? Show.Similarity(floor)
                        : "\u2013", "\u2013", Show.Similarity(real.Figures.RealClipScore), "\u2013"]);
            }
            text.Append(
                $"\nWith 95 % bootstrap intervals; \u0394: difference to {Name(comparison.Models[0].Name)} over the same captions and "
                + $"noise. Features: {Name(comparison.FeatureNetwork ?? "")}; CLIP: {Name(comparison.Clip ?? "")}. \u201CRelated\u201D "
                + $"captions share words with removed pictures.\n");
        }
        foreach (string warning in comparison.Warnings) text.Append($"\n> {Name(warning)}\n");
        return text.ToString();
    }

    /// <summary>As a heading has it.</summary>
    internal static string Start(string start) =>
        start == Comparison.AnySearch ? "any search" : start == AuditStart.Prompt.Text() ? start : $"search from {start}";

    internal static string Figure(Interval value, Interval? difference, double scale = 1)
    {
        string N(double x) => Show.Similarity(x * scale);
        string own = $"{N(value.Value)} ({N(value.Low)} to {N(value.High)})";
        return difference is null ? own : $"{own}, \u0394 {N(difference.Value)} ({N(difference.Low)} to {N(difference.High)})";
    }

    private static string Cell(ComparedRow? row, PairedTest? test) => row is null ? "\u2013"
        : $"{Show.AtLeast(row.LowerBound, Show.Count(row.MemorizationRate.Count))} of {row.Images} "
            + $"({Show.Range(row.MemorizationRate)}), "
            + $"{Show.Spread(row.Similarity.Median, row.Similarity.Mad)}{(test is null ? "" : $", p {Show.PValue(test.PValue)}")}";

    private static void Row(StringBuilder text, IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");

    /// <summary>A stranger's text must not end a cell or start markup.</summary>
    private static string Name(string text)
    {
        var safe = new StringBuilder();
        foreach (char c in HtmlWriter.Escape(text))
            safe.Append(c is '\n' or '\t' ? " " : c is '|' or '*' or '_' or '`' or '[' or ']' or '\\' or '~' ? $"\\{c}" : $"{c}");
        return safe.ToString();
    }
}
