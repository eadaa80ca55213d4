using Dori.Pictures;
namespace Dori.Audit;

/// <summary>One item with what is known of it: its records at hand by start.</summary>
/// <param name="Complete">Every start was searched, or as much as the verdict needs.</param>
/// <param name="Decided">Its verdict needs none of the starts that are not there, nor the rest of one that stopped.</param>
internal sealed record ItemRecords(ManifestItem Item, IReadOnlyDictionary<AuditStart, UnitRecord> ByStart, bool Complete,
    bool Decided = false)
{
    /// <summary>Every item of a manifest, also those of which nothing is there.</summary>
    /// <param name="units">Those of another seed or start do not count.</param>
    public static ItemRecords[] Of(Manifest manifest, IReadOnlyList<UnitRecord> units)
    {
        AuditOptions options = manifest.Options;
        ILookup<string, UnitRecord> byItem =
            units.Where(u => u.Seed == options.Seed && options.Starts.Contains(u.Start)).ToLookup(u => u.Item);
        HashSet<string> audited = [.. manifest.Pictures.Items.Where(item => item.Role != PictureRole.Control)
            .Select(item => manifest.NearDuplicates.DistinctOf(item.Id))];
        ItemRecords[] items = [.. manifest.Pictures.Items.Select(item =>
        {
            var known = byItem[item.Id].ToDictionary(u => u.Start);
            return new ItemRecords(item, known, known.Count == options.Starts.Count)
            {
                Distinct = manifest.NearDuplicates.DistinctOf(item.Id), LikeAudited = audited.Contains(
                    manifest.NearDuplicates.DistinctOf(item.Id)),
            };
        })];
        if (!options.StopAtVerdict) return items;
        double? bar = StopRule.Bar(manifest, items);
        return [.. items.Select(item => item.IsControl ? item : item.At(bar, options))];
    }

    /// <summary>As the bar has it: decided; or without the records that stopped under another bar, which are to be computed anew.</summary>
    private ItemRecords At(double? bar, AuditOptions options)
    {
        if (bar is { } decisive && Best(_ => true).Similarity > decisive) return this with { Complete = true, Decided = true };
        var whole = ByStart.Where(s => s.Value.StoppedAfter(options) is null).ToDictionary();
        return this with { ByStart = whole, Complete = whole.Count == options.Starts.Count };
    }

    /// <summary>The id that stands for it: of near-duplicates their first.</summary>
    public string Distinct { get; init; } = Item.Id;

    /// <summary>
    /// A control that looks like an audited picture is held as often as that one is, and would excuse what it should accuse.
    /// </summary>
    public bool LikeAudited { get; init; }

    /// <summary>Whether p-values and rates may rest on it.</summary>
    public bool Counts => IsControl && !LikeAudited;

    public bool IsControl => Item.Role == PictureRole.Control;
    public string Group => ItemGroup.Of(Item.Role, Item.Kind);
    public bool Any => ByStart.Count > 0;

    /// <summary>Fewest search steps after which a generation passes the threshold; null where none does.</summary>
    public int? FirstCopy(double threshold) =>
        ByStart.Values.SelectMany(unit => unit.Snapshots).Where(s => s.Best > threshold).Select(s => (int?)s.Step).Min();

    /// <summary>
    /// Largest similarity over all that was generated from the starts that a filter passes, and where it came from. Every snapshot counts,
    /// for controls as for pictures: a copy after 10 steps is a copy, though the search may lose it again by the 50th.
    /// </summary>
    /// <returns>-1 and no start where nothing is there.</returns>
    public (double Similarity, AuditStart? Start, int Step) Best(Func<AuditStart, bool> filter) => ByStart.Where(s => filter(s.Key))
        .SelectMany(s => s.Value.Snapshots.Reverse().Select(snapshot => ((double)snapshot.Best, (AuditStart?)s.Key, snapshot.Step)))
        .DefaultIfEmpty((-1, null, 0)).MaxBy(found => found.Item1);
}
