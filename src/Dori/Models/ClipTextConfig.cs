namespace Dori.Models;

/// <summary>What <c>text_encoder/config.json</c> says.</summary>
public sealed record ClipTextConfig
{
    public required int VocabSize { get; init; }
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int NumHiddenLayers { get; init; }
    public required int NumAttentionHeads { get; init; }
    public required int MaxPositionEmbeddings { get; init; }
    /// <summary><c>quick_gelu</c> or <c>gelu</c>.</summary>
    public required string HiddenAct { get; init; }
    public required double LayerNormEps { get; init; }
    /// <summary>
    /// The pooled output is the state at this token's first place; configs published with 2 (an old default) mean the place of the largest
    /// id.
    /// </summary>
    public required int EosTokenId { get; init; }
    public required int ProjectionDim { get; init; }
    /// <summary>Whether it has CLIP's projection of the pooled state (<c>CLIPTextModelWithProjection</c>).</summary>
    public bool Projects { get; init; }
}
