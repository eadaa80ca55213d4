using System.Text.RegularExpressions;

namespace Dori.Checkpoints.SingleFile;

/// <summary>A text encoder's parameters by OpenCLIP's names, as single files hold them, and by transformers'.</summary>
internal static partial class TextNames
{
    private static readonly (string Single, string Diffusers)[] s_whole =
    [
        ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
            ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
        ("ln_final.weight", "text_model.final_layer_norm.weight"), ("ln_final.bias", "text_model.final_layer_norm.bias"),
    ];

    private static readonly (string Single, string Diffusers)[] s_layer =
        [("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2")];

    /// <param name="Part">Which third of the rows: 0 queries, 1 keys, 2 values; null: all of them.</param>
    /// <param name="Transposed">Rows and columns are exchanged.</param>
    public readonly record struct Target(string Name, int? Part = null, bool Transposed = false);

    /// <summary>
    /// transformers' names for one of OpenCLIP's: three where queries, keys and values are one matrix, none where no text encoder has the
    /// name. The layers' number is <see cref="Layer"/>'s.
    /// </summary>
    /// <param name="single">Without <c>cond_stage_model.model.</c></param>
    public static IReadOnlyList<Target> OpenClip(string single)
    {
        foreach ((string from, string to) in s_whole)
            if (single == from) return [new Target(to)];
        if (single is "text_projection") return [new Target("text_projection.weight", Transposed: true)];
        if (Block().Match(single) is not { Success: true } match) return [];
        string layer = $"text_model.encoder.layers.{match.Groups[1]}", rest = match.Groups[2].Value;
        if (rest is "attn.in_proj_weight" or "attn.in_proj_bias")
        {
            string end = rest.EndsWith("weight", StringComparison.Ordinal) ? "weight" : "bias";
            return [.. new[] { "q_proj", "k_proj", "v_proj" }.Select((name, i) => new Target($"{layer}.self_attn.{name}.{end}", i))];
        }
        foreach ((string from, string to) in s_layer)
            if (rest == from + ".weight" || rest == from + ".bias") return [new Target($"{layer}.{to}{rest[from.Length..]}")];
        return [];
    }

    /// <summary>Number of the layer that a name of OpenCLIP's belongs to; null where it belongs to none.</summary>
    public static int? Layer(string single) => Block(
        ).Match(single) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan) : null;

    [GeneratedRegex(@"\Atransformer\.resblocks\.([0-9]{1,4})\.(.+)\z")]
    private static partial Regex Block();
}
