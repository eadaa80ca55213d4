using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Search;

namespace Dori.Audit;

/// <summary>Units of a folder within a run's: of a rung of the ladder, or of a further random start.</summary>
internal sealed class PartRunner(DiffusionModel model, ICopyDetector detector, Workers workers, RunWatch watch)
{
    /// <summary>Computes what the folder lacks of some items.</summary>
    /// <param name="whose">Before every line of progress.</param>
    /// <param name="search">For a unit; null: the published one.</param>
    /// <returns>Their units.</returns>
    public AuditUnit[] Run(RunFolder folder, IReadOnlyList<PictureItem> items, string whose, Func<AuditUnit, ISearch>? search = null)
    {
        var byId = items.ToDictionary(item => item.Id);
        AuditUnit[] units = [.. AuditPlan.Of(folder.Manifest).Where(u => byId.ContainsKey(u.Item.Id))
            .Select(u => u with { Item = byId[u.Item.Id] })]; // with the places of its pictures, which a manifest does not know
        AuditOptions options = folder.Manifest.Options;
        IReadOnlyList<AuditUnit> open = folder.Open(units);
        if (open.Count == 0) return units;
        var progress = new UnitProgress(open, options, watch, $"{whose} ");
        new AuditRunner(new UnitRunner(model, detector, options, search), folder).Run(open, workers, progress.Report, watch.Cancellation);
        return units;
    }
}
