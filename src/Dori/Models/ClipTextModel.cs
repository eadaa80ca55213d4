using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Models;

/// <summary>Token and place embeddings.</summary>
internal sealed class ClipTextEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Embedding token_embedding, position_embedding;

    public ClipTextEmbeddings(ClipTextConfig config) : base(nameof(ClipTextEmbeddings))
    {
        token_embedding = new Embedding(config.VocabSize, config.HiddenSize);
        position_embedding = new Embedding(config.MaxPositionEmbeddings, config.HiddenSize);
        RegisterComponents();
    }

    public override Tensor forward(Tensor ids)
    {
        using var scope = NewDisposeScope();
        Tensor tokens = token_embedding.call(ids); // (N, T, width)
        return tokens.Plus(position_embedding.weight.narrow(0, 0, ids.shape[1])).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// CLIP's text tower: OpenAI's ViT-L/14 text (SD 1.x), OpenCLIP's ViT-H/14 text (SD 2.x) and bigG (SDXL, second). Keys as published
/// without their
/// <c>text_model.</c> prefix.
/// </summary>
public sealed class ClipTextModel : nn.Module
{
    private readonly ClipTextEmbeddings embeddings;
    private readonly ClipEncoder encoder;
    private readonly LayerNorm final_layer_norm;
    private readonly Linear? text_projection;

    public ClipTextConfig Config { get; }

    public ClipTextModel(ClipTextConfig config) : base(nameof(ClipTextModel))
    {
        Config = config;
        embeddings = new ClipTextEmbeddings(config);
        encoder = new ClipEncoder(config.NumHiddenLayers, config.HiddenSize, config.IntermediateSize, config.NumAttentionHeads,
            config.HiddenAct, config.LayerNormEps, causal: true);
        final_layer_norm = new LayerNorm(config.HiddenSize, config.LayerNormEps);
        if (config.Projects) text_projection = new Linear(config.HiddenSize, config.ProjectionDim, hasBias: false);
        RegisterComponents();
    }

    /// <param name="ids">(N, T) int64, padded</param>
    /// <returns>(N, T, width): y, the last hidden state after the final layer norm</returns>
    public Tensor call(Tensor ids)
    {
        using var scope = NewDisposeScope();
        return final_layer_norm.call(encoder.call(embeddings.call(ids))).MoveToOuterDisposeScope();
    }

    /// <summary>What SDXL takes of an encoder.</summary>
    /// <param name="ids">(N, T) int64, padded</param>
    /// <returns>(N, T, width): the last hidden state but one, without the final layer norm; and, of an encoder that projects, (N,
    /// projection): the final state at the end token, through the projection</returns>
    internal (Tensor Penultimate, Tensor? Projected) Penultimate(Tensor ids)
    {
        using var scope = NewDisposeScope();
        (Tensor before, Tensor last) = encoder.CallBoth(embeddings.call(ids));
        Tensor? projected = text_projection?.call(Pooled(final_layer_norm.call(last), ids));
        return (before.MoveToOuterDisposeScope(), projected?.MoveToOuterDisposeScope());
    }

    /// <summary>The state at the end token: what CLIP compares with pictures, before its projection.</summary>
    /// <param name="hidden">(N, T, width), from <see cref="call"/></param>
    /// <param name="ids">(N, T)</param>
    /// <returns>(N, width)</returns>
    public Tensor Pooled(Tensor hidden, Tensor ids)
    {
        using var scope = NewDisposeScope();
        // Configs older than transformers 4.30 say 2 for the end token while the vocabulary's largest id is meant.
        Tensor ends = Config.EosTokenId == 2 ? ids : ids.eq(TensorMath.Kept((long)Config.EosTokenId)).to(int64);
        Tensor place = ends.argmax(-1); // (N), the first of equal ones
        Tensor index = place.view(-1, 1, 1).expand(-1, 1, hidden.shape[2]);
        return hidden.gather(1, index).squeeze(1).MoveToOuterDisposeScope();
    }
}
