using Dori.Pictures;
using System.Runtime.InteropServices;
using Dori.Diffusion;
using Dori.Measures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// Takes the positive control of a model, a picture set and a copy detector under an audit's options. All noise is its own: no unit's
/// numbers change by it.
/// </summary>
/// <param name="withoutAdapters">Loads the base where the model has adapters; else null.</param>
internal sealed class ControlRunner(DiffusionModel model, ICopyDetector detector, AuditOptions options,
    Func<DiffusionModel>? withoutAdapters = null)
{
    private const int Batch = 8;

    /// <param name="complete">Goes on after the first figure that fails: for measuring.</param>
    /// <exception cref="DoriException">A picture that cannot be read, or a model that cannot be run at all.</exception>
    public PositiveControl Run(PictureSet set, bool complete = false, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        int batch = Math.Min(Batch, options.GenerationBatch);
        try
        {
            var eye = new ControlEye(model, detector, options.Threshold, set);
            ControlFigure[] whole = Take(ControlWeights.Figures(model).Concat(eye.Figures())), drawn = [], failed = [];
            int rows = 0;
            if (All(whole) || complete)
            {
                drawn = Of(ControlSample.Ordinary(model, set, batch));
                if (All(whole) && !All(drawn) && BaseHolds(set, cancellation) && ControlSample.OfHeld(model, set, batch) is { } held
                    && Of(held) is var known && All(known))
                    (drawn, failed) = (known, [.. drawn.Where(figure => !figure.Passed)]);
            }
            return new PositiveControl
            {
                Passed = All([.. whole, .. drawn]),
                Seen = eye.Looked - eye.Unseen.Count,
                Looked = eye.Looked,
                Unseen = eye.Unseen,
                Figures = [.. whole, .. drawn],
                OnControls = failed.Length > 0 ? failed : null,
                UNetRows = rows,
            };

            ControlFigure[] Of(ControlSample sample)
            {
                ControlFigure[] figures = Take(Figures(sample));
                rows += sample.Rows;
                return figures;
            }
        }
        catch (ExternalException e)
        {
            throw new DoriException("positive control: the model cannot be run as its configs say (unet sample_size, channels, heads): "
                + e.Message.Split('\n')[0], e);
        }

        // In the order of measuring up to the first that fails: one is enough, and what a broken model costs is wasted.
        ControlFigure[] Take(IEnumerable<ControlFigure> figures)
        {
            var taken = new List<ControlFigure>();
            foreach (ControlFigure figure in figures)
            {
                cancellation.ThrowIfCancellationRequested();
                taken.Add(figure);
                if (!figure.Passed && !complete) break;
            }
            return [.. taken];
        }

        static bool All(IEnumerable<ControlFigure> figures) => figures.All(figure => figure.Passed);
    }

    /// <summary>
    /// An adapter may have made the model forget everything but its own pictures; then the model without it must be sound, or what is
    /// broken would be taken for what is overtrained.
    /// </summary>
    private bool BaseHolds(PictureSet set, CancellationToken cancellation)
    {
        if (withoutAdapters is null) return false;
        using DiffusionModel sound = withoutAdapters();
        return new ControlRunner(sound, detector, options).Run(set, cancellation: cancellation).Holds;
    }

    /// <summary>Lazily, the cheap ones first.</summary>
    private IEnumerable<ControlFigure> Figures(ControlSample sample)
    {
        var hand = new ControlHand(model, detector, options, sample);
        var ear = new ControlEar(sample, hand);
        var alternatives = new ControlAlternatives(model, sample);
        IEnumerable<IEnumerable<ControlFigure>> parts =
            [hand.Denoise(), ear.Figures(), hand.Restore(), hand.Draw(), alternatives.Figures()];
        return parts.SelectMany(part => part);
    }
}
