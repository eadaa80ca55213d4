using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Search;
using TorchSharp;

namespace Dori.Audit;

/// <summary>Units of one loaded model into a run folder: the positive control first, then what the folder lacks.</summary>
/// <param name="other">Another search than the published one; null: that.</param>
/// <param name="whose">Before every line that is said; empty for the model in question.</param>
internal sealed class UnitSearch(DiffusionModel model, ICopyDetector detector, PictureSet set, Workers workers, RunWatch watch,
    bool despiteControl, ISearch? other = null, string whose = "")
{
    /// <summary>
    /// Opens the run's folder and takes the positive control where units are to be computed, also when resuming: a manifest's word is not
    /// enough for that. A model that fails leaves no new folder.
    /// </summary>
    /// <param name="units">To be computed where they are not there.</param>
    public RunFolder Begin(string path, Manifest manifest, Checkpoint checkpoint, IReadOnlyList<AuditUnit> units)
    {
        // another run's folder is refused before any work
        RunFolder? there = RunFolder.IsTaken(path) ? RunFolder.Create(path, manifest) : null;
        if (there is not { Manifest.Control: not null } || there.Open(units).Count > 0)
        {
            PositiveControl control = TakeControl(manifest);
            there ??= RunFolder.Create(path, manifest);
            there.Record(control);
        }
        watch.WarnAll([.. there.Remarks,
            .. units.Select(unit => there.Find(unit).Problem).OfType<string>().Select(problem => $"{problem}; it is computed again")]);
        there.KeepOriginals(set, model.PictureSize);
        there.KeepPruning(checkpoint.Path);
        return there;
    }

    /// <param name="manifest">
    /// Its options and libtorch's threads a unit, so that the figures are the same however many units run at a time.
    /// </param>
    /// <returns>What was found: passed, or failed and to be searched all the same.</returns>
    /// <exception cref="DoriException">It failed.</exception>
    private PositiveControl TakeControl(Manifest manifest)
    {
        string name = manifest.Model.Path;
        int before = torch.get_num_threads();
        torch.set_num_threads(manifest.Machine.ThreadsPerUnit);
        PositiveControl control;
        try { control = new ControlRunner(model, detector, manifest.Options).Run(set, cancellation: watch.Cancellation); }
        finally { torch.set_num_threads(before); }
        if (!control.Holds && !despiteControl)
            throw new DoriException($"{name}: positive control {control.InOneLine}: this model cannot be judged, {control.Advice}; "
                + "`DespiteControl` searches all the same and judges nothing");
        if (control.Holds) watch.Say($"{whose}positive control: {control.InOneLine}");
        else watch.Warn($"{name}: positive control {control.InOneLine}: everything is measured and nothing judged");
        return control;
    }

    /// <summary>The units that the folder lacks.</summary>
    public void Run(RunFolder run, IReadOnlyList<AuditUnit> units)
    {
        AuditOptions options = run.Manifest.Options;
        IReadOnlyList<AuditUnit> open = run.Open(units);
        if (open.Count == 0) return;
        var progress = new UnitProgress(open, options, watch, whose);
        var runner = new UnitRunner(model, detector, options, other is null ? null : _ => other);
        new AuditRunner(runner, run, say: text => watch.Say($"{whose}{text}"))
            .Run(open, workers, progress.Report, watch.Cancellation);
    }
}
