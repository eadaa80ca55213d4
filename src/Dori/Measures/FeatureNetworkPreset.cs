using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Pictures;

namespace Dori.Measures;

/// <summary>
/// How pictures are brought to a feature network: a <c>.json</c> beside its TorchScript file, <c>inception.json</c> for
/// <c>inception.pt</c>. A network that takes 0 .. 255 has mean 0 and deviation 1/255.
/// </summary>
internal sealed record FeatureNetworkPreset
{
    /// <summary>What every figure is quoted with, such as <c>inception-v3-pool</c>.</summary>
    public required string Name { get; init; }
    /// <summary>[height, width] in pixels that the network takes.</summary>
    public required IReadOnlyList<int> Size { get; init; }
    /// <summary><c>squash</c>: to the size without keeping the aspect ratio; <c>small-edge-crop</c>: the shorter side to the size's
    /// smaller, then the middle.</summary>
    public required CopyDetectorResize Resize { get; init; }
    /// <summary><c>bilinear</c> or <c>bicubic</c>, antialiased: FID moves by whole points between the two.</summary>
    public ResizeFilter Filter { get; init; } = ResizeFilter.Bilinear;
    /// <summary>Per channel, of pictures in [0, 1].</summary>
    public required IReadOnlyList<float> Mean { get; init; }
    /// <summary>Per channel: (x - mean) / std.</summary>
    public required IReadOnlyList<float> Std { get; init; }
    /// <summary>Values of a feature vector: 2048 of Inception-v3's pool.</summary>
    public required int Dimension { get; init; }

    /// <summary>Reads and checks a preset.</summary>
    /// <exception cref="DoriException">All that is wrong with the file, in one line.</exception>
    public static FeatureNetworkPreset Read(string path)
    {
        FeatureNetworkPreset preset = InputFile.ReadJson(path, InputKind.Preset, FeatureNetworkJson.Default.FeatureNetworkPreset,
            "a feature network's preset (name, size, resize, mean, std, dimension)");
        string[] wrong = [.. preset.Problems()];
        return wrong.Length == 0 ? preset : throw new DoriException($"{path}: {string.Join("; ", wrong)}");
    }

    private IEnumerable<string> Problems()
    {
        const int largest = 4096;
        if (string.IsNullOrWhiteSpace(Name)) yield return "name is empty";
        if (Size is not { Count: 2 } || !Size.All(side => side is >= 1 and <= largest))
            yield return $"size must be [height, width], each 1 to {largest}";
        else if (Resize == CopyDetectorResize.SmallEdgeCrop && Size[0] != Size[1]) yield return "size must be a square for small-edge-crop";
        if (Resize == CopyDetectorResize.SmallEdge) yield return "resize must be squash or small-edge-crop";
        if (!Enum.IsDefined(Filter)) yield return "filter must be bilinear or bicubic";
        if (Mean is not { Count: 3 } || !Mean.All(float.IsFinite)) yield return "mean must be three numbers";
        if (Std is not { Count: 3 } || !Std.All(value => float.IsFinite(value) && value > 0))
            yield return "std must be three numbers above 0";
        if (Dimension is < 1 or > 65536) yield return "dimension must be 1 to 65536";
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(FeatureNetworkPreset))]
internal sealed partial class FeatureNetworkJson : JsonSerializerContext;
