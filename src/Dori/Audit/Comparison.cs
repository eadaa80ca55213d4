using Dori.Pictures;
using System.Globalization;
using System.Text.Json.Serialization;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Quality;

namespace Dori.Audit;

/// <summary>One model's part in a comparison.</summary>
/// <param name="Name">Unique in the comparison.</param>
/// <param name="Units">Of the run that the summary is of.</param>
/// <param name="Quality">Null where quality was not taken.</param>
/// <param name="Samples">What the quality was taken from, by set; for the intervals of differences.</param>
internal sealed record AuditedModel(string Name, Summary Summary, IReadOnlyList<UnitRecord> Units, QualitySummary? Quality = null,
    IReadOnlyDictionary<string, QualitySamples>? Samples = null);

/// <summary>A group of items from one start under one model.</summary>
/// <param name="Group">verbatim, template, audit (items without a kind), all (where there are several kinds) or control.</param>
/// <param name="Start">One of the audit's starts; or <c>search</c>: from any start but the prompt, where several were searched
/// from.</param>
/// <param name="MemorizationRate">Items with a generation above the threshold.</param>
/// <param name="Similarity">Over items, of each item's best generation.</param>
public sealed record ComparedRow(string Group, string Start, int Images, Rate MemorizationRate, Spread Similarity)
{
    /// <summary>Whether searches stopped at their verdicts, so that rate and similarities are lower bounds.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool LowerBound { get; init; }
}

/// <summary>McNemar's exact test: does a model copy other items of a group than the first model does?</summary>
/// <param name="Images">Items that both have been audited on.</param>
/// <param name="OnlyFirst">Items that the first model alone copies.</param>
/// <param name="OnlyThis">Items that this model alone copies.</param>
/// <param name="PValue">Two-sided, exact, not corrected for the number of tests.</param>
public sealed record PairedTest(string Model, string Group, string Start, int Images, int OnlyFirst, int OnlyThis, double PValue);

/// <param name="Verdicts">Audited items by verdict.</param>
public sealed record ComparedModel(string Name, string Sha256, int MissingUnits, IReadOnlyDictionary<Verdict, int> Verdicts,
    ControlSummary Controls, IReadOnlyList<ComparedRow> Rows, IReadOnlyList<QualitySet> Quality)
{
    /// <summary>What a model that is expected not to hold the pictures gives back, without the list of pictures; null where none was
    /// named.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonInclude]
    internal ReferenceSummary? Reference { get; init; }

    /// <summary>Whether anything but captions was tried.</summary>
    internal bool Searched => Rows.Any(row => row.Start != AuditStart.Prompt.Text());

    /// <summary>Audited pictures that their captions alone bring back; null where not all were asked for so.</summary>
    internal int? ByPrompt()
    {
        ComparedRow[] asked = [.. Rows.Where(row => row.Start == AuditStart.Prompt.Text() && ItemGroup.Audited.Contains(row.Group))];
        return asked.Length > 0 && asked.Sum(row => row.Images) == Verdicts.Values.Sum()
            ? asked.Sum(row => row.MemorizationRate.Count) : null;
    }

    /// <summary>What was found, in a sentence or two: before the model's name, and after it.</summary>
    internal (string Before, string After) InWords()
    {
        int Of(Verdict verdict) => Verdicts.GetValueOrDefault(verdict);
        int all = Verdicts.Values.Sum(), retained = Of(Verdict.Retained), undecided = Of(Verdict.Undecided), open = Of(Verdict.NotJudged);
        string found = open == all ? ": none of them is judged"
            : $": {(retained == all ? "all " : $"{retained} of ")}{all} pictures {(retained == 1 ? "is" : "are")} retained"
                + (Reference is { Both: > 0 } both ? $" ({both.Both} come back from the reference, {both.Name}, too)" : "")
                + (Reference is { ThisModelAlone: > 0 } alone ? $" ({alone.ThisModelAlone} from this model alone)" : "")
                + (undecided > 0 ? $", {undecided} undecided" : "") + (open > 0 ? $", {open} not judged" : "");
        return ByPrompt() is { } byPrompt
            ? ("Asked by its captions, ", $" gives back {byPrompt} of {all} pictures." + (Searched ? $" Searched{found}." : ""))
            : ("", $"{found}.");
    }
}

