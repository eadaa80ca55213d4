using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Measures;

namespace Dori.Audit;

/// <param name="Succeeded">Random starts with a copy; null where not all have been searched.</param>
/// <param name="PValue">Conformal, of the number among the controls'; null for controls, and where fewer than 19 of them have one.</param>
internal sealed record PathsItem(string Item, bool Control, int? Succeeded, double? PValue);

/// <summary>
/// <c>paths.json</c>: from how many independent random starts a search brings each picture back, and each control. One lucky path is not a
/// memory. A pure function of the records.
/// </summary>
/// <param name="Paths">K: random starts of every item.</param>
/// <param name="Copies">Over all pictures' starts, and over all controls'.</param>
/// <param name="FisherPValue">Exact, one-sided, of the pooled counts: a description and no test, since the starts of one picture are not
/// independent.</param>
internal sealed record PathsSummary(string Schema, string CopyDetector, double Threshold, int Paths, int Starts, int Copies,
    int ControlStarts, int ControlCopies, double FisherPValue, IReadOnlyList<PathsItem> Items)
{
    public const int Most = 1000;

    /// <param name="paths">A folder for each.</param>
    /// <returns>Null where there are none.</returns>
    public static PathsSummary? Of(Manifest manifest, IReadOnlyList<RunFolder> paths)
    {
        if (paths.Count == 0) return null;
        double threshold = manifest.Options.Threshold;
        var found = paths.Select(path => path.ReadUnits().Records.ToDictionary(record => record.Item,
            record => record.Snapshots.Max(s => s.Best) > threshold)).ToArray();
        (ItemRecords Item, int? Count)[] counts = [.. ItemRecords.Of(manifest, []).Select(item => (item,
            found.All(path => path.ContainsKey(item.Item.Id)) ? (int?)found.Count(path => path[item.Item.Id]) : null))];
        double[] controls = [.. counts.Where(c => c.Item.Counts && c.Count is not null).GroupBy(c => c.Item.Distinct)
            .Select(same => (double)same.Max(c => c.Count!.Value))];
        bool judged = controls.Length >= Verdicts.ControlsNeeded && manifest.Control is { Holds: true };
        int[] pictures = [.. counts.Where(c => !c.Item.IsControl && c.Count is not null).GroupBy(c => c.Item.Distinct)
            .Select(same => same.Max(c => c.Count!.Value))];
        int starts = pictures.Length * paths.Count, copies = pictures.Sum(), controlStarts = controls.Length * paths.Count,
            controlCopies = (int)controls.Sum();
        return new PathsSummary("dori.paths/1", manifest.CopyDetector.Name, threshold, paths.Count, starts, copies, controlStarts,
            controlCopies, Statistics.Fisher(copies, starts - copies, controlCopies, controlStarts - controlCopies),
            [.. counts.Select(c => new PathsItem(c.Item.Item.Id, c.Item.IsControl, c.Count,
                judged && !c.Item.IsControl && c.Count is { } k ? Statistics.ConformalPValue(k, controls) : null))]);
    }

    [JsonIgnore]
    public string InOneLine => string.Create(CultureInfo.InvariantCulture,
        $"{Copies} of {Starts} random starts bring a picture back, {ControlCopies} of {ControlStarts} a control ({Paths} for each)");

    public string ToJson() => JsonSerializer.Serialize(this, PathsJson.Default.PathsSummary);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(PathsSummary))]
internal sealed partial class PathsJson : JsonSerializerContext;
