using System.Text.RegularExpressions;

namespace Dori.Checkpoints.SingleFile;

/// <summary>
/// The keys of a single file, sorted by the part of the model that they belong to. What lies about in such files beside weights (the noise
/// schedule, averages of a training, unused heads of CLIP) is counted by group; what is none of these is an error, for it may change the
/// model.
/// </summary>
internal sealed partial class SingleFileKeys
{
    private const string UNetPrefix = "model.diffusion_model.", VaePrefix = "first_stage_model.";

    private static readonly string[] s_transformers = ["cond_stage_model.transformer.", "conditioner.embedders.0.transformer."];
    private static readonly string[] s_openClip = ["cond_stage_model.model.", "conditioner.embedders.0.model."];
    private const string SecondText = "conditioner.embedders.1.model.";

    /// <summary>Groups of keys that hold no weights of the model.</summary>
    private static readonly (Regex Key, string Group)[] s_leftovers =
    [
        (Schedule(), "the noise schedule"), (Average(), "averages of the training (model_ema)"), (Training(), "leftovers of the training"),
        (PositionIds(), "position_ids"), (UnusedClip(), "parts of CLIP that no picture depends on"),
    ];

    private readonly SortedDictionary<string, int> _passedOver = new(StringComparer.Ordinal);

    private SingleFileKeys() { }

    /// <summary>From the name without prefix to the file's key.</summary>
    public Dictionary<string, string> UNet { get; } = new(StringComparer.Ordinal);
    /// <inheritdoc cref="UNet"/>
    public Dictionary<string, string> Vae { get; } = new(StringComparer.Ordinal);
    /// <summary>By transformers' names, with <c>text_model.</c></summary>
    public Dictionary<string, string> Text { get; } = new(StringComparer.Ordinal);
    /// <summary>By OpenCLIP's names.</summary>
    public Dictionary<string, string> OpenClipText { get; } = new(StringComparer.Ordinal);
    /// <summary>SDXL's second encoder, by OpenCLIP's names.</summary>
    public Dictionary<string, string> SecondOpenClipText { get; } = new(StringComparer.Ordinal);
    public List<string> PositionIdKeys { get; } = [];
    /// <summary>The file says that the model predicts velocity.</summary>
    public bool Velocity { get; private set; }
    /// <summary>The file says that the schedule ends in pure noise.</summary>
    public bool ZeroTerminalSnr { get; private set; }
    /// <summary>What was passed over, and how many tensors of each group.</summary>
    public IReadOnlyDictionary<string, int> PassedOver => _passedOver;

    public bool HasText => Text.Count > 0 || OpenClipText.Count > 0;

    /// <exception cref="DoriException">A key that is none of a single file's.</exception>
    public static SingleFileKeys Sort(SafetensorsFile file)
    {
        var sorted = new SingleFileKeys();
        // A pruned file may hold the UNet alone, without its prefix.
        bool bare = file.Tensors.ContainsKey("input_blocks.0.0.weight");
        foreach (string key in file.Tensors.Keys)
        {
            if (key == "v_pred") sorted.Velocity = true;
            else if (key == "ztsnr") sorted.ZeroTerminalSnr = true;
            else if (s_leftovers.FirstOrDefault(group => group.Key.IsMatch(key)) is { Group: { } group })
            {
                sorted.PassOver(group);
                if (key.EndsWith(".position_ids", StringComparison.Ordinal)) sorted.PositionIdKeys.Add(key);
            }
            else if (!sorted.Place(key, bare))
                throw new DoriException(
                    $"{file.Path}: the key {SafetensorsFile.Shown(key)} is none of a Stable Diffusion single file's; a key that is not "
                    + "understood may change the model");
        }
        return sorted;
    }

    public void PassOver(string group) => _passedOver[group] = _passedOver.GetValueOrDefault(group) + 1;

    private bool Place(string key, bool bare)
    {
        if (Rest(key, UNetPrefix) is { } unet) return UNet.TryAdd(unet, key);
        if (Rest(key, VaePrefix) is { } vae) return Vae.TryAdd(vae, key);
        if (Rest(key, SecondText) is { } second) return SecondOpenClipText.TryAdd(second, key);
        foreach (string prefix in s_transformers)
            // older merges lack it
            if (Rest(key, prefix) is { } text) return Text.TryAdd(text.StartsWith("text_model.", StringComparison.Ordinal) ? text
                : "text_model." + text, key);
        foreach (string prefix in s_openClip)
            if (Rest(key, prefix) is { } open) return OpenClipText.TryAdd(open, key);
        return bare && Bare().IsMatch(key) && UNet.TryAdd(key, key);
    }

    private static string? Rest(string key, string prefix) => key.StartsWith(prefix, StringComparison.Ordinal) ? key[prefix.Length..]
        : null;

    [GeneratedRegex(@"\A(?:betas|alphas_cumprod|alphas_cumprod_prev|sqrt_[a-z0-9_]+"
        + @"|log_one_minus_[a-z0-9_]+|posterior_[a-z0-9_]+|denoiser\.sigmas|lvlb_weights)\z")]
    private static partial Regex Schedule();

    [GeneratedRegex(@"\Amodel_ema\.")]
    private static partial Regex Average();

    [GeneratedRegex(@"\A(?:global_step|logvar|embedding_manager\..+|first_stage_model\.loss\..+|scale_factor)\z")]
    private static partial Regex Training();

    [GeneratedRegex(@"\A(?:cond_stage_model|conditioner\.embedders\.[01])\..*position_ids\z")]
    private static partial Regex PositionIds();

    [GeneratedRegex(@"\Acond_stage_model\.(?:(?:transformer|model)\.)?(?:logit_scale|text_projection(?:\.weight)?"
        + @"|(?:transformer\.)?(?:vision_model|visual_projection)\..+|attn_mask)\z"
        + @"|\Aconditioner\.embedders\.(?:0\.(?:transformer|model)\.(?:logit_scale|text_projection(?:\.weight)?|attn_mask)"
        + @"|1\.(?:model\.)?(?:logit_scale|attn_mask))\z")]
    private static partial Regex UnusedClip();

    [GeneratedRegex(@"\A(?:input_blocks|middle_block|output_blocks|time_embed|label_emb|out)\.")]
    private static partial Regex Bare();
}
