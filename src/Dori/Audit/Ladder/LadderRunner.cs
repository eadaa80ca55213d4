using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Audit;

/// <summary>
/// Climbs the ladder: every item, control or not, is searched on the smallest rung first and on the next only where that brought no copy
/// back. Then what each find takes in bits. Goes on where it was left.
/// </summary>
internal sealed class LadderRunner(DiffusionModel model, ICopyDetector detector, PictureSet pictures, Workers workers, RunWatch watch)
{
    public void Run(RunFolder run)
    {
        var parts = new PartRunner(model, detector, workers, watch);
        double unit = Rung.CaptionDistance(model, pictures.Items.Select(item => item.Caption));
        List<PictureItem> left = [.. pictures.Items];
        foreach (Rung rung in Rung.All(unit))
        {
            if (left.Count == 0) return;
            RunFolder folder = run.CreateRung(rung, rung.SearchFor(model, "", run.Manifest.Options.SearchOptions).Description,
                rung.Numbers(model));
            AuditOptions options = folder.Manifest.Options;
            AuditUnit[] units = parts.Run(folder, left, rung.Folder, u => rung.SearchFor(model, u.Item.Caption, options.SearchOptions));
            AuditUnit[] found =
                [.. units.Where(u => folder.Find(u).Record is { } record && record.Snapshots.Max(s => s.Best) > options.Threshold)];
            Weigh(folder, rung, found);
            int controls = found.Count(u => u.Item.Role == PictureRole.Control),
                asked = left.Count(item => item.Role == PictureRole.Control);
            watch.Say($"ladder, {rung.Folder}: {found.Length - controls} of {left.Count - asked} pictures and {controls} of {asked} "
                + "controls");
            left.RemoveAll(item => found.Any(u => u.Item.Id == item.Id));
        }
    }

    private void Weigh(RunFolder folder, Rung rung, AuditUnit[] found)
    {
        AuditUnit[] open = [.. found.Where(unit => folder.FindBits(unit) is null)];
        var weigher = new FindBits(model, detector, folder.Manifest.Options, pictures.Items.Count);
        workers.Run(open.Length, (piece, stop) =>
        {
            using var scope = torch.NewDisposeScope();
            AuditUnit unit = open[piece];
            (int step, Conditioning y) = folder.ReadFind(unit);
            folder.Write(unit, weigher.Of(unit, rung.Freedom(model, unit.Item.Caption), rung.UsesCaption, y, stop) with
            {
                Key = UnitKey.Of(folder.Manifest, unit), AtStep = step,
            });
        }, watch.Cancellation);
    }
}
