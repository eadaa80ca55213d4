using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Search;
using TorchSharp;

namespace Dori.Audit;

/// <summary>
/// The same search on another model: on the original, whose answer says whether the search works, or on the reference, whose answer says
/// what it does without memory. Nothing is loaded where all is there.
/// </summary>
/// <param name="search">Another search than the published one; null: that.</param>
internal sealed class BesideSearch(ICopyDetector detector, PictureSet pictures, Machine machine, Workers workers, RunWatch watch,
    bool despiteControl, ISearch? search)
{
    /// <summary>Runs what the run's folder lacks.</summary>
    public void Run(Beside which, Checkpoint checkpoint, RunFolder run, IReadOnlyList<AuditUnit> own)
    {
        IReadOnlyList<AuditUnit> units = run.UnitsOf(which, own);
        bool bare = which == Beside.Reference && !run.HasLikelihoods(units);
        if (run.OpenUnitsOf(which, own).Count > 0 || bare || (units.Count > 0 && run.Read(which) is { Control: null }))
        {
            using DiffusionModel model = DiffusionModel.Load(checkpoint, machine.Device, machine.Dtype);
            string[] notes = [.. model.Notes];
            watch.WarnAll(notes.Select(note => $"the {which.Text()}: {note}"));
            var runner = new UnitSearch(model, detector, pictures, workers, watch, despiteControl, search, $"{which.Text()}: ");
            RunFolder there = runner.Begin(run.PathOf(which), run.Manifest.Of(which)! with { Notes = notes }, checkpoint, units);
            runner.Run(there, units);
            if (which == Beside.Reference) TakeLikelihoods(model, there, units);
        }
        if (which == Beside.Original && OriginalSummary.Of(run.Manifest, run.Read(which)) is { } held)
            watch.Say($"the original {held.InOneLine}");
        if (which == Beside.Reference && ReferenceSummary.Of(run.Manifest, run.ReadItems(), run.ReadReference()) is { } contrast)
            watch.Say(contrast.InOneLine);
    }

    /// <summary>A reference is searched once: what a run beside this one has of it is taken over.</summary>
    public void TakeOver(RunFolder run, IReadOnlyList<AuditUnit> own)
    {
        string[] near = run.OpenUnitsOf(Beside.Reference, own).Count == 0 ? [] : [.. run.Neighbours()];
        if (near.Length == 0) return;
        RunFolder there = run.CreateBeside(Beside.Reference);
        foreach (string path in near)
            if (there.TakeOver(own, path) is var taken and > 0) watch.Say($"{taken} units of the reference are taken over from {path}");
    }

    /// <summary>Denoising errors that the folder lacks, of the items of some units.</summary>
    public void TakeLikelihoods(DiffusionModel model, RunFolder run, IReadOnlyList<AuditUnit> units)
    {
        PictureItem[] items =
            [.. units.Select(unit => unit.Item).DistinctBy(item => item.Id).Where(item => run.FindLikelihood(item) is null)];
        var likelihood = new Likelihood(model, run.Manifest);
        workers.Run(items.Length, (piece, stop) =>
        {
            using var scope = torch.NewDisposeScope();
            run.Write(items[piece], likelihood.Of(items[piece], stop));
        }, watch.Cancellation);
    }
}
