using Dori.Native;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>Patches as tokens, a class token before them, and places.</summary>
internal sealed class ClipVisionEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Parameter class_embedding; // (width)
    private readonly Conv2d patch_embedding;
    private readonly Embedding position_embedding;

    public ClipVisionEmbeddings(ClipVisionConfig config) : base(nameof(ClipVisionEmbeddings))
    {
        int side = config.ImageSize / config.PatchSize;
        class_embedding = new Parameter(empty(config.HiddenSize), requires_grad: false);
        patch_embedding = new Conv2d(config.NumChannels, config.HiddenSize, config.PatchSize, stride: config.PatchSize, hasBias: false);
        position_embedding = new Embedding(side * side + 1, config.HiddenSize);
        RegisterComponents();
    }

    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        Tensor patches = patch_embedding.call(pixels).flatten(2).transpose(1, 2); // (N, P, width)
        Tensor first = class_embedding.expand(pixels.shape[0], 1, -1);
        return cat([first, patches], 1).Plus(position_embedding.weight).MoveToOuterDisposeScope(); // (N, 1 + P, width)
    }
}

/// <summary>The transformer of CLIP's image tower; <c>pre_layrnorm</c> is the published key's spelling.</summary>
internal sealed class ClipVisionTransformer : nn.Module<Tensor, Tensor>
{
    private readonly ClipVisionEmbeddings embeddings;
    private readonly LayerNorm pre_layrnorm, post_layernorm;
    private readonly ClipEncoder encoder;

    public ClipVisionTransformer(ClipVisionConfig config) : base(nameof(ClipVisionTransformer))
    {
        embeddings = new ClipVisionEmbeddings(config);
        pre_layrnorm = new LayerNorm(config.HiddenSize, config.LayerNormEps);
        encoder = new ClipEncoder(config.NumHiddenLayers, config.HiddenSize, config.IntermediateSize, config.NumAttentionHeads,
            config.HiddenAct, config.LayerNormEps, causal: false);
        post_layernorm = new LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    public override Tensor forward(Tensor pixels)
    {
        using var scope = NewDisposeScope();
        return encoder.call(pre_layrnorm.call(embeddings.call(pixels))).MoveToOuterDisposeScope();
    }

    /// <summary>(N, 1 + P, width) -> (N, width): the class token's state, normalised.</summary>
    public Tensor Pooled(Tensor hidden)
    {
        using Tensor first = hidden.select(1, 0);
        return post_layernorm.call(first);
    }
}

/// <summary>CLIP's image tower with its projection.</summary>
internal sealed class ClipVisionModel : nn.Module
{
    private readonly ClipVisionTransformer vision_model;
    private readonly Linear visual_projection;

    public ClipVisionConfig Config { get; }

    public ClipVisionModel(ClipVisionConfig config) : base(nameof(ClipVisionModel))
    {
        Config = config;
        vision_model = new ClipVisionTransformer(config);
        visual_projection = new Linear(config.HiddenSize, config.ProjectionDim, hasBias: false);
        RegisterComponents();
    }

    /// <param name="pixels">(N, 3, imageSize, imageSize), normalised with CLIP's mean and deviation</param>
    /// <returns>(N, 1 + patches, width), before the last norm</returns>
    public Tensor Hidden(Tensor pixels) => vision_model.call(pixels);

    /// <param name="pixels">(N, 3, imageSize, imageSize), normalised</param>
    /// <returns>(N, projection), not normalised</returns>
    public Tensor call(Tensor pixels)
    {
        using Tensor hidden = Hidden(pixels), pooled = vision_model.Pooled(hidden);
        return visual_projection.call(pooled);
    }
}
