namespace Dori.Models;

/// <summary>What <c>unet/config.json</c> says, reduced to what SD 1.x, SD 2.x, SDXL and the built-in model vary. Lengths of the per-block
/// lists agree.</summary>
public sealed record UNetConfig
{
    public required int InChannels { get; init; }
    public required int OutChannels { get; init; }
    /// <summary>Side of the latent that the model was trained on, in latent pixels.</summary>
    public required int SampleSize { get; init; }
    public required IReadOnlyList<int> BlockOutChannels { get; init; }
    /// <summary><c>CrossAttnDownBlock2D</c> or <c>DownBlock2D</c>.</summary>
    public required IReadOnlyList<string> DownBlockTypes { get; init; }
    /// <summary><c>CrossAttnUpBlock2D</c> or <c>UpBlock2D</c>.</summary>
    public required IReadOnlyList<string> UpBlockTypes { get; init; }
    public required int LayersPerBlock { get; init; }
    /// <summary>Transformer blocks of every attention, by block as in <see cref="DownBlockTypes"/>; null: one each.</summary>
    public IReadOnlyList<int>? TransformerLayersPerBlock { get; init; }
    public required int CrossAttentionDim { get; init; }
    /// <summary>Number of heads of every block: what published configs call <c>attention_head_dim</c> (<c>num_attention_heads</c> wins
    /// where set).</summary>
    public required IReadOnlyList<int> NumAttentionHeads { get; init; }
    public required bool UseLinearProjection { get; init; }
    public required int NormNumGroups { get; init; }
    public required double NormEps { get; init; }
    public required bool FlipSinToCos { get; init; }
    public required double FreqShift { get; init; }
    /// <summary>Attention scores in float32 even where the model runs in bfloat16.</summary>
    public required bool UpcastAttention { get; init; }
    /// <summary>SDXL's <c>text_time</c>: the width that each time id is embedded in; 0 where the model takes no pooled vector.</summary>
    public int AdditionTimeEmbedDim { get; init; }
    /// <summary>Of the pooled vector and all time ids side by side.</summary>
    public int ProjectionClassEmbeddingsInputDim { get; init; }

    /// <summary>Width of the pooled vector; 0 where the model takes none.</summary>
    internal int PooledWidth => AdditionTimeEmbedDim == 0 ? 0 : ProjectionClassEmbeddingsInputDim - TimeIds * AdditionTimeEmbedDim;

    /// <summary>Original height and width, top and left of the crop, target height and width.</summary>
    internal const int TimeIds = 6;

    internal int TransformerLayers(int block) => TransformerLayersPerBlock?[block] ?? 1;
}
