using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>The copy detector that a verb works with: the file that the user names, else the model's own.</summary>
internal static class CopyDetectors
{
    /// <param name="named">What option CopyDetector says.</param>
    /// <param name="preset">What option Preset says.</param>
    /// <param name="purpose">What it is needed for, to end a sentence with.</param>
    /// <exception cref="DoriException">Nothing is named and the model has none.</exception>
    public static TorchScriptCopyDetector Load(string modelPath, string? named, string? preset, Device device,
        string purpose) =>
        named is not null ? TorchScriptCopyDetector.Load(named, preset, device)
        : Directory.Exists(Path.Combine(modelPath, "copy_detector")) ? TorchScriptCopyDetector.Load(modelPath, preset, device)
        : throw new DoriException($"{modelPath} has no copy_detector folder, and {purpose}; name a copy detector with `CopyDetector` "
            + "FILE.pt (for Stable Diffusion: sscd_disc_mixup.torchscript.pt of facebookresearch/sscd-copy-detection, with `Preset` nemo)");
}
