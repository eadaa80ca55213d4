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
        Dictionary<string, string> hashes = Hashes(run);
        return file => hashes.TryGetValue(file, out string? sha256) ? run.ReadOriginal(sha256) : null;
    }

    /// <summary>Where they lie in the run folder.</summary>
    public static Func<string, string?> OriginalFiles(RunFolder run)
    {
        Dictionary<string, string> hashes = Hashes(run);
        return file => hashes.TryGetValue(file, out string? sha256) ? RunFolder.OriginalName(sha256) : null;
    }

    private static Dictionary<string, string> Hashes(RunFolder run) => run.Manifest.Pictures.Items
        .SelectMany(item => item.Files.Zip(item.Sha256)).GroupBy(pair => pair.First).ToDictionary(g => g.Key, g => g.First().Second);

    private static IEnumerable<(string, string)> BesideFacts(string name, ManifestModel? model)
    {
        if (model is null) yield break;
        yield return (name, $"{model.Name} ({model.Path})");
        yield return ($"{name}, SHA-256", model.Sha256);
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
            .. BesideFacts("Original", m.Original),
            .. BesideFacts("Reference", m.Reference),
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

    /// <summary>Hashes by their first 12 digits: the whole ones stand in the facts.</summary>
    public static string Identity(Manifest m) =>
        string.Create(CultureInfo.InvariantCulture, $"model {m.Model.Sha256[..Math.Min(12, m.Model.Sha256.Length)]} \u00B7 "
        + $"copy detector {m.CopyDetector.Name} {m.CopyDetector.Sha256[..Math.Min(12, m.CopyDetector.Sha256.Length)]} \u00B7 seed "
            + $"{m.Options.Seed} \u00B7 "
        + $"{m.Options.Sampler ?? "the checkpoint\u2019s sampler"}, {m.Options.SamplerSteps} steps, guidance {m.Options.Guidance} \u00B7 "
        + $"{m.Machine.Device}, {m.Machine.Processor}");

    /// <summary>"28 November 2026, 17:12 to 17:45 UTC"; null where nothing says.</summary>
    public static string? Dates(RunLog log)
    {
        if (log.Started is not { } started) return null;
        string begun = started.UtcDateTime.ToString("d MMMM yyyy, HH:mm", CultureInfo.InvariantCulture);
        if (log.Finished is not { } finished) return $"begun {begun} UTC";
        bool sameDay = started.UtcDateTime.Date == finished.UtcDateTime.Date;
        return $"{begun} to {finished.UtcDateTime.ToString(sameDay ? "HH:mm" : "d MMMM yyyy, HH:mm", CultureInfo.InvariantCulture)} UTC";
    }

    /// <summary>Time and memory; null where there are no units.</summary>
    /// <param name="beside">How many of them are other models', by what those are.</param>
    /// <param name="what">Their name, in the plural.</param>
    public static string? Cost(IReadOnlyList<UnitCost> costs, IReadOnlyList<(string Model, int Count)>? beside = null,
        string what = "units") => costs.Count == 0 ? null
        : string.Create(CultureInfo.InvariantCulture, $"{costs.Sum(c => c.Seconds) / 60:0.0} minutes of work in {costs.Count} {what}")
            + string.Concat((beside ?? []).Where(other => other.Count > 0)
                .Select(other => $", {other.Count} of them of the {other.Model}"))
            + string.Create(CultureInfo.InvariantCulture,
                $" (median {costs.Select(c => c.Seconds).Order().ElementAt(costs.Count / 2):0.0} s ")
            + (what == "units" ? "a unit" : "each")
            + string.Create(CultureInfo.InvariantCulture, $"), at most {costs.Max(c => c.PeakMemoryMiB):0} MiB of memory");
}
