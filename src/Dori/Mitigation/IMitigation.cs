using System.Text.Json.Nodes;
using Dori.Diffusion;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>A way to make a model forget pictures: those of this library, and whatever its users bring.</summary>
public interface IMitigation
{
    /// <summary>Of the verb and in records, such as <c>esd</c>.</summary>
    string Name { get; }

    /// <summary>For people, such as <c>Erased Stable Diffusion</c>.</summary>
    string Title { get; }

    /// <summary>What <see cref="Apply"/> is to be given besides the pictures.</summary>
    MitigationNeeds Needs => MitigationNeeds.None;

    /// <summary>Makes the model forget. Its UNet may be changed in place; the caller loads it anew for anything else.</summary>
    /// <exception cref="DoriException">Something is missing or out of range, or there is nothing to change.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the same call goes on from what is in the work folder.</exception>
    MitigationOutcome Apply(DiffusionModel model, MitigationPictures pictures, MitigationControl control);
}

/// <summary>What a mitigation is to be given besides the pictures to forget.</summary>
[Flags]
public enum MitigationNeeds
{
    None = 0,
    /// <summary>To tell generations from the pictures.</summary>
    CopyDetector = 1,
    /// <summary>A model that draws pictures in the place of those to forget.</summary>
    Generator = 2,
    /// <summary>The UNet in float32, whatever the device.</summary>
    Float32 = 4,
}

/// <summary>What a mitigation came to.</summary>
public sealed record MitigationOutcome
{
    /// <summary>
    /// (checkpoint key, the stored weight) -> the new weight; what stays as it is comes back as it was given. See <see cref="Of"/>.
    /// </summary>
    public required Func<string, Tensor, Tensor> Weight { get; init; }
    /// <summary>One sentence for people: what was changed.</summary>
    public required string Summary { get; init; }
    /// <summary>Further Markdown for the model card.</summary>
    public string Card { get; init; } = "";
    /// <summary>What decided the result, as it was in effect.</summary>
    public JsonObject Options { get; init; } = [];
    /// <summary>By name, of every step of a training.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, double>> Losses { get; init; } = [];
    /// <summary>Whatever else the method has to say.</summary>
    public JsonObject Details { get; init; } = [];

    /// <summary>The weights that a model's UNet has now.</summary>
    public static Func<string, Tensor, Tensor> Of(DiffusionModel model)
    {
        Dictionary<string, Tensor> weights = model.UNet.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter);
        return (key, _) => weights[key];
    }
}
