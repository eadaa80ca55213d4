using Dori.Pictures;
using System.Globalization;
using Dori.Audit;
using Dori.Search;

namespace Dori.Reporting;

/// <summary>What reports say of a run beside its figures.</summary>
internal static class RunFacts
{
    /// <summary>The originals that the run keeps, by their paths in the set.</summary>
    public static Func<string, byte[]?> Originals(RunFolder run)
    {
        var hashes = run.Manifest.Pictures.Items.SelectMany(item => item.Files.Zip(item.Sha256)).GroupBy(pair => pair.First)
            .ToDictionary(g => g.Key, g => g.First().Second);
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

    public static List<(string, string)> Of(Manifest m)
    {
        AuditOptions o = m.Options;
        string N(double value) => value.ToString(CultureInfo.InvariantCulture);
        return
        [
            ("Model", $"{m.Model.Name} ({m.Model.Path})"),
            .. (m.Model.Adapters ?? []).SelectMany(AdapterFacts),
            ("Model, SHA-256", m.Model.Sha256),
            .. OriginalFacts(m.Original),
            ("Pictures",
                $"{m.Pictures.Items.Count(i => i.Role != PictureRole.Control)} items and "
                + $"{m.Pictures.Items.Count(i => i.Role == PictureRole.Control)} controls from {m.Pictures.Path}"),
            ("Pictures, SHA-256", m.Pictures.Sha256),
            ("Copy detector", $"{m.CopyDetector.Name}, threshold {N(o.Threshold)}"),
            ("Copy detector, SHA-256", m.CopyDetector.Sha256),
            ("Search",
                $"{o.Search ?? new DoriSearch(o.SearchOptions).Description}; from "
                + $"{string.Join(", ", o.Starts.Select(start => start.Text()))}"),
            ("Generation",
                $"{o.Generations} pictures a start; {o.Sampler ?? "the checkpoint's own sampler"}, {o.SamplerSteps} steps, guidance "
                + $"{N(o.Guidance)}; on the curve {o.CurveGenerations} pictures a step"),
            ("Seed", $"{o.Seed}"),
            ("Machine", $"{m.Machine.Processor}; {m.Machine.System}"),
            ("Computed on", Text(m.Machine)),
            .. (m.OtherMachines ?? []).Select(machine =>
                ("And merged from", $"{Text(machine)}: another kind of machine, whose last digits may differ")),
        ];

        string Text(ManifestMachine machine) => $"{machine.InOneLine}, libtorch {machine.Libtorch}"
            + (machine.Gpu is { } gpu ? $"; {gpu.InOneLine}" : "");
    }

    /// <summary>Time and memory; null where there are no units.</summary>
    /// <param name="ofOriginal">How many of them are the original's.</param>
    /// <param name="what">Their name, in the plural.</param>
    public static string? Cost(IReadOnlyList<UnitCost> costs, int ofOriginal = 0, string what = "units") => costs.Count == 0 ? null
        : string.Create(CultureInfo.InvariantCulture, $"{costs.Sum(c => c.Seconds) / 60:0.0} minutes of work in {costs.Count} {what}")
            + (ofOriginal > 0 ? $", {ofOriginal} of them of the original" : "")
            + string.Create(CultureInfo.InvariantCulture,
                $" (median {costs.Select(c => c.Seconds).Order().ElementAt(costs.Count / 2):0.0} s ")
            + (what == "units" ? "a unit" : "each")
            + string.Create(CultureInfo.InvariantCulture, $"), at most {costs.Max(c => c.PeakMemoryMiB):0} MiB of memory");
}
