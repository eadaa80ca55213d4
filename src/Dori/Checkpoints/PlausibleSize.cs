using Dori.Models;

namespace Dori.Checkpoints;

/// <summary>
/// Compares what configs describe with what weight files hold before anything is allocated: a config of a few hundred bytes must not
/// make the program ask for more memory than the files are large.
/// </summary>
internal static class PlausibleSize
{
    /// <exception cref="DoriException">A config describes a network with more weights than its file has.</exception>
    public static void Check(Checkpoint folder, WeightSet text, WeightSet vae, WeightSet unet)
    {
        CheckText("text_encoder", text, folder.TextEncoder);
        Check("vae", vae, AtLeast(folder.Vae.BlockOutChannels, folder.Vae.LayersPerBlock));
        Check("unet", unet, AtLeast(folder.UNet.BlockOutChannels, folder.UNet.LayersPerBlock));
    }

    /// <inheritdoc cref="Check(Checkpoint, WeightSet, WeightSet, WeightSet)"/>
    public static void CheckText(string part, WeightSet text, ClipTextConfig config) => Check(part, text, AtLeast(config));

    private static void Check(string part, WeightSet weights, double atLeast)
    {
        double stored = weights.Names.Sum(name => weights.Info(name).Shape.Aggregate(1.0, (a, b) => a * b));
        if (atLeast > stored)
            throw new DoriException(
                $"{weights.Folder}: config.json describes a {part} of at least {atLeast:0} weights, its files hold {stored:0}; config and "
                + $"weights do not belong together");
    }

    /// <summary>Two 3x3 convolutions in every layer of every level: a lower bound for both networks.</summary>
    private static double AtLeast(IReadOnlyList<int> channels, int layers) => channels.Sum(c => 2.0 * 9 * c * c * layers);

    private static double AtLeast(ClipTextConfig c) =>
        (double)c.VocabSize * c.HiddenSize
            + c.NumHiddenLayers * (4.0 * c.HiddenSize * c.HiddenSize + 2.0 * c.HiddenSize * c.IntermediateSize);
}
