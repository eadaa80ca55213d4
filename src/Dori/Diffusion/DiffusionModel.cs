using Dori.Checkpoints;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// All parts of one checkpoint on one device: tokenizer, text encoder, VAE, UNet and noise schedule. The UNet runs in the chosen dtype,
/// the small parts around it in float32. Weights carry no gradients. Reading it from several threads at once is safe.
/// </summary>
public sealed class DiffusionModel : IDisposable
{
    private DiffusionModel(ClipTokenizer tokenizer, ClipTextModel textEncoder, SecondTextEncoder? second, AutoencoderKL vae,
        UNet2DConditionModel unet, SchedulerConfig scheduler, ModelDefaults defaults, Device device, ScalarType dtype, ModelNotes notes)
    {
        (_second, _notes) = (second, notes);
        (Tokenizer, TextEncoder, Vae, UNet, Scheduler, Defaults, Device, Dtype) =
            (tokenizer, textEncoder, vae, unet, scheduler, defaults, device, dtype);
        Schedule = new NoiseSchedule(scheduler);
    }

    /// <summary>Whether tokenizer, text encoder and VAE are another model's.</summary>
    private bool _borrowed;
    private readonly ModelNotes _notes;
    private readonly SecondTextEncoder? _second;

    /// <summary>
    /// What was read otherwise than the files say it, or cannot be known from them: for every run and report. One sentence each.
    /// </summary>
    public IReadOnlyList<string> Notes => _notes.Said;
    /// <summary>What was passed over without loss, or honoured though it is rare: for <c>info</c>. One sentence each.</summary>
    public IReadOnlyList<string> Details => _notes.Details;

    public ClipTokenizer Tokenizer { get; }
    public ClipTextModel TextEncoder { get; }
    /// <summary>SDXL's; null in other models.</summary>
    internal ClipTextModel? TextEncoder2 => _second?.Network;
    public AutoencoderKL Vae { get; }
    public UNet2DConditionModel UNet { get; }
    public SchedulerConfig Scheduler { get; }

    /// <summary>The checkpoint's scheduler, with another sampler where one is named.</summary>
    /// <param name="sampler">One of <see cref="Sampler.Names"/>, or null.</param>
    public SchedulerConfig SchedulerWith(string? sampler) => sampler is null ? Scheduler : Sampler.WithSampler(Scheduler, sampler);

    public NoiseSchedule Schedule { get; }
    public ModelDefaults Defaults { get; }
    public Device Device { get; }
    /// <summary>The UNet's: float32, bfloat16 or float16.</summary>
    public ScalarType Dtype { get; }
    /// <summary>Side of the square pictures that the model makes, in pixels.</summary>
    public int PictureSize => UNet.Config.SampleSize * Vae.Scale;
    /// <summary>
    /// At most 200 million weights in the UNet: then one libtorch thread a piece of work and several pieces at a time are faster than
    /// several threads in one.
    /// </summary>
    public bool IsSmall => UNet.parameters().Sum(p => p.numel()) <= 200_000_000;
    /// <summary>(4, h, w) of one latent.</summary>
    public long[] LatentShape => [UNet.Config.InChannels, UNet.Config.SampleSize, UNet.Config.SampleSize];
    /// <summary>Where a search from N(0, I) begins: a conditioning of one row.</summary>
    public Conditioning RandomConditioning(RandomSource random) =>
        _second is null ? new(random.Normal([1, Tokenizer.MaxLength, UNet.Config.CrossAttentionDim]))
            : new(random.Normal([1, Tokenizer.MaxLength, UNet.Config.CrossAttentionDim]), random.Normal([1, UNet.Config.PooledWidth]),
                TimeIds(1).cpu());

    /// <param name="folder">A diffusers folder.</param>
    /// <param name="dtype">float32, bfloat16 or float16, for the UNet</param>
    /// <exception cref="DoriException">Whatever the folder lacks or has wrong, by name.</exception>
    public static DiffusionModel Load(string folder, Device? device = null, ScalarType dtype = ScalarType.Float32) =>
        Load(Checkpoint.Open(folder), device, dtype);

