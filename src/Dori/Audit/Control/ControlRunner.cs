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
internal sealed class ControlRunner(DiffusionModel model, ICopyDetector detector, AuditOptions options)
{
    private const int Batch = 8;

    /// <param name="complete">Goes on after the first figure that fails: for measuring.</param>
    /// <exception cref="DoriException">A picture that cannot be read, or a model that cannot be run at all.</exception>
    public PositiveControl Run(PictureSet set, bool complete = false, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        try
        {
            var eye = new ControlEye(model, detector, options.Threshold, set);
            var sample = new ControlSample(model, set, Math.Min(Batch, options.GenerationBatch));
            var figures = new List<ControlFigure>();
            foreach (ControlFigure figure in Figures(eye, sample))
            {
                cancellation.ThrowIfCancellationRequested();
                figures.Add(figure);
                if (!figure.Passed && !complete) break; // one is enough, and what a broken model costs is wasted
            }
            return new PositiveControl
            {
                Passed = figures.All(figure => figure.Passed),
                Seen = eye.Looked - eye.Unseen.Count,
                Looked = eye.Looked,
                Unseen = eye.Unseen,
                Figures = figures,
                UNetRows = sample.Rows,
            };
        }
        catch (ExternalException e)
        {
            throw new DoriException("positive control: the model cannot be run as its configs say (unet sample_size, channels, heads): "
                + e.Message.Split('\n')[0], e);
        }
    }

    /// <summary>Lazily, the cheap ones first.</summary>
    private IEnumerable<ControlFigure> Figures(ControlEye eye, ControlSample sample)
    {
        var hand = new ControlHand(model, detector, options, sample);
        var ear = new ControlEar(sample, hand);
        var alternatives = new ControlAlternatives(model, sample);
        IEnumerable<IEnumerable<ControlFigure>> parts =
        [
            ControlWeights.Figures(model), eye.Figures(), hand.Denoise(), ear.Figures(), hand.Restore(), hand.Draw(),
            alternatives.Figures(),
        ];
        return parts.SelectMany(part => part);
    }
}
