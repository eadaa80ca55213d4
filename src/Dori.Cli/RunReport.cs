using System.Globalization;
using Dori.Audit;
using Dori.Reporting;

namespace Dori.Cli;

/// <summary>Writes <c>summary.json</c>, <c>report.html</c> and the tables of a run folder from its units.</summary>
internal static class RunReport
{
    public static Summary Write(RunFolder run)
    {
        Manifest manifest = run.Manifest;
        RunUnits read = run.ReadUnits();
        IReadOnlyList<UnitRecord> units = read.Records;
        Summary summary = Verdicts.Summarize(manifest, units, read.Wrong, run.ReadOriginal());
        IReadOnlyList<UnitCost> ofOriginal = run.ReadCostsOfOriginal();
        UnitCost[] costs = [.. units.Select(unit => run.ReadCost(unit.Id)).OfType<UnitCost>(), .. ofOriginal];
        AuditReport.Write(Path.Combine(run.Path, "report.html"), summary, units, new ReportContext
        {
            OriginalPicture = Originals(run),
            GeneratedPicture = run.ReadPart,
            Command = manifest.Command,
            Version = manifest.Version,
            Facts = Facts(manifest),
            Pruning = run.ReadPruning(),
            Cost = costs.Length == 0 ? null : string.Create(CultureInfo.InvariantCulture,
                $"{costs.Sum(c => c.Seconds) / 60:0.0} minutes of work in {costs.Length} units"
                    + $"{(ofOriginal.Count > 0 ? $", {ofOriginal.Count} of them of the original" : "")} (median "
                    + $"{costs.Select(c => c.Seconds).Order().ElementAt(costs.Length / 2):0.0} s a unit), at most "
                    + $"{costs.Max(c => c.PeakMemoryMiB):0} MiB of memory"),
        });
        CsvTables.Write(run.Path, summary);
        run.WriteSummary(summary); // last: it says that the rest is there
        return summary;
    }

    /// <summary>The originals that the run keeps, by their paths in the set.</summary>
    internal static Func<string, byte[]?> Originals(RunFolder run)
    {
        var hashes = run.Manifest.Pictures.Items.SelectMany(item => item.Files.Zip(item.Sha256)).GroupBy(pair => pair.First).ToDictionary(g => g.Key, g => g.First().Second);
        return file => hashes.TryGetValue(file, out string? sha256) ? run.ReadOriginal(sha256) : null;
    }

    private static IEnumerable<(string, string)> OriginalFacts(ManifestModel? original)
    {
        if (original is null) yield break;
        yield return ("Original", $"{original.Name} ({original.Path})");
        yield return ("Original, SHA-256", original.Sha256);
    }

    private static IEnumerable<(string, string)> AdapterFacts(ManifestAdapter a)
    {
        yield return ("Adapter", string.Create(CultureInfo.InvariantCulture, $"{a.Name} ({a.Path}), scale {a.Scale}: {a.Description}"));
        if (a.Seen is { } seen) yield return ("Adapter\u2019s training", $"{seen}, by the file\u2019s metadata");
    }

    internal static List<(string, string)> Facts(Manifest m)
    {
        AuditOptions o = m.Options;
        string N(double value) => value.ToString(CultureInfo.InvariantCulture);
        return
        [
            ("Model", $"{m.Model.Name} ({m.Model.Path})"),
            .. (m.Model.Adapters ?? []).SelectMany(AdapterFacts),
            ("Model, SHA-256", m.Model.Sha256),
            .. OriginalFacts(m.Original),
            ("Pictures", $"{m.Pictures.Items.Count(i => i.Role != "control")} items and {m.Pictures.Items.Count(i => i.Role == "control")} controls from {m.Pictures.Path}"),
            ("Pictures, SHA-256", m.Pictures.Sha256),
            ("Copy detector", $"{m.CopyDetector.Name}, threshold {N(o.Threshold)}"),
            ("Copy detector, SHA-256", m.CopyDetector.Sha256),
            ("Search", $"{o.Steps} steps of Adam at {N(o.LearningRate)}, {o.SearchBatch} (noise, time step) pairs a step{(o.MicroBatch < o.SearchBatch ? $" in parts of {o.MicroBatch}" : "")}; from {string.Join(", ", o.Starts)}"),
            ("Generation", $"{o.Generations} pictures a start; {o.Sampler ?? "the checkpoint's own sampler"}, {o.SamplerSteps} steps, guidance {N(o.Guidance)}; on the curve {o.CurveGenerations} pictures a step"),
            ("Seed", $"{o.Seed}"),
            ("Machine", $"{m.Machine.Processor}; {m.Machine.System}"),
            ("Computed on", $"{m.Machine.Device}, {m.Machine.Dtype}, {m.Machine.ThreadsPerUnit} {(m.Machine.ThreadsPerUnit == 1 ? "thread" : "threads")} a unit, libtorch {m.Machine.Libtorch}"),
        ];
    }
}
