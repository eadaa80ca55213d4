using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Cli;

/// <summary>The positive control before the first unit, for every verb that judges or counts.</summary>
internal sealed class ControlJob(Shell shell, SearchSettings settings)
{
    /// <summary>Takes the control and says its outcome in one line.</summary>
    /// <param name="manifest">
    /// Its options and its model's path count, and libtorch's threads a unit, so that the figures are the same however many units run at
    /// a time.
    /// </param>
    /// <param name="whose">Before the line.</param>
    /// <returns>What was found: passed, or failed with <c>--despite-control</c>.</returns>
    /// <exception cref="DoriException">It failed, and the search was not asked for all the same.</exception>
    public PositiveControl Take(DiffusionModel model, ICopyDetector detector, PictureSet set, Manifest manifest, string whose = "")
    {
        string name = manifest.Model.Path;
        int before = torch.get_num_threads();
        torch.set_num_threads(manifest.Machine.ThreadsPerUnit);
        PositiveControl control;
        try { control = new ControlRunner(model, detector, manifest.Options).Run(set, cancellation: shell.Interrupted); }
        finally { torch.set_num_threads(before); }
        if (!control.Holds && !settings.DespiteControl)
            throw new DoriException($"{name}: positive control {control.InOneLine}: this model cannot be judged, {control.Advice}; "
                + "--despite-control searches all the same and judges nothing");
        if (!control.Holds) shell.Warn([$"{name}: positive control {control.InOneLine}: everything is measured and nothing judged"]);
        else if (!settings.Quiet) shell.Error.WriteLine($"dori: {whose}positive control: {control.InOneLine}");
        return control;
    }
}
