using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Reporting;

namespace Dori.Cli;

/// <summary>What is said of a comparison that stands in its folder.</summary>
internal static class ComparisonOutcome
{
    public static void Say(Shell shell, CommonSettings settings, Comparison comparison, string folder)
    {
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(comparison, CompareJson.Default.Comparison));
        else if (!settings.Quiet) Print(shell, comparison, folder);
    }

    private static void Print(Shell shell, Comparison comparison, string folder)
    {
        var table = new PlainTable("pictures", "start", "model", "copies", "rate, 95 %", "best similarity", "p");
        foreach ((string group, string start) in comparison.Models.SelectMany(model => model.Rows)
            .Select(row => (row.Group, row.Start)).Distinct())
            foreach (ComparedModel model in comparison.Models)
                if (model.Rows.FirstOrDefault(row => row.Group == group && row.Start == start) is { } row)
                    table.AddRow(group, start, model.Name,
                        $"{(row.LowerBound ? "at least " : "")}{row.MemorizationRate.Count} of {row.Images}",
                        Show.Plain(row.MemorizationRate),
                        $"{N(row.Similarity.Median)} ± {N(row.Similarity.Mad)}", PValue(comparison, model, row));
        shell.Console.Write(table);
        foreach (string warning in comparison.Warnings) shell.Console.WriteLine($"Note: {Flags.In(warning)}");
        foreach (ComparedModel model in comparison.Models)
        {
            (string before, string after) = model.InWords();
            shell.Console.WriteLine($"{before}{model.Name}{after}");
        }
        shell.Console.WriteLine($"Comparison: {Path.Combine(folder, "compare.html")}; table: {Path.Combine(folder, "compare.md")}");
    }

    private static string PValue(Comparison comparison, ComparedModel model, ComparedRow row) =>
        comparison.Tests.FirstOrDefault(t => t.Model == model.Name && t.Group == row.Group && t.Start == row.Start)?.PValue
            .ToString("0.000", CultureInfo.InvariantCulture) ?? "";

    private static string N(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
