using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>Turns pictures into descriptors whose cosine says how much one is a copy of the other. Usable from several threads at
/// once.</summary>
public interface ICopyDetector
{
    /// <summary>What every similarity must be quoted with: the model, how pictures are brought to it, and the threshold.</summary>
    CopyDetectorPreset Preset { get; }

    /// <summary>SHA-256 of the detector's file, lower-case hexadecimal.</summary>
    string Sha256 { get; }

    /// <summary>Descriptors of pictures of one size; resizing and normalising are the detector's own.</summary>
    /// <param name="pictures">(N, 3, H, W) in [0, 1], any device and floating type, N at least 1.</param>
    /// <returns>(N, D) float32 of unit length, on the CPU.</returns>
    /// <exception cref="DoriException">The detector gave something other than N finite unit vectors of D values.</exception>
    Tensor Describe(Tensor pictures);
}
