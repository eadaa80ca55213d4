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
    private const string ManifestClaim = "~manifest"; // no unit's or item's name has a tilde

    /// <summary>
    /// Opens the run's folder and takes the positive control where units are to be computed, also when resuming or beside other processes:
    /// a manifest's word is not enough for that. A model that fails leaves no new folder. Of several processes the first makes the
    /// manifest, and the others hold it against their own.
    /// </summary>
    /// <param name="units">To be computed where they are not there.</param>
    public RunFolder Begin(string path, Manifest manifest, Checkpoint checkpoint, IReadOnlyList<AuditUnit> units)
    {
        // another run's folder is refused before any work
        RunFolder? before = RunFolder.IsTaken(path) ? RunFolder.Foresee(path, manifest).Folder : null;
        PositiveControl? control =
            before is not { Manifest.Control: not null } || before.Open(units).Count > 0 ? TakeControl(manifest, checkpoint) : null;
        using var claims = new RunClaims(path);
        using IDisposable claim = claims.Wait(ManifestClaim, watch.Cancellation);
        RunFolder there = RunFolder.Create(path, manifest);
        if (control is not null && there.Manifest.Control?.Holds != control.Holds) there.Record(control);
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
    private PositiveControl TakeControl(Manifest manifest, Checkpoint checkpoint)
    {
        string name = manifest.Model.Path;
        int before = torch.get_num_threads();
        torch.set_num_threads(manifest.Machine.ThreadsPerUnit);
        PositiveControl control;
        Func<DiffusionModel>? withoutAdapters = checkpoint.Adapters.Count == 0 ? null
            : () => DiffusionModel.Load(checkpoint.WithoutAdapters(), model.Device, model.Dtype);
        try
        {
            control = new ControlRunner(model, detector, manifest.Options, withoutAdapters).Run(set, cancellation: watch.Cancellation);
        }
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
