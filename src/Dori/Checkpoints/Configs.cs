namespace Dori.Checkpoints;

/// <summary>What <c>unet/config.json</c> says, reduced to what SD 1.x, SD 2.x and the built-in model vary. Lengths of the per-block lists agree.</summary>
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
    public required int CrossAttentionDim { get; init; }
    /// <summary>Number of heads of every block: what published configs call <c>attention_head_dim</c> (<c>num_attention_heads</c> wins where set).</summary>
    public required IReadOnlyList<int> NumAttentionHeads { get; init; }
    public required bool UseLinearProjection { get; init; }
    public required int NormNumGroups { get; init; }
    public required double NormEps { get; init; }
    public required bool FlipSinToCos { get; init; }
    public required double FreqShift { get; init; }
    /// <summary>Attention scores in float32 even where the model runs in bfloat16.</summary>
    public required bool UpcastAttention { get; init; }
}

/// <summary>What <c>vae/config.json</c> says.</summary>
public sealed record VaeConfig
{
    public required int InChannels { get; init; }
    public required int OutChannels { get; init; }
    public required int LatentChannels { get; init; }
    public required IReadOnlyList<int> BlockOutChannels { get; init; }
    public required int LayersPerBlock { get; init; }
    public required int NormNumGroups { get; init; }
    /// <summary>Side of the pictures that the model was trained on, in pixels.</summary>
    public required int SampleSize { get; init; }
    /// <summary>s in z0 = s E(x).</summary>
    public required double ScalingFactor { get; init; }
    public required bool MidBlockAddAttention { get; init; }
    public required bool UseQuantConv { get; init; }
    public required bool UsePostQuantConv { get; init; }
}

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
    /// The pooled output is the state at this token's first place; configs published with 2 (an old default) mean the place of the largest id.
    /// </summary>
    public required int EosTokenId { get; init; }
    public required int ProjectionDim { get; init; }
}

/// <summary>The image half of CLIP.</summary>
public sealed record ClipVisionConfig
{
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int NumHiddenLayers { get; init; }
    public required int NumAttentionHeads { get; init; }
    public required int NumChannels { get; init; }
    public required int ImageSize { get; init; }
    public required int PatchSize { get; init; }
    public required string HiddenAct { get; init; }
    public required double LayerNormEps { get; init; }
    public required int ProjectionDim { get; init; }
}

/// <summary>What <c>scheduler/scheduler_config.json</c> says, whichever scheduler class it names.</summary>
public sealed record SchedulerConfig
{
    /// <summary>DDIMScheduler, PNDMScheduler, EulerDiscreteScheduler or DPMSolverMultistepScheduler.</summary>
    public required string ClassName { get; init; }
    /// <summary>
    /// The class that the file names, where that one has no sampler here and <see cref="ClassName"/> stands in for it; else null.
    /// </summary>
    public string? StandsInFor { get; init; }
    public required int NumTrainTimesteps { get; init; }
    public required double BetaStart { get; init; }
    public required double BetaEnd { get; init; }
    /// <summary><c>scaled_linear</c> or <c>linear</c>.</summary>
    public required string BetaSchedule { get; init; }
    /// <summary><c>epsilon</c> or <c>v_prediction</c>.</summary>
    public required string PredictionType { get; init; }
    public required bool SetAlphaToOne { get; init; }
    public required int StepsOffset { get; init; }
    /// <summary><c>leading</c>, <c>trailing</c> or <c>linspace</c>; the default differs by class, as in diffusers.</summary>
    public required string TimestepSpacing { get; init; }
    public required bool RescaleBetasZeroSnr { get; init; }
    public required bool UseKarrasSigmas { get; init; }
}
