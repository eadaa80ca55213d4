using Dori.Models;

namespace Dori.Checkpoints;

internal static partial class ConfigFiles
{
    private const int MostTokens = 4096, MostVocabulary = 1_000_000;

    /// <summary><c>text_encoder/config.json</c>; absent keys mean transformers' defaults, keys that the encoder has no use for are passed
    /// over (transformers writes dozens).</summary>
    /// <exception cref="DoriException">Not readable, another model type, or a value that the encoder here does not have.</exception>
    public static ClipTextConfig ReadClipText(string path) => ReadClipText(path, new ModelNotes());

    /// <inheritdoc cref="ReadClipText(string)"/>
    internal static ClipTextConfig ReadClipText(string path, ModelNotes notes) => ConfigJson.Read(path, ClipText, notes);

    internal static ClipTextConfig ClipText(ConfigJson json)
    {
        json.Text("model_type", null, "clip_text_model");
        json.Only("use_attention_mask", "false", "null"); // StableDiffusionPipeline would hide the padding from the encoder
        ClipTextConfig config = ClipText(json, json.Int("projection_dim", 512, 1, MostChannels));
        json.Ignore(ClipTextSilent);
        json.PassOverUnknown();
        return config;
    }

    /// <summary>What transformers writes of every model, and of CLIP's training: without a say in what the encoder gives.</summary>
    private static readonly string[] ClipTextSilent =
    [
        "architectures", "attention_dropout", "bos_token_id", "dropout", "dtype", "initializer_factor", "initializer_range", "pad_token_id",
        "torch_dtype", "transformers_version", "logit_scale_init_value", "is_encoder_decoder", "is_decoder", "id2label", "label2id",
        "return_dict", "use_cache", "use_bfloat16", "tie_word_embeddings", "chunk_size_feed_forward", "output_scores", "torchscript",
        "max_length", "min_length", "num_beams", "num_beam_groups", "num_return_sequences", "diversity_penalty", "do_sample",
        "early_stopping", "encoder_no_repeat_ngram_size", "length_penalty", "no_repeat_ngram_size", "repetition_penalty", "temperature",
        "top_k", "top_p", "typical_p", "pruned_heads", "gradient_checkpointing",
    ];

    /// <summary><c>config.json</c> of a whole CLIP model, as in <c>openai/clip-vit-large-patch14</c>. Both halves project to the outer
    /// <c>projection_dim</c>.</summary>
    /// <inheritdoc cref="ReadClipText(string)"/>
    public static (ClipTextConfig Text, ClipVisionConfig Vision) ReadClip(string path) => ConfigJson.Read(path, json =>
    {
        json.Text("model_type", null, "clip");
        int projection = json.Int("projection_dim", 512, 1, MostChannels);
        ConfigJson text = json.Object("text_config"), vision = json.Object("vision_config");
        text.Text("model_type", "clip_text_model", "clip_text_model");
        vision.Text("model_type", "clip_vision_model", "clip_vision_model");
        return (ClipText(text, projection), ClipVision(vision, projection));
    });

    /// <summary>How pictures are normalised: <c>image_mean</c> and <c>image_std</c> of a <c>preprocessor_config.json</c>, OpenAI's where it
    /// leaves them out.</summary>
    /// <returns>Per channel, of pictures in [0, 1].</returns>
    /// <exception cref="DoriException">Not readable, or not three numbers.</exception>
    public static (float[] Mean, float[] Std) ReadClipNormalization(string path) => ConfigJson.Read(path, json =>
    {
        IReadOnlyList<double> mean = json.Numbers("image_mean", ClipMean, 3, -10, 10),
            std = json.Numbers("image_std", ClipStd, 3, 1e-4, 10);
        if (!json.Bool("do_normalize", true)) (mean, std) = ([0, 0, 0], [1, 1, 1]);
        return (mean.Select(value => (float)value).ToArray(), std.Select(value => (float)value).ToArray());
    });

    /// <summary>OpenAI's, and of nearly every CLIP since.</summary>
    internal static readonly double[] ClipMean = [0.48145466, 0.4578275, 0.40821073], ClipStd = [0.26862954, 0.26130258, 0.27577711];

    private static ClipTextConfig ClipText(ConfigJson json, int projection)
    {
        int vocabulary = json.Int("vocab_size", 49408, 1, MostVocabulary);
        (int width, int heads) = WidthAndHeads(json, 512, 8);
        return new ClipTextConfig
        {
            VocabSize = vocabulary,
            HiddenSize = width,
            IntermediateSize = json.Int("intermediate_size", 2048, 1, 4 * MostChannels),
            NumHiddenLayers = json.Int("num_hidden_layers", 12, 1, MostLayers),
            NumAttentionHeads = heads,
            MaxPositionEmbeddings = json.Int("max_position_embeddings", 77, 2, MostTokens),
            HiddenAct = json.Text("hidden_act", "quick_gelu", "quick_gelu", "gelu"),
            LayerNormEps = json.Number("layer_norm_eps", 1e-5, 1e-12, 1),
            EosTokenId = json.Int("eos_token_id", Math.Min(49407, vocabulary - 1), 0, Math.Max(2, vocabulary - 1)),
            ProjectionDim = projection,
        };
    }

    private static ClipVisionConfig ClipVision(ConfigJson json, int projection)
    {
        (int width, int heads) = WidthAndHeads(json, 768, 12);
        int image = json.Int("image_size", 224, 1, 4096), patch = json.Int("patch_size", 32, 1, 4096);
        if (image % patch != 0 || image / patch > 64)
            throw json.Refused("patch_size", $"a divisor of image_size ({image}) that gives at most 64 x 64 patches");
        return new ClipVisionConfig
        {
            HiddenSize = width,
            IntermediateSize = json.Int("intermediate_size", 3072, 1, 4 * MostChannels),
            NumHiddenLayers = json.Int("num_hidden_layers", 12, 1, MostLayers),
            NumAttentionHeads = heads,
            NumChannels = json.Int("num_channels", 3, 1, 64),
            ImageSize = image,
            PatchSize = patch,
            HiddenAct = json.Text("hidden_act", "quick_gelu", "quick_gelu", "gelu"),
            LayerNormEps = json.Number("layer_norm_eps", 1e-5, 1e-12, 1),
            ProjectionDim = projection,
        };
    }

    private static (int Width, int Heads) WidthAndHeads(ConfigJson json, int width, int heads)
    {
        (width, heads) = (json.Int("hidden_size", width, 1, MostChannels), json.Int("num_attention_heads", heads, 1, MostChannels));
        return width % heads == 0 ? (width, heads) : throw json.Refused("num_attention_heads", $"a divisor of hidden_size ({width})");
    }
}