/// <summary>This model's quality - the first model's, over the same captions and noise.</summary>
public sealed record ComparedQuality(string Model, string Set, QualityDifference Difference);

/// <summary><c>compare.json</c>: several models under one audit, each after the first against it.</summary>
public sealed record Comparison
{
    public string Schema { get; init; } = "dori.compare/2";
    public required string CopyDetector { get; init; }
    public required double Threshold { get; init; }
    public required int Steps { get; init; }
    public required int Generations { get; init; }
    public required IReadOnlyList<string> Starts { get; init; }
    /// <summary>Whether mirror images count.</summary>
    public required bool Mirror { get; init; }
    /// <summary>Of the Frechet and kernel distances; null where quality was not taken.</summary>
    public required string? FeatureNetwork { get; init; }
    public required string? Clip { get; init; }
    public required IReadOnlyList<ComparedModel> Models { get; init; }
    public required IReadOnlyList<PairedTest> Tests { get; init; }
    public required IReadOnlyList<ComparedQuality> QualityDifferences { get; init; }
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Any search start.</summary>
    public const string AnySearch = "search";

    /// <param name="runs">Finished audits of the same pictures; the first is what the others are compared with.</param>
    /// <param name="seed">Decides the bootstrap's random numbers.</param>
    /// <exception cref="DoriException">They were not audited alike.</exception>
    public static Comparison Run(IReadOnlyList<ComparedRun> runs, long seed = 0) => Of([.. runs.Select(run => run.Read())],
        RandomSource.For("compare", seed.ToString(CultureInfo.InvariantCulture)).Next);

    /// <param name="models">The first is what the others are compared with.</param>
    /// <param name="below">Uniform integer below its argument, for the bootstrap.</param>
    /// <param name="resamples">Bootstrap samples.</param>
    /// <exception cref="DoriException">They were not audited alike.</exception>
    internal static Comparison Of(IReadOnlyList<AuditedModel> models, Func<int, int> below, int resamples = 200)
    {
        if (models.Count < 2) throw new DoriException("a comparison needs at least two models");
        AuditedModel fullest = models.MaxBy(model => model.Summary.Starts.Count)!;
        Summary first = fullest.Summary;
        foreach (AuditedModel model in models.Where(model => model != fullest)) CheckAlike(fullest, model);
        Dictionary<string, Item[]> items = models.ToDictionary(model => model.Name, Items);
        string[] starts = [.. first.Starts.Select(start => start.Text())];
        if (first.Starts.Count(start => start != AuditStart.Prompt) > 1) starts = [.. starts, AnySearch];
        string[] groups = Groups(items[fullest.Name]);
        QualitySummary? quality = models[0].Quality;
        return new Comparison
        {
            CopyDetector = first.CopyDetector,
            Threshold = first.Threshold,
            Steps = first.Steps,
            Generations = first.Generations,
            Starts = starts,
            Mirror = first.Mirror,
            FeatureNetwork = quality?.FeatureNetwork,
            Clip = quality?.Clip,
            Models = [.. models.Select(model => Compared(model, items[model.Name], groups, starts, first))],
            Tests = [.. models.Skip(1)
                .SelectMany(model =>
                groups.SelectMany(group =>
                starts.Select(start => Test(model.Name, group, start, items[models[0].Name], items[model.Name], first)))
                .OfType<PairedTest>())],
            QualityDifferences = [.. models.Skip(1).SelectMany(model => Differences(models[0], model, below, resamples))],
            Warnings = [.. Cautions(models)],
        };
    }

    /// <summary>An item's best similarity after the last step, by start.</summary>
    private sealed record Item(string Id, string Group, IReadOnlyDictionary<string, double> Best)
    {
        /// <returns>Null where not everything that the start means has been run: a missing search is not a clean one.</returns>
        public double? At(string start, Summary summary)
        {
            if (start != AnySearch) return Best.TryGetValue(start, out double best) ? best : null;
            string[] searches = [.. summary.Starts.Where(s => s != AuditStart.Prompt).Select(s => s.Text())];
            return searches.All(Best.ContainsKey) ? searches.Max(s => Best[s]) : null;
        }
    }