    /// <inheritdoc cref="Load(string, Device?, ScalarType)"/>
    public static DiffusionModel Load(Checkpoint folder, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        device ??= CPU;
        string? libtorch = NativeLibraries.Check();
        CheckWidths(folder);
        if (folder.UNet.InChannels != folder.Vae.LatentChannels || folder.UNet.OutChannels != folder.Vae.LatentChannels)
            throw new DoriException(
                $"{folder.Path}: unet has {folder.UNet.InChannels} input and {folder.UNet.OutChannels} output channels, vae "
                + $"{folder.Vae.LatentChannels} latent channels; inpainting and upscaling models are not supported");
        ModelDefaults defaults = ReadDefaults(folder);
        ModelNotes notes = folder.Collected.Copy();
        if (libtorch is not null) notes.Say(libtorch);
        ClipTokenizer tokenizer = folder.OpenTokenizer();
        CheckAddedTokens(folder, tokenizer, notes);
        if (tokenizer.VocabularySize > folder.TextEncoder.VocabSize || tokenizer.MaxLength > folder.TextEncoder.MaxPositionEmbeddings)
            throw new DoriException(
                $"{folder.Path}: tokenizer has {tokenizer.VocabularySize} tokens and length {tokenizer.MaxLength}, text_encoder takes "
                + $"{folder.TextEncoder.VocabSize} and {folder.TextEncoder.MaxPositionEmbeddings}");
        using (WeightSet weights = folder.OpenTextEncoder(), vaeWeights = folder.OpenVae(), unetWeights = folder.OpenUNet())
        {
            PlausibleSize.Check(folder, weights, vaeWeights, unetWeights);
            ClipTextModel text = ModelParts.TextEncoder(folder.TextEncoder, weights, device, notes);
            SecondTextEncoder? second = folder.TextEncoder2 is null ? null : SecondTextEncoder.Load(folder, tokenizer, device, notes);
            AutoencoderKL vae = ModelParts.Vae(folder.Vae, vaeWeights, device, notes);
            UNet2DConditionModel unet = ModelParts.UNet(folder.UNet, unetWeights, device, dtype, notes);
            return new DiffusionModel(tokenizer, text, second, vae, unet, folder.Scheduler, defaults, device, dtype, notes);
        }
    }

    /// <summary>Of networks that are on the device already, in their types; it owns them.</summary>
    internal static DiffusionModel Of(ClipTokenizer tokenizer, ClipTextModel textEncoder, AutoencoderKL vae, UNet2DConditionModel unet,
        SchedulerConfig scheduler, Device device, ScalarType dtype) =>
        new(tokenizer, textEncoder, null, vae, unet, scheduler, new ModelDefaults(), device, dtype, new ModelNotes());

    private static void CheckWidths(Checkpoint folder)
    {
        (int wanted, int given) = (folder.UNet.CrossAttentionDim, folder.TextEncoder.HiddenSize + (folder.TextEncoder2?.HiddenSize ?? 0));
        if (wanted != given)
            throw new DoriException($"{folder.Path}: unet takes embeddings {wanted} wide, text_encoder gives {given}"
                + (folder.TextEncoder2 is null ? "" : " with text_encoder_2"));
        int pooled = folder.TextEncoder2?.ProjectionDim ?? 0;
        if (folder.UNet.PooledWidth != pooled)
            throw new DoriException($"{folder.Path}: unet takes a pooled vector {folder.UNet.PooledWidth} wide, text_encoder_2 gives "
                + $"{pooled} (0: none)");
    }

    /// <summary>A sampler that stands in for the file's is named, so that runs and reports name it.</summary>
    private static ModelDefaults ReadDefaults(Checkpoint folder)
    {
        ModelDefaults defaults = folder.Folder is { } own ? ModelDefaults.Read(own) : new ModelDefaults();
        return folder.Scheduler.StandsInFor is null || defaults.Sampler is not null ? defaults
            : defaults with { Sampler = Sampler.NameOf(folder.Scheduler) };
    }

    /// <summary>
    /// Words of textual inversion: each needs its row in the text encoder, or it would stand for nothing that was trained.
    /// </summary>
    private static void CheckAddedTokens(Checkpoint folder, ClipTokenizer tokenizer, ModelNotes notes)
    {
        if (tokenizer.AddedTokens.Count == 0) return;
        int rows = folder.TextEncoder.VocabSize;
        string[] words = [.. tokenizer.AddedTokens.Select(token => $"\"{token.Text}\"")];
        string[] rowless = [.. tokenizer.AddedTokens.Where(token => token.Id >= rows).Select(token => $"\"{token.Text}\" ({token.Id})")];
        if (rowless.Length > 0)
            throw new DoriException(
                $"{folder.Path}: its tokenizer adds {ModelNotes.First(rowless)} to the vocabulary, and the text encoder has "
                + $"{rows} rows and none for them; take the text encoder that was saved with them, or take the added tokens out");
        notes.Detail($"tokenizer: adds {ModelNotes.First(words)} to the vocabulary; captions that hold such a word are read with it.");
    }

