namespace Dori.Audit;

/// <summary>
/// Where sound models end and broken ones begin: measured, with room on both sides (docs/method.md, section 11). All are ratios,
/// similarities or standard errors, so that they do not depend on a model's size.
/// </summary>
internal static class ControlLimits
{
    /// <summary>
    /// Root mean square of a weight tensor times the root of its inputs, and share of its rows that are all zero: where it is dead.
    /// </summary>
    public const double Gain = 0.02, ZeroRows = 0.1;

    /// <summary>Share of the UNet's wide weight tensors that are noise, and of the other networks', which have few.</summary>
    public const double Noise = 0.1, NoiseOfFew = 0.4;

    /// <summary>Share of pictures whose reconstruction passes the threshold.</summary>
    public const double Seen = 0.5;

    /// <summary>Median similarity of the reconstructions: a generation comes on top of what the VAE loses.</summary>
    public static double Sight(double threshold) => Math.Round(threshold + (1 - threshold) / 3, 3);

    /// <summary>Loss over the best line's, by share of the time steps.</summary>
    public static readonly (double Share, double Most)[] Loss = [(0.1, 0.7), (0.25, 0.55), (0.45, 0.5), (0.65, 0.7), (0.85, 1)];

    /// <summary>
    /// Of pictures that the model is asked about, where it fails on others: it may have forgotten everything else, so these it must know
    /// by heart. Loss with the caption over the best line's as a share of the ordinary limit, variance lost and similarity of what comes
    /// back; guidance drives what it draws further, so that it may deviate more.
    /// </summary>
    public const double HeldLoss = 0.5, HeldLost = 0.1, HeldRestored = 0.9, HeldDeviation = 2;
    public const int HeldNeeded = 4;

    /// <summary>
    /// A line fits fewer pictures better, and their losses scatter: of 1 picture twice the limit, of 8 and more the limit. So few are never
    /// judged by (19 controls are needed).
    /// </summary>
    public static double OfFew(int pictures) => pictures < 8 ? 1 + 1.0 / pictures : 1;

    /// <summary>Variance lost in bringing pictures back from half noise, and from more.</summary>
    public static readonly double[] Lost = [0.25, 0.7];
    /// <summary>Similarity of what comes back.</summary>
    public static readonly double[] Restored = [0.6, 0.2];

    public static readonly (double Least, double Most) DrawnDeviation = (0.5, 1.5);
    public const double Contrast = 0.4, Roughness = 1.5;
    /// <summary>
    /// Least mean square of the difference between neighbouring pixels that drawn pictures are measured against: a set of flat pictures
    /// says nothing of them. Noise of independent pixels has 0.167.
    /// </summary>
    public const double SmoothSet = 0.01;
    /// <summary>Similarity among drawn pictures, above that among the set's own.</summary>
    public const double Alike = 0.4;
    /// <summary>Denoising error as the configs say over that with one value changed.</summary>
    public const double Declared = 1.02;
    /// <summary>The same for the latents' scale, which fine-tuning may shift a little.</summary>
    public const double DeclaredScale = 1.05;
    /// <summary>The same for the orientation of the kernels, to which some pictures are nearly indifferent.</summary>
    public const double DeclaredTurn = 1.05;

    public const double Embeddings = 0.1, Moved = 0.04, OverOther = 3, OverNone = 1;
    /// <summary>Different captions below which the ear is not asked whether a caption helps.</summary>
    public const int CaptionsNeeded = 8;
}
