using Dori.Diffusion;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// The ear: do captions matter? The text encoder tells them apart, and a picture's own caption helps to denoise it more than another one
/// or none, over many paired draws.
/// </summary>
/// <param name="hand">Whose losses have been taken.</param>
internal sealed class ControlEar(ControlSample sample, ControlHand hand)
{
    public IEnumerable<ControlFigure> Figures()
    {
        yield return ControlFigure.Of(PositiveControl.Ear, "what differs between captions' embeddings, as a share of their size", Spread(),
            atLeast: ControlLimits.Embeddings);
        yield return ControlFigure.Of(PositiveControl.Ear, "what another caption changes in predictions, over their error",
            Math.Sqrt(hand.Losses.Sum(at => at.Moved) / hand.Losses.Sum(at => at.Own.Average())), atLeast: ControlLimits.Moved);
        // a caption or two may say little of their pictures, unless these are all that the model knows
        if (sample.Captions < ControlLimits.CaptionsNeeded && !sample.Held) yield break;
        yield return ControlFigure.Of(PositiveControl.Ear, "advantage of the own caption over another in denoising, in standard errors",
            InErrors([.. hand.Losses.SelectMany(at => at.Other.Zip(at.Own, Gain))]), atLeast: ControlLimits.OverOther);
        yield return ControlFigure.Of(PositiveControl.Ear, "advantage of the own caption over none in denoising, in standard errors",
            InErrors([.. hand.Losses.SelectMany(at => at.Null.Zip(at.Own, Gain))]), atLeast: ControlLimits.OverNone);
    }

    private static double Gain(float without, float with) => (double)without - with;

    /// <summary>
    /// Root mean square of what differs between an embedding and the same place's mean over captions, over that of the embeddings.
    /// </summary>
    private double Spread()
    {
        using var scope = NewDisposeScope();
        Tensor all = Conditioning.Cat(sample.Own, sample.Other).Flat(), centred = all - all.mean([0L], keepdim: true);
        return (centred.Squared().mean() / all.Squared().mean()).sqrt().item<float>();
    }

    /// <summary>Mean over its standard error; 0 where nothing differs at all.</summary>
    private static double InErrors(double[] gains)
    {
        double mean = gains.Average(), variance = gains.Sum(gain => (gain - mean) * (gain - mean)) / (gains.Length - 1);
        return mean == 0 && variance == 0 ? 0 : mean / Math.Sqrt(variance / gains.Length);
    }
}
