using Dori.Pictures;
using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Reporting;

namespace Dori.Cli;

/// <summary>What is said of an audit's result.</summary>
internal static class AuditOutcome
{
    /// <summary>Summary, report and tables of a run folder, and what is said of them on the console.</summary>
    /// <param name="pictures">Whether the report shows them.</param>
    public static Summary Finish(Shell shell, RunFolder run, CommonSettings settings, bool pictures = true)
    {
        Summary summary = Report.Write(run, pictures);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(summary, AuditJson.Default.Summary));
        else if (!settings.Quiet) Print(shell, run, summary);
        return summary;
    }

    private static void Print(Shell shell, RunFolder run, Summary summary)
    {
        PrintableConsole console = shell.Console;
        var table = new PlainTable("pictures", "start", "steps", "copies", "rate, 95 %", "best similarity");
        foreach (GroupSummary g in summary.Groups)
            table.AddRow(g.Group, g.Start.Text(), $"{g.Steps}",
                $"{(g.LowerBound ? "at least " : "")}{g.MemorizationRate.Count} of {g.Distinct ?? g.Images}",
                Show.Plain(g.MemorizationRate),
                string.Create(CultureInfo.InvariantCulture, $"{g.Similarity.Median:0.00} ± {g.Similarity.Mad:0.00}"));
        console.Write(table);
        PictureSummary[] audited = [.. summary.Pictures.Where(p => p.Role != PictureRole.Control)];
        IEnumerable<string> verdicts = audited.GroupBy(p => p.Verdict).OrderBy(g => g.Key)
            .Select(g => $"{g.Count()} {g.Key.Text()}");
        console.WriteLine($"{string.Join(", ", verdicts)} of {audited.Length}; {summary.Controls.AboveThreshold} of "
            + $"{summary.Controls.Items} controls pass the threshold of {summary.Threshold.ToString(CultureInfo.InvariantCulture)} "
            + $"({summary.CopyDetector}, {summary.Generations} generations)");
        if (audited.Any(p => p.Verdict == Verdict.NotFound)) console.WriteLine(Wording.Power(summary));
        if (summary.Original is { } original) console.WriteLine($"The original, {original.Name}, {original.InOneLine}");
        if (run.ReadLadder() is { } ladder) console.WriteLine($"The ladder, {ladder.InOneLine}");
        if (run.ReadPaths() is { } paths) console.WriteLine($"Paths: {paths.InOneLine}");
        if (summary.Reference is { } reference) console.WriteLine($"Beside the reference, {reference.Name}: {reference.InOneLine}");
        foreach (string warning in summary.Warnings) console.WriteLine($"Note: {Flags.In(warning)}");
        console.WriteLine($"Report: {Path.Combine(run.Path, "report.html")}");
    }
}
