using Dori.Native;
using TorchSharp;
using TorchSharp.Modules;
using static Dori.Native.TensorMath;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace Dori.Models;

/// <summary>Two linear layers over the sinusoidal time embedding.</summary>
internal sealed class TimestepEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Linear linear_1, linear_2;

    public TimestepEmbedding(int input, int width) : base(nameof(TimestepEmbedding))
    {
        linear_1 = new Linear(input, width);
        linear_2 = new Linear(width, width);
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using Tensor hidden = linear_1.call(input), activated = F.silu(hidden);
        return linear_2.call(activated);
    }
}

/// <summary>
/// eps_theta(z_t, t, y): the denoiser of Stable Diffusion 1.x, 2.x, XL and of the built-in model, following its config.
/// Field names are the checkpoint's keys. Weights come uninitialised and without gradients.
/// </summary>
public sealed class UNet2DConditionModel : nn.Module
{
    private readonly Conv2d conv_in, conv_out;
    private readonly TimestepEmbedding time_embedding;
    private readonly TimestepEmbedding? add_embedding;
    private readonly ModuleList<UNetDownBlock> down_blocks = nn.ModuleList<UNetDownBlock>();
    private readonly UNetMidBlock mid_block;
    private readonly ModuleList<UNetUpBlock> up_blocks = nn.ModuleList<UNetUpBlock>();
    private readonly GroupNorm conv_norm_out;

    public UNetConfig Config { get; }

    public UNet2DConditionModel(UNetConfig config) : base(nameof(UNet2DConditionModel))
    {
        Config = config;
        IReadOnlyList<int> channels = config.BlockOutChannels;
        int levels = channels.Count, timeWidth = 4 * channels[0];
        var settings = new BlockSettings(config, timeWidth);

        conv_in = new Conv2d(config.InChannels, channels[0], 3, padding: 1);
        time_embedding = new TimestepEmbedding(channels[0], timeWidth);
        if (config.AdditionTimeEmbedDim > 0) add_embedding = new TimestepEmbedding(config.ProjectionClassEmbeddingsInputDim, timeWidth);
        for (int i = 0; i < levels; i++)
        {
            Attending? heads = config.DownBlockTypes[i] == "CrossAttnDownBlock2D" ? Of(i) : null;
            down_blocks.Add(new UNetDownBlock(settings, channels[Math.Max(i - 1, 0)], channels[i], heads, downsample: i < levels - 1));
        }
        mid_block = new UNetMidBlock(settings, channels[^1], Of(levels - 1));
        for (int i = 0; i < levels; i++)
        {
            int level = levels - 1 - i; // up blocks mirror the down blocks
            Attending? heads = config.UpBlockTypes[i] == "CrossAttnUpBlock2D" ? Of(level) : null;
            up_blocks.Add(new UNetUpBlock(settings, channels[Math.Max(level - 1, 0)], channels[Math.Min(level + 1, levels - 1)],
                channels[level], heads, upsample: level > 0));
        }
        conv_norm_out = new GroupNorm(config.NormNumGroups, channels[0], config.NormEps);
        conv_out = new Conv2d(channels[0], config.OutChannels, 3, padding: 1);
        RegisterComponents();

        Attending Of(int level) => new(config.NumAttentionHeads[level], config.TransformerLayers(level));
    }

    /// <param name="latents">(N, 4, H, W), noisy, scaled</param>
    /// <param name="timesteps">(N) or (1), integers or floats in 0 .. T-1</param>
    /// <param name="encoderHiddenStates">
    /// (E, tokens, crossAttentionDim) where E divides N; an embedding that rows share is given, and projected, once (see <see
    /// cref="Attention"/>)
    /// </param>
    /// <param name="pooled">(E, width), for a model of SDXL's kind</param>
    /// <param name="timeIds">(E, 6), for a model of SDXL's kind: original height and width, top and left of the crop, target height and
    /// width</param>
    /// <returns>(N, 4, H, W): the noise, or v, that the model predicts</returns>
    public Tensor call(Tensor latents, Tensor timesteps, Tensor encoderHiddenStates, Tensor? pooled = null, Tensor? timeIds = null)
    {
        using var scope = NewDisposeScope();
        Tensor embedded = time_embedding.call(Sinusoids(timesteps, Config.BlockOutChannels[0]).to(latents.dtype)); // (N or 1, 4 C)
        if (add_embedding is not null) embedded = embedded.Plus(Additions(pooled!, timeIds!, latents.shape[0]));
        Tensor time = F.silu(embedded);
        Tensor x = conv_in.call(latents); // (N, C, H, W)
        var skips = new Stack<Tensor>([x]);
        foreach (UNetDownBlock block in down_blocks) x = block.call(x, time, encoderHiddenStates, skips);
        x = mid_block.call(x, time, encoderHiddenStates);
        foreach (UNetUpBlock block in up_blocks) x = block.call(x, time, encoderHiddenStates, skips);
        x = conv_out.call(F.silu(conv_norm_out.call(x))); // (N, 4, H, W)
        return x.MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The same weights, in the same memory, under a config whose weights have the same names and shapes (another number of heads or
    /// groups). Disposing it frees nothing of this one.
    /// </summary>
    internal UNet2DConditionModel Under(UNetConfig config, Func<string, bool>? copied = null)
    {
        using var noGrad = no_grad();
        Dictionary<string, Parameter> mine = named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var other = new UNet2DConditionModel(config);
        // A tensor takes another's memory only where it is of the same type and on the same device.
        Parameter first = mine.Values.First();
        other.to(first.device, first.dtype);
        foreach ((string name, Parameter parameter) in other.named_parameters())
        {
            using var scope = NewDisposeScope();
            Tensor source = mine[name].detach();
            parameter.set_(copied?.Invoke(name) == true ? source.clone() : source);
            parameter.DetachFromDisposeScope();
        }
        other.eval();
        return other;
    }

    /// <summary>SDXL's <c>text_time</c>: the pooled vector and each time id's sinusoids side by side -> (N or 1, 4 C)</summary>
    private Tensor Additions(Tensor pooled, Tensor timeIds, long rows)
    {
        Tensor sizes = Sinusoids(timeIds.flatten(), Config.AdditionTimeEmbedDim).reshape(timeIds.shape[0], -1).to(pooled.dtype);
        Tensor added = add_embedding!.call(cat([pooled, sizes], -1)); // (E, 4 C)
        return added.shape[0] is 1 || added.shape[0] == rows ? added : added.repeat_interleave(rows / added.shape[0], 0);
    }

    /// <summary>(N) -> (N, width): cosines and sines of t at width/2 frequencies from 1 down to 1/10000.</summary>
    private Tensor Sinusoids(Tensor timesteps, int width)
    {
        int half = width / 2;
        Tensor frequencies = Range(half).Times(-Math.Log(10000)).Over(half - Config.FreqShift).exp();
        Tensor angles = timesteps.to(float32).unsqueeze(-1) * frequencies.to(timesteps.device); // (N, C/2)
        return Config.FlipSinToCos ? cat([angles.cos(), angles.sin()], -1) : cat([angles.sin(), angles.cos()], -1);
    }
}
