using System.Text.RegularExpressions;
using Dori.Checkpoints.Adapters;
using static TorchSharp.torch;

namespace Dori.Checkpoints.Words;

/// <summary>
/// Textual inversion as it is shared in safetensors files: <c>emb_params</c> or <c>clip_l</c>, whose word is the file's name (sd-scripts,
/// web UIs); keys that are the words themselves (diffusers); <c>bundle_emb.NAME</c> within a LoRA (web UIs, OneTrainer).
/// </summary>
internal static partial class WordFile
{
    private const int MostKeys = 64;
    private static readonly string[] s_pickles = [".pt", ".bin", ".pth", ".ckpt"], s_pictures = [".png", ".webp", ".jpg", ".jpeg"];

    /// <param name="path">A file, of its own or a LoRA with words bundled in it.</param>
    /// <param name="textWidth">Of the model's words.</param>
    /// <exception cref="DoriException">No words, words for another model, or a form that no vectors of a word can stand for.</exception>
    public static IReadOnlyList<TrainedWord> Read(string path, long textWidth)
    {
        string extension = Path.GetExtension(path).ToLowerInvariant();
        if (Directory.Exists(path)) throw new DoriException($"`Embedding` {path}: a folder; name the .safetensors file in it");
        if (s_pickles.Contains(extension))
            throw new DoriException($"{path}: a pickle, which is never loaded because it can run code; save the embedding as .safetensors "
                + "with the one key emb_params (vectors in rows)");
        if (s_pictures.Contains(extension))
            throw new DoriException($"{path}: an embedding hidden in a picture is not read; save it as .safetensors with the one key "
                + "emb_params (vectors in rows)");
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (file.Tensors.Keys.Any(IsBundled)) return Bundled(file, textWidth);
        if (file.Tensors.Count > MostKeys || AdapterKinds.IsAdapter(file))
            throw new DoriException($"{path}: no textual inversion: its first keys are {ModelNotes.First([.. file.Tensors.Keys.Order(
                StringComparer.Ordinal)], 3)}; a LoRA belongs to `Lora`, a model is given as MODEL");
        return Own(file, textWidth);
    }

    /// <summary>Whether a key is of a word that is bundled in a LoRA.</summary>
    public static bool IsBundled(string key) => key.StartsWith("bundle_emb.", StringComparison.Ordinal);

    /// <summary>The words in a LoRA's file.</summary>
    /// <inheritdoc cref="Read"/>
    public static IReadOnlyList<TrainedWord> Bundled(SafetensorsFile file, long? textWidth)
    {
        var words = new List<TrainedWord>();
        var parts = file.Tensors.Keys.Where(IsBundled).Order(StringComparer.Ordinal).Select(key =>
            BundledKey().Match(key) is { Success: true } match ? (Key: key, Word: match.Groups[1].Value, Part: match.Groups[2].Value)
            : throw new DoriException($"{file.Path}: {SafetensorsFile.Shown(key)} is a bundled word of a form that is not read; without it "
                + "the prompts lack what was trained"));
        foreach (var word in parts.GroupBy(part => part.Word))
            words.Add(Of(file, word.Key, word.ToDictionary(part => part.Part, part => part.Key), textWidth));
        return words;
    }

    private static List<TrainedWord> Own(SafetensorsFile file, long textWidth)
    {
        Dictionary<string, string> keys = file.Tensors.Keys.ToDictionary(key => key);
        if (keys.Keys.Any(key => FormName().IsMatch(key)))
            return [Of(file, Path.GetFileNameWithoutExtension(file.Path), keys, textWidth)];
        // diffusers: each key is its word; <toy>, <toy>_1, <toy>_2 are the places of one.
        var words = new List<TrainedWord>();
        foreach (string key in keys.Keys.Where(key => !IsFurther(key, keys.Keys)).Order(StringComparer.Ordinal))
        {
            string[] chain = [key, .. Enumerable.Range(1, keys.Count).Select(n => $"{key}_{n}").TakeWhile(keys.ContainsKey)];
            words.Add(Word(file, key, chain, textWidth));
        }
        return words;
    }

    /// <summary>Whether a key is the second or a further place of another one.</summary>
    private static bool IsFurther(string key, IEnumerable<string> keys) =>
        Place().Match(key) is { Success: true } match && keys.Contains(match.Groups[1].Value);

    /// <summary>A word by the names that its forms give their parts.</summary>
    private static TrainedWord Of(SafetensorsFile file, string text, Dictionary<string, string> parts, long? textWidth)
    {
        if (parts.Keys.FirstOrDefault(part => part.EndsWith("_out", StringComparison.Ordinal)) is { } output)
            throw new DoriException($"{file.Path}: {parts[output]} is to be put in the place of the text encoder's output, which no vector "
                + "of a word can stand for; train the word without output embedding");
        if (parts.Keys.FirstOrDefault(part => part.StartsWith("text_encoders_", StringComparison.Ordinal)) is { } pivotal)
            throw new DoriException($"{file.Path}: {pivotal} is of pivotal tuning (embeddings.pti), whose words stand in another file; "
                + "save each word as .safetensors with its text as the key");
        long WidthOf(string part) => file.Tensors[parts[part]].Shape is { Count: > 0 } shape ? shape[^1] : 0;
        if (parts.ContainsKey("clip_g"))
            throw new DoriException($"{file.Path}: for SDXL: {string.Join(" and ", parts.Keys.Where(part => part is "clip_l" or "clip_g")
                .OrderDescending(StringComparer.Ordinal).Select(part => $"{part} {WidthOf(part)}"))}; this model has one encoder"
                + (textWidth is { } width ? $", {width} wide" : ""));
        if (parts.Count > 1)
            throw new DoriException($"{file.Path}: {ModelNotes.First([.. parts.Values])} are several tensors for one word; which one is "
                + "meant cannot be told");
        return Word(file, text, [.. parts.Values], textWidth);
    }

    private static TrainedWord Word(SafetensorsFile file, string text, IReadOnlyList<string> keys, long? textWidth)
    {
        if (string.IsNullOrWhiteSpace(text)) throw new DoriException($"{file.Path}: {keys[0]}: the word is blank; name the file after it");
        long rows = 0, width = 0;
        foreach (string key in keys)
        {
            TensorInfo info = file.Tensors[key];
            if (info.Shape.Count is not (1 or 2) || info.Shape.Any(size => size < 1))
                throw new DoriException($"{file.Path}: {SafetensorsFile.Shown(key)} has shape ({string.Join(", ", info.Shape)}); a word's "
                    + "vectors are (width) or (vectors, width)");
            if (!info.IsFloat)
                throw new DoriException($"{file.Path}: {SafetensorsFile.Shown(key)} is stored as {info.Dtype}; float32, float16 and "
                    + "bfloat16 are read");
            width = info.Shape[^1];
            if (textWidth is { } wanted && width != wanted)
                throw new DoriException($"{file.Path}: the word \"{SafetensorsFile.Shown(text)}\" is {width} wide, this model's words are "
                    + $"{wanted}: it is for {AdapterInfo.TextKind((int)width)}");
            rows += info.Shape.Count == 1 ? 1 : info.Shape[0];
        }
        const int most = 1000;
        if (rows > most)
            throw new DoriException($"{file.Path}: {SafetensorsFile.Shown(keys[0])} holds {rows} vectors; a word has at most {most}");
        var word = new TrainedWord(text.Trim(), file.Path, keys, (int)rows, width);
        using Tensor values = word.Read(), finite = values.isfinite(), all = finite.all();
        return all.item<bool>() ? word : throw new DoriException(
            $"{file.Path}: {SafetensorsFile.Shown(keys[0])} holds infinities or NaN: its training broke down or the file is damaged");
    }

    /// <summary>Names of tensors that say nothing of the word.</summary>
    [GeneratedRegex(@"\A(?:emb_params|clip_[lg](?:_out)?|string_to_param\..+|text_encoders_\d+)\z")]
    private static partial Regex FormName();

    /// <summary>The word may hold blanks and dots.</summary>
    [GeneratedRegex(@"\Abundle_emb\.(.+)\.(emb_params|clip_[lg](?:_out)?|string_to_param\.[^.]+)\z")]
    private static partial Regex BundledKey();

    [GeneratedRegex(@"\A(.+)_[1-9][0-9]*\z")]
    private static partial Regex Place();
}
