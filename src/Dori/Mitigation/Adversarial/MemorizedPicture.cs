using Dori.Diffusion;
using Dori.Measures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>
/// One picture that a model must forget, with its references (pictures of the same memory), in every form that fine-tuning needs.
/// </summary>
/// <param name="Id">Safe as a file's name, unique among the pictures.</param>
/// <param name="Caption">What it was trained with; may be empty.</param>
/// <param name="Latents">z0 of the references: (R, 4, h, w), scaled: what the search draws its target from</param>
/// <param name="Descriptors">(R, D), unit length: what a picture is compared with</param>
/// <param name="Y">One row: the caption's embedding</param>
internal sealed record MemorizedPicture(string Id, string Caption, Tensor Latents, Tensor Descriptors, Conditioning Y) : IDisposable
{
    /// <param name="pictures">(R, 3, S, S) in [0, 1]</param>
    public static MemorizedPicture Of(DiffusionModel model, ICopyDetector detector, string id, string caption, Tensor pictures)
    {
        using var scope = NewDisposeScope();
        Tensor latents = model.Encode(pictures), descriptors = detector.Describe(pictures);
        Conditioning y = model.Embed(caption);
        return new MemorizedPicture(id, caption, latents.DetachFromDisposeScope(), descriptors.DetachFromDisposeScope(),
            y.DetachFromDisposeScope());
    }

    /// <summary>The best similarity of pictures generated from y, one for each noise.</summary>
    /// <param name="y">One row</param>
    /// <param name="noise">(N, 4, h, w)</param>
    internal float BestSimilarity(DiffusionModel model, ICopyDetector detector, Conditioning y, Conditioning yNull, Tensor noise,
        CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        Tensor generated = Generation.Pictures(model, y, yNull, noise, GenerationOptions.For(model, (int)noise.shape[0]), cancellation);
        return Similarity.ToReferences(detector.Describe(generated), Descriptors).Max();
    }

    public void Dispose()
    {
        Latents.Dispose();
        Descriptors.Dispose();
        Y.Dispose();
    }
}
