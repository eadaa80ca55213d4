using Dori.Checkpoints;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// Latents as diffusers takes and gives them (<c>latents=</c>, <c>output_type="latent"</c>): a safetensors file with the one tensor
/// <c>latents</c>, (N, C, h, w), a picture each. Initial ones are of unit variance, before <c>init_noise_sigma</c>; final ones are before
/// the division by <c>scaling_factor</c>.
/// </summary>
internal static class LatentsFile
{
    private const string Name = "latents";

    /// <param name="channels">The model's.</param>
    /// <returns>(N, C, h, w), float32</returns>
    /// <exception cref="DoriException">Another file, shape or type, or values that are not numbers.</exception>
    public static Tensor Read(string path, long channels)
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (file.Tensors.Count != 1 || !file.Tensors.TryGetValue(Name, out TensorInfo? info))
            throw new DoriException($"{path}: holds {ModelNotes.First([.. file.Tensors.Keys.Order(StringComparer.Ordinal)])}; one tensor, "
                + $"{Name}, is wanted");
        if (info.Shape.Count != 4 || info.Shape.Any(size => size < 1) || info.Shape[1] != channels)
            throw new DoriException($"{path}: {Name} has shape ({string.Join(", ", info.Shape)}); (pictures, {channels}, height, width) is "
                + "wanted");
        if (!info.IsFloat)
            throw new DoriException($"{path}: {Name} is stored as {info.Dtype}; float32, float16 and bfloat16 are read");
        Tensor latents = file.Read(Name).to(ScalarType.Float32);
        return latents.isfinite().all().item<bool>() ? latents.MoveToOuterDisposeScope()
            : throw new DoriException($"{path}: {Name} holds infinities or NaN");
    }

    /// <param name="latents">(N, C, h, w), on any device</param>
    public static void Write(string path, Tensor latents)
    {
        using Tensor stored = latents.to(ScalarType.Float32).cpu();
        SafetensorsWriter.Write(path, [(Name, stored)]);
    }
}
