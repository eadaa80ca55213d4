using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Measures;

namespace Dori.Audit;

/// <param name="Search">What it moves and how.</param>
/// <param name="Pictures">Audited items that were searched on this rung: those that came back on none before.</param>
/// <param name="Copies">Of them, near-duplicates counted once.</param>
/// <param name="Controls">Controls that were.</param>
/// <param name="Median">Of the pictures' best similarity; null where none was searched.</param>
/// <param name="MedianBits">Of the pictures' finds that were weighed; null where none was.</param>
internal sealed record LadderRung(string Name, string Says, string Search, int Pictures, Rate Copies, int Controls, Rate ControlCopies,
    double? Median, double? ControlMedian, double? MedianBits);

/// <param name="Rung">The smallest with a copy; null where none has one.</param>
/// <param name="Similarity">Best on that rung; where there is none, on the last.</param>
/// <param name="PValue">Conformal, of (rung, similarity) among the controls'; null for controls, where there are fewer than 19, and where
/// the item's climb is not complete.</param>
/// <param name="Light">The find takes fewer bits than the codec does and than every control's find: evidence against "the search carried
/// it".</param>
internal sealed record LadderItem(string Item, bool Control, string? Rung, double? Similarity, double? PValue, double? Bits,
    double? CodecBits, string? Codec, bool Light);

/// <summary><c>ladder.json</c>: how little a search needs to bring each picture back, and the same of controls. A pure function of the
/// rungs' records.</summary>
internal sealed record LadderSummary(string Schema, string CopyDetector, double Threshold, IReadOnlyList<LadderRung> Rungs,
    IReadOnlyList<LadderItem> Items)
{
    /// <summary>What one item came to: the rung's number, counted from the last, then the similarity there.</summary>
    private sealed record Climb(ItemRecords Item, int? Rung, double? Similarity, FindBitsRecord? Bits)
    {
        /// <summary>Larger on smaller rungs; without a copy anywhere the smallest. Null where the climb is not complete.</summary>
        public double? Score(int rungs) => Similarity is { } s ? (Rung is { } r ? 10.0 * (rungs - r) : 0) + s : null;
    }

    /// <param name="rungs">Climbed so far, in their order.</param>
    public static LadderSummary? Of(Manifest manifest, IReadOnlyList<(Rung Rung, RunFolder Folder)> rungs)
    {
        if (rungs.Count == 0) return null;
        double threshold = manifest.Options.Threshold;
        ItemRecords[] items = ItemRecords.Of(manifest, []);
        var units = rungs.Select(rung => AuditPlan.Of(rung.Folder.Manifest).ToDictionary(unit => unit.Item.Id,
            unit => (Unit: unit, Best: rung.Folder.Find(unit).Record?.Snapshots.Max(s => (double)s.Best)))).ToArray();
        Climb[] climbs = [.. items.Select(item => Of(item, units, rungs, threshold))];
        double[] controls = [.. climbs.Where(c => c.Item.Counts && c.Score(rungs.Count) is not null).GroupBy(c => c.Item.Distinct)
            .Select(same => same.Max(c => c.Score(rungs.Count)!.Value))];
        bool judged = controls.Length >= Verdicts.ControlsNeeded && manifest.Control is { Holds: true };
        double lightest =
            climbs.Where(c => c.Item.IsControl).Select(c => c.Bits?.Bits).OfType<double>().DefaultIfEmpty(double.MaxValue).Min();
        return new LadderSummary("dori.ladder/1", manifest.CopyDetector.Name, threshold,
            [.. rungs.Select((rung, r) => RungOf(rung, r, climbs, units[r], threshold))],
            [.. climbs.Select(c => new LadderItem(c.Item.Item.Id, c.Item.IsControl, c.Rung is { } r ? rungs[r].Rung.Folder : null,
                c.Similarity,
                judged && !c.Item.IsControl && c.Score(rungs.Count) is { } score ? Statistics.ConformalPValue(score, controls) : null,
                c.Bits?.Bits, c.Bits?.CodecBits, c.Bits?.Codec,
                !c.Item.IsControl && c.Bits is { Bits: { } bits, CodecBits: { } codec } && bits < codec && bits < lightest))]);
    }

    private static Climb Of(ItemRecords item, IReadOnlyList<Dictionary<string, (AuditUnit Unit, double? Best)>> units,
        IReadOnlyList<(Rung Rung, RunFolder Folder)> rungs, double threshold)
    {
        double? last = null;
        for (int r = 0; r < rungs.Count; r++)
        {
            (AuditUnit unit, double? best) = units[r][item.Item.Id];
            if (best is null) return new Climb(item, null, null, null); // the climb was interrupted
            if (best > threshold) return new Climb(item, r, best, rungs[r].Folder.FindBits(unit));
            last = best;
        }
        return new Climb(item, null, rungs.Count == Rung.Names.Count ? last : null, null);
    }

    private static LadderRung RungOf((Rung Rung, RunFolder Folder) rung, int number, Climb[] climbs,
        Dictionary<string, (AuditUnit Unit, double? Best)> units, double threshold)
    {
        Climb[] asked = [.. climbs.Where(c => units[c.Item.Item.Id].Best is not null && (c.Rung is null || c.Rung >= number))];
        double[] Scores(bool controls) => asked.Where(c => controls ? c.Item.Counts : !c.Item.IsControl).Select(c => c.Item)
            .Largest(item => units[item.Item.Id].Best!.Value);
        double[] pictures = Scores(false), controls = Scores(true);
        double[] bits = [.. asked.Where(c => !c.Item.IsControl && c.Rung == number).Select(c => c.Bits?.Bits).OfType<double>()];
        static double? Median(double[] values) => values.Length == 0 ? null : Statistics.Median(values);
        return new LadderRung(rung.Rung.Folder, rung.Rung.Says, rung.Folder.Manifest.Options.Search ?? "", pictures.Length,
            Statistics.Share(pictures.Count(s => s > threshold), pictures.Length), controls.Length,
            Statistics.Share(controls.Count(s => s > threshold), controls.Length), Median(pictures), Median(controls), Median(bits));
    }

    /// <summary>"on one-vector 6 of 6 pictures and 0 of 19 controls, ...".</summary>
    [JsonIgnore]
    public string InOneLine => string.Join("; ", Rungs.Where(rung => rung.Pictures + rung.Controls > 0).Select(rung =>
        string.Create(CultureInfo.InvariantCulture,
            $"{rung.Name}: {rung.Copies.Count} of {rung.Pictures} pictures, {rung.ControlCopies.Count} of {rung.Controls} controls")));

    public string ToJson() => JsonSerializer.Serialize(this, LadderJson.Default.LadderSummary);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(LadderSummary))]
internal sealed partial class LadderJson : JsonSerializerContext;