    /// <summary>y of prompts, all in one call of the text encoder.</summary>
    /// <param name="prompts">At least one.</param>
    /// <returns>One row a prompt, float32</returns>
    public Conditioning Embed(params IReadOnlyList<string> prompts)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor ids = Ids(Tokenizer, prompts).to(Device);
        if (_second is null) return new Conditioning(TextEncoder.call(ids)).MoveToOuterDisposeScope();
        (Tensor first, Tensor? _) = TextEncoder.Penultimate(ids);
        (Tensor second, Tensor? pooled) = _second.Network.Penultimate(Ids(_second.Tokenizer, prompts).to(Device));
        return new Conditioning(cat([first, second], -1), pooled, TimeIds(prompts.Count)).MoveToOuterDisposeScope();
    }

    /// <summary>What guidance moves away from: the empty prompt or, where the model says so, zeros.</summary>
    /// <returns>One row, float32</returns>
    public Conditioning EmbedNothing()
    {
        if (_second is not { ForcesZeros: true }) return Embed("");
        using var scope = NewDisposeScope();
        Conditioning empty = Embed("");
        return new Conditioning(zeros_like(empty.Tokens), zeros_like(empty.Pooled!), empty.TimeIds!.alias()).MoveToOuterDisposeScope();
    }

    private static Tensor Ids(ClipTokenizer tokenizer, IReadOnlyList<string> prompts)
    {
        int[][] padded = [.. prompts.Select(tokenizer.EncodePadded)];
        return tensor([.. padded.SelectMany(row => row.Select(id => (long)id))], [padded.Length, padded[0].Length]);
    }

    /// <summary>A whole picture of the model's size: original height and width, top and left of the crop, target height and
    /// width.</summary>
    /// <returns>(count, 6), float32</returns>
    private Tensor TimeIds(long count)
    {
        using var scope = NewDisposeScope();
        float side = PictureSize;
        return tensor(new[] { side, side, 0, 0, side, side }).reshape(1, UNetConfig.TimeIds).repeat(count, 1).to(Device)
            .MoveToOuterDisposeScope();
    }

    /// <param name="pictures">(N, 3, H, W) in [0, 1]</param>
    /// <returns>z0 = s E(x), the posterior's mean: (N, 4, H/8, W/8), float32</returns>
    public Tensor Encode(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        (Tensor mean, Tensor _) = Vae.Encode(pictures.to(Device).to(ScalarType.Float32).Times(2).Plus(-1));
        return mean.Times(Vae.Config.ScalingFactor).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// As many pixels as are decoded at once: one picture of 512 x 512, whose feature maps take a gigabyte. The number is always the same,
    /// since kernels round differently with another.
    /// </summary>
    private const long PixelsAtOnce = 512 * 512;

    /// <param name="latents">(N, 4, h, w), scaled</param>
    /// <returns>(N, 3, 8 h, 8 w) in [0, 1], float32</returns>
    public Tensor Decode(Tensor latents)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        long all = latents.shape[0], each = latents.shape[2] * latents.shape[3] * Vae.Scale * Vae.Scale;
        long chunk = Math.Max(1, PixelsAtOnce / each);
        var parts = new List<Tensor>();
        for (long at = 0; at < all; at += chunk)
        {
            using var inner = NewDisposeScope();
            Tensor part = latents.narrow(0, at, Math.Min(chunk, all - at)).to(Device).to(ScalarType.Float32);
            Tensor pictures = Vae.Decode(part.Over(Vae.Config.ScalingFactor));
            parts.Add(pictures.Times(0.5).Plus(0.5).Clamp(0, 1).MoveToOuterDisposeScope());
        }
        return (parts.Count == 1 ? parts[0] : cat(parts, 0)).MoveToOuterDisposeScope();
    }

    /// <summary>The UNet's output in float32; gradients flow through to <paramref name="y"/> where it asks for them.</summary>
    /// <param name="noisy">(N, 4, h, w), float32</param>
    /// <param name="timesteps">(N) or (1)</param>
    /// <param name="y">E rows, float32, E divides N</param>
    public Tensor Predict(Tensor noisy, Tensor timesteps, Conditioning y)
    {
        using var scope = NewDisposeScope();
        UNetPasses.CountForward(noisy.shape[0]);
        // What a caller brings may lie elsewhere, such as what was read from a file: here it comes to the model.
        Tensor output = UNet.call(noisy.to(Device).to(Dtype), timesteps.to(Device), y.Tokens.to(Device).to(Dtype),
            y.Pooled?.to(Device).to(Dtype), y.TimeIds?.to(Device));
        return output.to(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The same parts around a copy of the UNet, frozen as it is now: training this model leaves the copy alone. Disposing it frees the
    /// copy only; it must not outlive this model.
    /// </summary>
    /// <param name="copied">
    /// Names of the weights that will change; the copy shares the memory of all others. Null: all are copied.
    /// </param>
    public DiffusionModel WithUNetCopy(Func<string, bool>? copied = null)
    {
        UNet2DConditionModel unet = UNet.Under(UNet.Config, copied ?? (_ => true));
        return new DiffusionModel(Tokenizer, TextEncoder, _second, Vae, unet, Scheduler, Defaults, Device, Dtype, _notes)
        {
            _borrowed = true,
        };
    }

    /// <summary>
    /// The same parts and weights, in the same memory, with the UNet under a config whose weights have the same names and shapes.
    /// Disposing it frees nothing of this model, which it must not outlive.
    /// </summary>
    internal DiffusionModel Under(UNetConfig config) =>
        new(Tokenizer, TextEncoder, _second, Vae, UNet.Under(config), Scheduler, Defaults, Device, Dtype, _notes) { _borrowed = true };

    public void Dispose()
    {
        UNet.Dispose();
        if (_borrowed) return;
        TextEncoder.Dispose();
        _second?.Network.Dispose();
        Vae.Dispose();
    }
}
