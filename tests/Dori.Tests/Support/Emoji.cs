using Dori.Diffusion;
using Dori.Pictures;
using static TorchSharp.torch;

namespace Dori.Tests.Support;

/// <summary>The built-in model, loaded once for all tests.</summary>
internal static class Emoji
{
    private static readonly Lazy<DiffusionModel> s_model = new(() => DiffusionModel.Load(Golden.EmojiModel));

    public static DiffusionModel Model => s_model.Value;

    public static string Pictures { get; } = Path.Combine(Golden.EmojiModel, "pictures");

    /// <summary>Folder of an adapter of it, trained on eight pictures and nothing else: models/emoji-lora.</summary>
    public static string Lora { get; } = Path.Combine(Golden.EmojiModel, "..", "emoji-lora");

    /// <returns>(N, 3, 64, 64) in [0, 1]</returns>
    public static Tensor Load(params string[] files) =>
        stack(files.Select(file => Picture.Load(Path.Combine(Pictures, file))).ToArray(), 0);
}