    /// <summary>Near-duplicates are one item, as similar as the nearest of them.</summary>
    private static Item[] Items(AuditedModel model) =>
        [.. model.Units.Where(u => u.Snapshots.Count > 0 && model.Summary.Starts.Contains(u.Start))
        .GroupBy(u => (model.Summary.NearDuplicates.DistinctOf(u.Item), ItemGroup.Of(u.Role, u.Kind)))
        .Select(units => new Item(units.Key.Item1, units.Key.Item2,
            units.GroupBy(u => u.Start.Text()).Where(start => start.Count() == units.Select(u => u.Item).Distinct().Count())
                .ToDictionary(start => start.Key, start => start.Max(u => (double)u.Snapshots[^1].Best))))];

    private static string[] Groups(Item[] items)
    {
        string[] kinds = [.. ItemGroup.Audited.Where(group => items.Any(item => item.Group == group))];
        return [.. kinds, .. kinds.Length > 1 ? [ItemGroup.All] : Array.Empty<string>(),
            .. items.Any(item => item.Group == ItemGroup.Control) ? [ItemGroup.Control] : Array.Empty<string>()];
    }

    private static bool In(Item item, string group) => group == ItemGroup.All ? item.Group != ItemGroup.Control : item.Group == group;

    private static ComparedModel Compared(AuditedModel model, Item[] items, string[] groups, string[] starts, Summary options)
    {
        var rows = new List<ComparedRow>();
        foreach (string group in groups)
            foreach (string start in starts)
            {
                if (model.Summary.StopAtVerdict && start != AuditStart.Prompt.Text())
                {
                    rows.AddRange(model.Summary.Groups.Where(row => row.Group == group && row.Start.Text() == start).Select(row =>
                        new ComparedRow(group, start, row.Images, row.MemorizationRate, row.Similarity) { LowerBound = row.LowerBound }));
                    continue;
                }
                double[] best = [.. items.Where(item => In(item, group)).Select(item => item.At(start, options)).OfType<double>()];
                if (best.Length > 0)
                    rows.Add(
                        new ComparedRow(group, start, best.Length, Statistics.Share(best.Count(x => x > options.Threshold), best.Length),
                        Statistics.Spread(best)));
            }
        var verdicts = model.Summary.Pictures.Where(p => p.Role != PictureRole.Control).GroupBy(p => p.Verdict)
            .OrderBy(g => g.Key.Text(), StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count());
        return new ComparedModel(model.Name, model.Summary.Model.Sha256, model.Summary.MissingUnits, verdicts, model.Summary.Controls, rows,
            model.Quality?.Sets ?? [])
        {
            Reference = model.Summary.Reference is { } reference ? reference with { Pictures = [] } : null,
        };
    }

    private static PairedTest? Test(string name, string group, string start, Item[] first, Item[] second, Summary options)
    {
        var other = second.ToDictionary(item => item.Id);
        (bool First, bool This)[] pairs = [.. first.Where(item => In(item, group) && other.ContainsKey(item.Id))
            .Select(item => (A: item.At(start, options), B: other[item.Id].At(start, options)))
            .Where(pair => pair is { A: not null, B: not null }).Select(pair => (pair.A > options.Threshold, pair.B > options.Threshold))];
        if (pairs.Length == 0) return null;
        int onlyFirst = pairs.Count(pair => pair is { First: true, This: false }),
            onlyThis = pairs.Count(pair => pair is { First: false, This: true });
        return new PairedTest(name, group, start, pairs.Length, onlyFirst, onlyThis, Statistics.McNemar(onlyFirst, onlyThis));
    }

    private static IEnumerable<ComparedQuality> Differences(AuditedModel first, AuditedModel model, Func<int, int> below, int resamples)
    {
        if (first.Samples is null || model.Samples is null) yield break;
        foreach (QualitySet set in first.Quality!.Sets)
            if (model.Samples.TryGetValue(set.Name, out QualitySamples? samples))
                yield return new ComparedQuality(model.Name, set.Name,
                    QualityFigures.Difference(first.Samples[set.Name], samples, below, resamples));
    }

