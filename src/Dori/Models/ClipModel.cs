using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>
/// CLIP whole: both towers with their projections into one space, where the cosine says how well a text fits a picture. Keys as published
/// in <c>openai/clip-vit-large-patch14</c>, but for <c>logit_scale</c>, which has no part in a cosine.
/// </summary>
internal sealed class ClipModel : nn.Module
{
    private readonly ClipTextModel text_model;
    private readonly ClipVisionTransformer vision_model;
    private readonly Linear text_projection, visual_projection;

    /// <summary>Keys of published files that the model here has no use for; <c>position_ids</c> hold 0, 1, 2, ...</summary>
    internal static IReadOnlySet<string> Ignorable { get; } = new HashSet<string>(StringComparer.Ordinal)
        { "logit_scale", "text_model.embeddings.position_ids", "vision_model.embeddings.position_ids" };

    public ClipTextConfig Text { get; }
    public ClipVisionConfig Vision { get; }

    public ClipModel(ClipTextConfig text, ClipVisionConfig vision) : base(nameof(ClipModel))
    {
        (Text, Vision) = (text, vision);
        text_model = new ClipTextModel(text);
        vision_model = new ClipVisionTransformer(vision);
        text_projection = new Linear(text.HiddenSize, text.ProjectionDim, hasBias: false);
        visual_projection = new Linear(vision.HiddenSize, vision.ProjectionDim, hasBias: false);
        RegisterComponents();
    }

    /// <param name="ids">(N, T) int64, padded</param>
    /// <returns>(N, projection), unit length</returns>
    public Tensor EmbedText(Tensor ids)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor hidden = text_model.call(ids); // (N, T, width)
        return Unit(text_projection.call(text_model.Pooled(hidden, ids))).MoveToOuterDisposeScope();
    }

    /// <param name="pixels">(N, 3, imageSize, imageSize), normalised with CLIP's mean and deviation</param>
    /// <returns>(N, projection), unit length</returns>
    public Tensor EmbedPixels(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return Unit(visual_projection.call(vision_model.Pooled(vision_model.call(pixels)))).MoveToOuterDisposeScope();
    }

    private static Tensor Unit(Tensor x) => x / x.Squared().sum(-1, keepdim: true).sqrt();
}
