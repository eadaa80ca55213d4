using System.Text.RegularExpressions;

namespace Dori.Checkpoints.Adapters;

/// <summary>
/// Tells plain LoRA from what is shared under the same name: other ways to change weights, files for other models, whole models, words.
/// Only a key's last part tells, and a DoRA's pairs look plain: a file is looked through for all of these before anything in it is taken
/// for a pair.
/// </summary>
internal static partial class AdapterKinds
{
    private const int Named = 4;

    /// <summary>By the key's end. DoRA first: whoever takes its pairs for plain gets a wrong model without a word.</summary>
    private static readonly (Regex Key, string Kind)[] s_otherChanges =
    [
        (Dora(), "DoRA"), (Loha(), "LoHa"), (Lokr(), "LoKr"), (Ia3(), "(IA)3"), (Boft(), "BOFT"), (Oft(), "OFT"), (Glora(), "GLoRA"),
        (Difference(), "full differences"), (Norms(), "norms"), (Bias(), "LoRA with biases"), (Other(), "another of PEFT's methods"),
        (Numbered(), "numbered layers of the first LoRA files, which do not say which weights they change"),
        (Scale(), "LoRA with .scale in the place of .alpha"),
    ];

    private static readonly (Regex Key, string What)[] s_otherModels =
    [
        (BaseLayer(), "a training's state, weights and LoRA together; take the pytorch_lora_weights.safetensors that training saves "
            + "beside it"),
        (Transformer(), "a LoRA for a transformer model (FLUX, Stable Diffusion 3, video); LoRA for SD 1.x, 2.x and SDXL are read"),
        (Cascade(), "a LoRA for Stable Cascade; LoRA for SD 1.x, 2.x and SDXL are read"),
        (Control(), "for a ControlNet, which dori does not run"),
        (Motion(), "a motion module (AnimateDiff), which dori does not run"),
    ];

    /// <summary>Whether a file is an adapter of any kind, as against a model or a word.</summary>
    public static bool IsAdapter(SafetensorsFile file) =>
        file.Tensors.Keys.Any(key => AdapterKey.Parse(key) is { Role: not AdapterRole.Alpha }
            || s_otherChanges.Any(kind => kind.Key.IsMatch(key)));

    /// <exception cref="DoriException">The file holds something that is not a plain pair, by its name and keys.</exception>
    public static void RefuseOthers(SafetensorsFile file)
    {
        IEnumerable<string> keys = file.Tensors.Keys;
        foreach ((Regex key, string kind) in s_otherChanges)
            if (Matching(keys, key) is { Length: > 0 } found) throw Refused(file.Path, kind, found);
        foreach ((Regex key, string what) in s_otherModels)
            if (Matching(keys, key) is { Length: > 0 } found)
                throw new DoriException($"{file.Path}: {what} (its key {SafetensorsFile.Shown(found[0])})");
        if (file.Metadata.Any(pair => pair.Key == "lora_adapter_metadata" && UsesDora().IsMatch(pair.Value)))
            throw new DoriException(
                $"{file.Path}: DoRA (its metadata says use_dora); only plain LoRA is read: merge it into its base in Python (fuse_lora, "
                + "save_pretrained)");
        if (IsAdapter(file)) return;
        throw new DoriException($"{file.Path}: {WhatElse(file)}");
    }

    /// <summary>What a file is that holds no pair.</summary>
    private static string WhatElse(SafetensorsFile file)
    {
        IEnumerable<string> keys = file.Tensors.Keys;
        if (keys.Any(key => key.StartsWith("model.diffusion_model.", StringComparison.Ordinal)
            || key.StartsWith("input_blocks.", StringComparison.Ordinal)))
            return "a whole model in a single file and no LoRA; give it as MODEL";
        if (keys.Any(key => key is "emb_params" or "clip_l" or "clip_g")) return "words (a textual inversion) and no LoRA";
        if (keys.Any(key => key.StartsWith("decoder.", StringComparison.Ordinal)
            || key.StartsWith("first_stage_model.", StringComparison.Ordinal)))
            return "a VAE and no LoRA";
        return $"no LoRA: no key has lora_down and lora_up, or lora_A and lora_B; its first keys are "
            + $"{string.Join(", ", keys.Take(3).Select(SafetensorsFile.Shown))}";
    }

