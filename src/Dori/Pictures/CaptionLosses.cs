using System.Text.RegularExpressions;
using Dori.Checkpoints;
using Dori.Models;

namespace Dori.Pictures;

/// <summary>
/// What a model does not see of the captions that it is given: each kind in one sentence, with the number and the first by name.
/// </summary>
internal static partial class CaptionLosses
{
    /// <summary>A set's captions, each item under its first picture's name.</summary>
    public static IEnumerable<string> Of(PictureSet set, ClipTokenizer tokenizer) =>
        Of(set.Items.Select(item => (item.Files[0], item.Caption)), tokenizer);

    /// <param name="captions">Each with the name to call it by.</param>
    public static IEnumerable<string> Of(IEnumerable<(string Name, string Caption)> captions, ClipTokenizer tokenizer)
    {
        List<string> cut = [], lacking = [], strange = [];
        var words = new SortedSet<string>(StringComparer.Ordinal);
        foreach ((string name, string caption) in captions)
        {
            (int lost, int unknown) = tokenizer.Losses(caption);
            if (lost > 0) cut.Add($"{name} loses {lost} token{(lost == 1 ? "" : "s")}");
            if (unknown > 0) lacking.Add(name);
            string[] placeholders = [.. Placeholder().Matches(caption).Select(match => match.Value).Where(word => !Knows(tokenizer, word))];
            if (placeholders.Length > 0) strange.Add(name);
            words.UnionWith(placeholders);
        }
        if (cut.Count > 0)
            yield return $"{Count(cut, "caption is", "captions are")} longer than the {tokenizer.MaxLength - 2} tokens that the model "
                + $"reads, and the rest is neither searched nor drawn: {ModelNotes.First(cut)}.";
        if (lacking.Count > 0)
            yield return $"{Count(lacking, "caption holds", "captions hold")} characters that the tokenizer's vocabulary lacks, which "
                + $"all become one unknown token: {ModelNotes.First(lacking)}.";
        if (strange.Count > 0)
            yield return $"{Count(strange, "caption holds", "captions hold")} a word of textual inversion by its look "
                + $"({ModelNotes.First(words)}) that this model's "
                + $"tokenizer does not add, so that it is read letter by letter: {ModelNotes.First(strange)}.";
    }

    private static bool Knows(ClipTokenizer tokenizer, string word) =>
        word is "<|startoftext|>" or "<|endoftext|>"
        || tokenizer.AddedTokens.Select(token => token.Text).Concat(tokenizer.Words.Select(own => own.Text))
            .Any(text => string.Equals(text, word, StringComparison.OrdinalIgnoreCase));

    private static string Count(List<string> list, string one, string many) => list.Count == 1 ? $"1 {one}" : $"{list.Count} {many}";

    /// <summary>&lt;my-toy&gt;, as textual inversion's words are written.</summary>
    [GeneratedRegex("<[^<>\\s]{1,64}>")]
    private static partial Regex Placeholder();
}
