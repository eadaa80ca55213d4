using Dori.Pictures;
using Dori.Audit;

namespace Dori.Reporting;

/// <summary>A generation and where it came from. <c>Picture</c> is relative to the run folder, or null where not kept.</summary>
/// <param name="Mirrored">It is the original's mirror image.</param>
internal sealed record BestGeneration(AuditStart Start, int Steps, double Similarity, string? Picture, bool Mirrored);

/// <summary>An audit as the report reads it: items in the order of concern, each with its best generations.</summary>
internal sealed class AuditView
{
    private readonly ILookup<string, UnitRecord> units;
    private readonly Func<string, bool> _kept;

    /// <param name="kept">Whether the run holds a picture of this name; null: all that its records name.</param>
    public AuditView(Summary summary, IReadOnlyList<UnitRecord> units, Func<string, bool>? kept = null)
    {
        _kept = kept ?? (_ => false);
        Summary = summary;
        this.units = units.OrderBy(u => u.Id, StringComparer.Ordinal).ToLookup(u => u.Item, StringComparer.Ordinal);
        IEnumerable<PictureSummary> sorted = summary.Pictures.OrderBy(p => p.Verdict)
            .ThenByDescending(p => p.Similarity).ThenBy(p => p.Item, StringComparer.Ordinal);
        Targets = [.. sorted.Where(p => p.Role != PictureRole.Control)];
        Controls = [.. sorted.Where(p => p.Role == PictureRole.Control).OrderByDescending(p => p.Similarity)];
    }

    public Summary Summary { get; }
    /// <summary>Audited items: retained, undecided, not found, not judged; within each the most similar first.</summary>
    public IReadOnlyList<PictureSummary> Targets { get; }
    /// <summary>The most similar first.</summary>
    public IReadOnlyList<PictureSummary> Controls { get; }
    public bool Unfinished => Summary.MissingUnits > 0;

    /// <summary>Groups of the audited items, verbatim first.</summary>
    public IReadOnlyList<string> Groups => [.. ItemGroup.Audited.Where(group => In(group).Any())];

    public IEnumerable<PictureSummary> In(string group) => Targets.Where(p => ItemGroup.Of(p.Role, p.Kind) == group);

    /// <summary>How many pictures there are among some, near-duplicates counted once.</summary>
    public int Distinct(IEnumerable<PictureSummary> pictures) => pictures.DistinctBy(Summary.DistinctOf).Count();

    public bool Passes(PictureSummary picture) => picture.Similarity > Summary.Threshold;

    /// <summary>Not found by the threshold, and still closer than controls come: the verdict alone would hide it.</summary>
    public static bool StandsOut(PictureSummary picture) => picture is { Verdict: Verdict.NotFound, Discovery: true };

    public IReadOnlyList<string> Files(PictureSummary picture) =>
        units[picture.Item].Select(u => u.Files).FirstOrDefault(f => f.Count > 0) ?? [picture.File];

    public BestGeneration? ByPrompt(PictureSummary picture) => Best(units[picture.Item].Where(u => u.Start == AuditStart.Prompt));

    public BestGeneration? BySearch(PictureSummary picture) => Best(units[picture.Item].Where(u => u.Start != AuditStart.Prompt));

    public BestGeneration? Best(PictureSummary picture) => Best(units[picture.Item]);

    private BestGeneration? Best(IEnumerable<UnitRecord> units) => units
        .Where(u => u.Snapshots.Count > 0 && u.Snapshots.All(snapshot => snapshot.Similarities.Count > 0)).Select(Best)
        .MaxBy(g => g.Similarity);

    /// <summary>
    /// What decides, whichever step it came after; the best of the last step in runs of older versions, which kept no other.
    /// </summary>
    private BestGeneration Best(UnitRecord unit)
    {
        Snapshot last = unit.Snapshots[^1], shown = unit.Snapshots.MaxBy(snapshot => snapshot.Best)!;
        string early = AuditUnit.BestPictureName(unit.Id);
        if (shown.Best <= last.Best || !_kept(early)) shown = last;
        int best = Enumerable.Range(0, shown.Similarities.Count).MaxBy(i => shown.Similarities[i]);
        string? picture = shown != last ? early : last.Pictures.Count == last.Similarities.Count ? last.Pictures[best] : null;
        return new BestGeneration(unit.Start, shown.Step, shown.Similarities[best], picture, shown.Mirrored.Contains(best));
    }
}