    private static DoriException Refused(string path, string kind, string[] found) =>
        new($"{path}: {kind} ({string.Join(", ", found.Take(Named).Select(SafetensorsFile.Shown))}"
            + $"{(found.Length > Named ? $" and {found.Length - Named} more keys" : "")}); "
            + "only plain LoRA is read: merge it into its base in Python or a web UI and give the whole model");

    private static string[] Matching(IEnumerable<string> keys, Regex pattern) => [.. keys.Where(key => pattern.IsMatch(key))];

    [GeneratedRegex(@"\.(?:dora_scale|lora_magnitude_vector(?:\.[^.]+)?(?:\.weight)?)\z")]
    private static partial Regex Dora();

    [GeneratedRegex(@"\.hada_(?:w[12]_[ab]|t[12])\z")]
    private static partial Regex Loha();

    [GeneratedRegex(@"\.lokr_(?:w[12](?:_[ab])?|t[12])(?:\.[^.]+)?(?:\.weight)?\z")]
    private static partial Regex Lokr();

    [GeneratedRegex(@"\.(?:on_input|ia3_l(?:\..+)?)\z")]
    private static partial Regex Ia3();

    [GeneratedRegex(@"\.boft_[A-Za-z]+(?:\..+)?\z")]
    private static partial Regex Boft();

    [GeneratedRegex(@"\.(?:oft_blocks|oft_diag|oft_R(?:\..+)?|rescale)\z|\Aoft_unet_")]
    private static partial Regex Oft();

    [GeneratedRegex(@"\.(?:a1|a2|b1|b2|bm)\.weight\z")]
    private static partial Regex Glora();

    [GeneratedRegex(@"\.(?:diff|diff_b|set_weight|reshape_weight)\z")]
    private static partial Regex Difference();

    [GeneratedRegex(@"\.(?:w_norm|b_norm)\z")]
    private static partial Regex Norms();

    [GeneratedRegex(@"\.(?:lora_B(?:\.[^.]+)?\.bias|lora_up\.bias|bias_indices|bias_values|bias_size)\z")]
    private static partial Regex Bias();

    [GeneratedRegex(@"\.(?:lora_E|lora_embedding_[AB]|vera_lambda_[bd]|hra_u|randlora_.+|lora_ga_.+)(?:\..+)?\z")]
    private static partial Regex Other();

    [GeneratedRegex(@"\A(?:unet|text_encoder|text_encoder_2):[0-9]+:(?:up|down)\z")]
    private static partial Regex Numbered();

    [GeneratedRegex(@"\A(?:lora_|lycoris_).+\.scale\z")]
    private static partial Regex Scale();

    [GeneratedRegex(@"\.base_layer\.(?:weight|bias)\z")]
    private static partial Regex BaseLayer();

    [GeneratedRegex(@"\A(?:transformer\.|lora_transformer_|lora_te3_|text_encoder_3\.|diffusion_model\.blocks\.)"
        + "|double_blocks|single_blocks|joint_blocks|single_transformer_blocks")]
    private static partial Regex Transformer();

    [GeneratedRegex(@"\Alora_prior_unet_")]
    private static partial Regex Cascade();

    [GeneratedRegex(@"\A(?:lora_controlnet|control_model\.)|controlnet_")]
    private static partial Regex Control();

    [GeneratedRegex("motion_modules|temporal_transformer")]
    private static partial Regex Motion();

    [GeneratedRegex("use_dora\"\\s*:\\s*true")]
    private static partial Regex UsesDora();
}