    private static void CheckAlike(AuditedModel first, AuditedModel model)
    {
        (string What, string First, string Other)[] alike =
        [
            ("schema", first.Summary.Schema, model.Summary.Schema),
            ("units", Bound(first), Bound(model)),
            ("mirror images", Mirrors(first), Mirrors(model)),
            ("copy detector", first.Summary.CopyDetector, model.Summary.CopyDetector),
            ("threshold", $"{first.Summary.Threshold}", $"{model.Summary.Threshold}"),
            ("search steps", $"{first.Summary.Steps}", $"{model.Summary.Steps}"),
            ("generations", $"{first.Summary.Generations}", $"{model.Summary.Generations}"),
            ("starts", StartsBeside(first, model), StartsBeside(model, first)),
            ("feature network", first.Quality?.FeatureNetwork ?? "none", model.Quality?.FeatureNetwork ?? "none"),
            ("CLIP", first.Quality?.Clip ?? "none", model.Quality?.Clip ?? "none"),
        ];
        if ((first.Summary.StopAtVerdict || model.Summary.StopAtVerdict) && !ByPromptAlone(first) && !ByPromptAlone(model))
            throw new DoriException(
                $"{first.Name} and {model.Name} cannot be compared: searches stopped at their verdicts (`StopAtVerdict`), so that "
                + "their similarities and rates are lower bounds; audit both to the end");
        foreach ((string what, string a, string b) in alike)
            if (a != b)
                throw new DoriException(
                $"{first.Name} and {model.Name} cannot be compared: {what} {a} there, {b} here; give both the same options");
    }

    /// <summary>As far as they are compared: a model that was asked by its captions alone is compared by those alone.</summary>
    private static string StartsBeside(AuditedModel model, AuditedModel other) => ByPromptAlone(model) || ByPromptAlone(other)
        ? (model.Summary.Starts.Contains(AuditStart.Prompt) ? AuditStart.Prompt.Text() : "no prompt")
        : string.Join(',', model.Summary.Starts.Select(start => start.Text()));

    private static bool ByPromptAlone(AuditedModel model) => model.Summary.Starts is [AuditStart.Prompt];

    private static string Bound(AuditedModel model) =>
        model.Summary.Bound ? UnitRecord.Current : $"{UnitRecord.Unbound} (an older version's)";

    private static string Mirrors(AuditedModel model) => model.Summary.Mirror ? "counted" : "not counted";

    private static string Power(AuditedModel first)
    {
        PictureSummary[] asked = [.. first.Summary.Pictures.Where(p => p.Role == PictureRole.Audit)];
        return $"The power of this audit is what it finds where they are held: {first.Name}, searched in the same way, gives back "
            + $"{asked.Count(p => p.Similarity > first.Summary.Threshold)} of {asked.Length}.";
    }

    private static IEnumerable<string> Cautions(IReadOnlyList<AuditedModel> models)
    {
        foreach (AuditedModel model in models)
        {
            ControlSummary controls = model.Summary.Controls;
            int notFound = model.Summary.Pictures.Count(p => p.Verdict == Verdict.NotFound);
            if (notFound > 0)
                yield return $"{model.Name}: {notFound} pictures were not found. "
                    + (model == models[0] || ByPromptAlone(models[0]) ? "The power of this audit is not measured." : Power(models[0]));
            if (model.Summary.MissingUnits > 0)
                yield return $"{model.Name}: the audit is not finished, {model.Summary.MissingUnits} units are missing.";
            if (model.Summary.Control is { Holds: false } control)
                yield return $"{model.Name}: the positive control {control.InOneLine}; nothing is judged, and that this model gives no "
                    + "picture back says nothing.";
            if (!controls.Enough)
                yield return $"{model.Name}: {controls.Items} controls were searched and {controls.Needed} are needed for verdicts: a find "
                + $"cannot be told from the search's own strength.";
            if (controls.AboveThreshold > 0)
                yield return $"{model.Name}: {controls.AboveThreshold} of {controls.Items} controls, which no model here has seen, pass "
                + $"the threshold too: rates by {(ByPromptAlone(model) ? "prompt are the caption's" : "search are the search's")} own "
                + "doing to that extent.";
        }
        if (models[0].Quality is null)
            yield return "Quality was not taken (dori compare --ordinary PATH takes it): a model that draws nothing sensible any more "
            + "would look clean here.";
        foreach (string warning in models.SelectMany(model => model.Quality?.Warnings ?? []).Distinct()) yield return warning;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, NewLine = "\n")]
[JsonSerializable(typeof(Comparison))]
internal sealed partial class CompareJson : JsonSerializerContext;
