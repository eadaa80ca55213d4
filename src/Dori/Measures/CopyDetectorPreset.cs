using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dori.Measures;

/// <summary>How a picture is brought to the size that a copy detector takes; bilinear, antialiased.</summary>
public enum CopyDetectorResize
{
    /// <summary>To <see cref="CopyDetectorPreset.Size"/>, without keeping the aspect ratio.</summary>
    [JsonStringEnumMemberName("squash")] Squash,
    /// <summary>The shorter side to <see cref="CopyDetectorPreset.SmallEdge"/>, the whole picture.</summary>
    [JsonStringEnumMemberName("small-edge")] SmallEdge,
    /// <summary>The shorter side to <see cref="CopyDetectorPreset.SmallEdge"/>, then the middle <see
    /// cref="CopyDetectorPreset.Size"/>.</summary>
    [JsonStringEnumMemberName("small-edge-crop")] SmallEdgeCrop,
}

/// <summary>
/// A copy detector's ruler: the same pictures differ under another one, so every similarity carries the preset's name.
/// On disk it is <c>preset.json</c> in a model's <c>copy_detector</c> folder, or a <c>.json</c> beside the TorchScript file.
/// </summary>
public sealed record CopyDetectorPreset
{
    public required string Name { get; init; }
    /// <summary>The TorchScript file, a plain name in the preset's own folder.</summary>
    public required string File { get; init; }
    public required CopyDetectorResize Resize { get; init; }
    /// <summary>[height, width] in pixels; not used by <c>small-edge</c>.</summary>
    public IReadOnlyList<int> Size { get; init => field = value ?? []; } = []; // absent: null
    /// <summary>In pixels; not used by <c>squash</c>. 0, where not said: the smaller of <see cref="Size"/>.</summary>
    public int SmallEdge { get; init; }
    /// <summary>Per channel, of pictures in [0, 1].</summary>
    public required IReadOnlyList<float> Mean { get; init; }
    /// <summary>Per channel: (x - mean) / std.</summary>
    public required IReadOnlyList<float> Std { get; init; }
    /// <summary>Values of a descriptor.</summary>
    public required int Dimension { get; init; }
    /// <summary>A copy is more similar than this.</summary>
    public required double Threshold { get; init; }

    /// <summary>SHA-256 over how pictures are brought to the detector: what decides a similarity beside the detector's file. Name and
    /// threshold do not.</summary>
    [JsonIgnore]
    public string TransformSha256 => Sha256Text.Of(string.Create(CultureInfo.InvariantCulture,
        $"{Resize};{string.Join(',', Size)};{SmallEdge};{Numbers(Mean)};{Numbers(Std)};{Dimension}"));

    private static string Numbers(IEnumerable<float> values) =>
        string.Join(',', values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));

    /// <summary>
    /// The official SSCD files (facebookresearch/sscd-copy-detection) as three code bases of the field use them.
    /// <c>nemo</c>: also the DoRI paper's. <c>wen</c>: diffusion_memorization's and DCR's transform. <c>concept-ablation</c>: SSCD's own
    /// "small 288".
    /// </summary>
    public static IReadOnlyList<CopyDetectorPreset> Shipped { get; } =
    [
        new()
        {
            Name = "nemo", File = "sscd_disc_mixup.torchscript.pt", Resize = CopyDetectorResize.Squash, Size = [320, 320],
            Mean = [0.485f, 0.456f, 0.406f], Std = [0.229f, 0.224f, 0.225f], Dimension = 512, Threshold = 0.7,
        },
        new()
        {
            Name = "wen", File = "sscd_disc_large.torchscript.pt", Resize = CopyDetectorResize.SmallEdgeCrop, Size = [224, 224],
                SmallEdge = 256,
            Mean = [0.5f, 0.5f, 0.5f], Std = [0.5f, 0.5f, 0.5f], Dimension = 1024, Threshold = 0.7,
        },
        new()
        {
            Name = "concept-ablation", File = "sscd_imagenet_mixup.torchscript.pt", Resize = CopyDetectorResize.SmallEdge, SmallEdge = 288,
            Mean = [0.485f, 0.456f, 0.406f], Std = [0.229f, 0.224f, 0.225f], Dimension = 512, Threshold = 0.7,
        },
    ];

    /// <summary>A shipped preset by its name.</summary>
    /// <exception cref="DoriException">There is none of this name.</exception>
    public static CopyDetectorPreset Named(string name) => Shipped.FirstOrDefault(preset => preset.Name == name)
        ?? throw new DoriException(
            $"copy detector preset \"{name}\": there is none of this name; known: "
            + $"{string.Join(", ", Shipped.Select(preset => preset.Name))}");

    /// <summary>Reads and checks a preset.</summary>
    /// <exception cref="DoriException">All that is wrong with the file, in one line.</exception>
    public static CopyDetectorPreset Read(string path)
    {
        CopyDetectorPreset preset = InputFile.ReadJson(path, InputKind.Preset, PresetJson.Default.CopyDetectorPreset,
            "a copy detector's preset");
        string[] wrong = [.. preset.Problems()];
        return wrong.Length == 0 ? preset : throw new DoriException($"{path}: {string.Join("; ", wrong)}");
    }

    private IEnumerable<string> Problems()
    {
        if (string.IsNullOrWhiteSpace(Name)) yield return "name is empty";
        if (string.IsNullOrEmpty(File) || File != Path.GetFileName(File) || File is "." or "..")
            yield return "file must be a plain file name in the preset's folder";
        foreach (string problem in SizeProblems()) yield return problem;
        if (Mean is not { Count: 3 } || !Mean.All(float.IsFinite)) yield return "mean must be three numbers";
        if (Std is not { Count: 3 } || !Std.All(value => float.IsFinite(value) && value > 0))
            yield return "std must be three numbers above 0";
        if (Dimension is < 1 or > 65536) yield return "dimension must be 1 to 65536";
        if (Threshold is not (> -1 and < 1)) yield return "threshold must lie between -1 and 1";
    }

    private IEnumerable<string> SizeProblems()
    {
        const int largest = 4096;
        bool sized = Size is { Count: 2 } && Size.All(side => side is >= 1 and <= largest);
        if (Resize != CopyDetectorResize.SmallEdge && !sized) yield return $"size must be [height, width], each 1 to {largest}";
        if (Resize == CopyDetectorResize.SmallEdge && SmallEdge < 1) yield return "smallEdge is missing";
        if (SmallEdge is < 0 or > largest) yield return $"smallEdge must be 1 to {largest}";
        if (Resize != CopyDetectorResize.SmallEdgeCrop || !sized) yield break;
        if (SmallEdge > 0 && SmallEdge < Size.Max()) yield return "smallEdge is smaller than the crop";
        if (SmallEdge == 0 && Size[0] != Size[1]) yield return "smallEdge is missing";
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(CopyDetectorPreset))]
internal sealed partial class PresetJson : JsonSerializerContext;
