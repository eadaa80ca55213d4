namespace Dori.Checkpoints;

/// <summary>Keys that published checkpoints spell in more than one way, mapped to the models' own.</summary>
internal static class CheckpointKeys
{
    /// <summary>Buffers that older versions of transformers saved; they hold 0, 1, 2, ...</summary>
    public static IReadOnlySet<string> TextEncoderIgnorable { get; } =
        new HashSet<string>(StringComparer.Ordinal) { "embeddings.position_ids", "text_model.embeddings.position_ids" };

    /// <summary>transformers before 5 put <c>text_model.</c> before every key.</summary>
    public static string TextEncoder(string key) =>
        key.StartsWith("text_model.", StringComparison.Ordinal) ? key["text_model.".Length..] : key;

    /// <summary>Stable Diffusion 1.x's VAE was saved when its attention was a class of its own.</summary>
    public static string Vae(string key)
    {
        if (!key.Contains(".attentions.", StringComparison.Ordinal)) return key;
        return key.Replace(".query.", ".to_q.", StringComparison.Ordinal)
            .Replace(".key.", ".to_k.", StringComparison.Ordinal)
            .Replace(".value.", ".to_v.", StringComparison.Ordinal)
            .Replace(".proj_attn.", ".to_out.0.", StringComparison.Ordinal);
    }
}
