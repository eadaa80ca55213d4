using System.Globalization;
using System.Text;

namespace Dori.Models;

/// <summary>
/// CLIP's lower-casing byte-level byte-pair encoding, token for token what transformers' <c>CLIPTokenizer</c> gives (version 5).
/// Radford et al. 2021 (CLIP), Sennrich et al. 2016 (byte-pair encoding). Safe for use from several threads.
/// </summary>
public sealed class ClipTokenizer
{
    private const string WordEnd = "</w>";

    private static readonly string[] ByteSymbols = MakeByteSymbols();

    private readonly Dictionary<string, int> vocabulary;
    /// <summary>Symbol pair -> (rank, the symbol it becomes); lower ranks merge first.</summary>
    private readonly Dictionary<(int Left, int Right), (int Rank, int Merged)> merges;
    /// <summary>Tokens that stand for themselves where a text holds them, the longest first.</summary>
    private readonly (string Text, int[] Ids, bool Normalized, bool Whole)[] special;
    private readonly int unknown;

    /// <param name="vocabulary">Token -> id, from 0.</param>
    /// <param name="merges">Pairs of symbols, first merge first.</param>
    /// <param name="tokens">Start, end, padding and unknown token.</param>
    /// <param name="maxLength">Length of a padded sequence, start and end included; at least 2.</param>
    /// <param name="added">Tokens beside the vocabulary, such as words of textual inversion; null for none.</param>
    /// <exception cref="DoriException">
    /// A merge or a special token is not in the vocabulary, or an added token's id is another's.
    /// </exception>
    internal ClipTokenizer(
        IReadOnlyDictionary<string, int> vocabulary, IEnumerable<(string Left, string Right)> merges, ClipSpecialTokens tokens,
        int maxLength, IReadOnlyList<ClipAddedToken>? added = null)
    {
        if (maxLength < 2)
            throw new DoriException($"tokenizer: model_max_length is {maxLength}; it must hold at least the start and the end token");
        this.vocabulary = new Dictionary<string, int>(vocabulary, StringComparer.Ordinal);
        AddedTokens = [.. (added ?? []).Where(token => !vocabulary.ContainsKey(token.Text))];
        AddToVocabulary();
        MaxLength = maxLength;
        StartId = Id(tokens.Start.Text, "bos_token");
        EndId = Id(tokens.End.Text, "eos_token");
        PadId = Id(tokens.Pad.Text, "pad_token");
        unknown = Id(tokens.Unknown.Text, "unk_token");

        // The last declaration of a text wins, as where transformers adds them in this order.
        var declared = new Dictionary<string, (string Text, int[] Ids, bool Normalized, bool Whole)>(StringComparer.Ordinal);
        HashSet<string> names = [.. AddedTokens.Select(token => token.Text)];
        foreach (ClipAddedToken token in added ?? [])
        {
            string sought = token.Normalized ? Normalize(token.Text) : token.Text;
            // A word of several vectors, as diffusers adds it: <toy> in a prompt stands for <toy> <toy>_1 <toy>_2.
            IEnumerable<string> places = Enumerable.Range(1, names.Count).Select(n => $"{token.Text}_{n}").TakeWhile(names.Contains);
            declared[token.Text] = (sought, [.. places.Prepend(token.Text).Select(place => this.vocabulary[place])], token.Normalized,
                token.SingleWord);
        }
        foreach (ClipSpecialToken token in new[] { tokens.Start, tokens.End, tokens.Unknown, tokens.Pad })
            declared[token.Text] = (token.Text, [this.vocabulary[token.Text]], token.Normalized, false);
        special = [.. declared.Values.OrderByDescending(token => token.Text.Length)];

        this.merges = [];
        foreach ((string left, string right) in merges)
        {
            int merged = Id(left + right, $"the merge \"{left} {right}\"");
            this.merges[(Id(left, $"the merge \"{left} {right}\""), Id(right, $"the merge \"{left} {right}\""))] =
                (this.merges.Count, merged);
        }
    }

    private ClipTokenizer(ClipTokenizer other, IReadOnlyList<ClipWord> words)
    {
        (vocabulary, merges, unknown, Words) = (other.vocabulary, other.merges, other.unknown, words);
        (MaxLength, StartId, EndId, PadId, AddedTokens) = (other.MaxLength, other.StartId, other.EndId, other.PadId, other.AddedTokens);
        HashSet<string> taken = [.. words.Select(word => Normalize(word.Text))];
        // Looked for before everything of the same length, and in the place of a token of the same text.
        special = [.. words.Select(word => (Normalize(word.Text), word.Ids, true, word.IsWhole))
            .Concat(other.special.Where(token => !taken.Contains(Normalize(token.Text))))
            .OrderByDescending(token => token.Item1.Length)];
    }

    /// <summary>This tokenizer with words of textual inversion, each standing for one or several rows behind the vocabulary.</summary>
    /// <exception cref="DoriException">A word is the start, end, unknown or padding token, two are the same, or a row is a
    /// token's.</exception>
    internal ClipTokenizer WithWords(IReadOnlyList<ClipWord> words)
    {
        foreach (ClipWord word in words)
        {
            int[] own = [StartId, EndId, PadId, unknown];
            if (special.Any(token => token.Ids is [var id] && own.Contains(id) && Normalize(token.Text) == Normalize(word.Text)))
                throw new DoriException($"the word \"{word.Text}\" is one of the tokenizer's own signs; name its file otherwise");
            if (word.Ids.Min() < VocabularySize)
                throw new DoriException($"the word \"{word.Text}\" would take row {word.Ids.Min()} of the text encoder, which is a "
                    + "token's: tokenizer and text encoder do not belong together");
        }
        return words.GroupBy(word => Normalize(word.Text)).FirstOrDefault(group => group.Count() > 1) is not { } twice
            ? new ClipTokenizer(this, words)
            : throw new DoriException($"the word \"{twice.Key}\" is given twice; which vectors are meant cannot be told");
    }

    /// <summary>Whether a text is one token already, of the vocabulary or an added one.</summary>
    internal bool IsOneToken(string text)
    {
        var ids = new List<int>();
        return EncodeText(text, ids, int.MaxValue) == 0 && ids.Count == 1;
    }

    /// <summary>Length of a padded sequence: 77 in SD 1.x and 2.x.</summary>
    public int MaxLength { get; }

    public int StartId { get; }

    public int EndId { get; }

    /// <summary>The end token in SD 1.x, <c>!</c> (id 0) in SD 2.x.</summary>
    public int PadId { get; }

    /// <summary>One more than the largest id: what the text encoder's embedding must hold at least.</summary>
    public int VocabularySize => vocabulary.Values.Concat(Words.SelectMany(word => word.Ids)).Max() + 1;

    /// <summary>Words of textual inversion that were given beside the files.</summary>
    internal IReadOnlyList<ClipWord> Words { get; } = [];

    /// <summary>Tokens that the files add to the vocabulary, in the order of their ids.</summary>
    internal IReadOnlyList<ClipAddedToken> AddedTokens { get; }

    /// <summary>
    /// Reads <c>vocab.json</c> and <c>merges.txt</c>, or <c>tokenizer.json</c> where these are missing, and, where they are,
    /// <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c>.
    /// </summary>
    /// <param name="folder">The checkpoint's <c>tokenizer</c> folder.</param>
    /// <param name="unsaidLength"><see cref="MaxLength"/> where the files do not say it.</param>
    /// <exception cref="DoriException">A file is missing, malformed, or speaks of a token that the vocabulary lacks.</exception>
    public static ClipTokenizer Load(string folder, int unsaidLength = 77) => ClipTokenizerFiles.Load(folder, unsaidLength);

    /// <summary>What a model does not see of a text.</summary>
    /// <returns>Tokens that <see cref="Encode"/> cuts off, and symbols that the vocabulary lacks.</returns>
    public (int Cut, int Unknown) Losses(string text)
    {
        var ids = new List<int>();
        int lacking = EncodeText(text, ids, int.MaxValue);
        return (Math.Max(0, ids.Count - (MaxLength - 2)), lacking);
    }

    /// <summary>Start token, the text's tokens, end token; cut to <see cref="MaxLength"/> with the end token kept.</summary>
    public int[] Encode(string text)
    {
        var ids = new List<int> { StartId };
        EncodeText(text, ids, MaxLength);
        if (ids.Count > MaxLength - 1) ids.RemoveRange(MaxLength - 1, ids.Count - MaxLength + 1);
        ids.Add(EndId);
        return [.. ids];
    }

    /// <summary><see cref="Encode"/>, filled up with <see cref="PadId"/> to exactly <see cref="MaxLength"/> ids.</summary>
    public int[] EncodePadded(string text)
    {
        int[] ids = Encode(text), padded = new int[MaxLength];
        padded.AsSpan().Fill(PadId);
        ids.CopyTo(padded, 0);
        return padded;
    }

    /// <summary>
    /// Special tokens written out in the text are those tokens: first the ones that are looked for in the raw text, then, between them, the
    /// ones that are looked for after normalisation. With SD 2's padding token <c>!</c> that makes every exclamation mark a padding token,
    /// as it is in transformers.
    /// </summary>
    /// <param name="enough">Ids at which to stop.</param>
    /// <returns>Symbols that the vocabulary lacks.</returns>
    private int EncodeText(string text, List<int> ids, int enough)
    {
        int lacking = 0;
        foreach ((string piece, int[] rawIds) in SplitSpecial(text, normalized: false))
        {
            if (rawIds.Length > 0) { ids.AddRange(rawIds); continue; }
            foreach ((string part, int[] own) in SplitSpecial(Normalize(piece), normalized: true))
            {
                if (ids.Count >= enough) return lacking; // the rest would be cut off
                if (own.Length > 0) ids.AddRange(own);
                else lacking += EncodeWords(part, ids, enough);
            }
        }
        return lacking;
    }

    /// <returns>Pieces of the text: those that are tokens with their ids, the others without.</returns>
    private IEnumerable<(string Piece, int[] Ids)> SplitSpecial(string text, bool normalized)
    {
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            foreach ((string token, int[] ids, bool afterNormalisation, bool whole) in special)
            {
                if (afterNormalisation != normalized || string.CompareOrdinal(text, i, token, 0, token.Length) != 0) continue;
                if (whole && (IsWord(text, i - 1) || IsWord(text, i + token.Length))) continue;
                if (i > start) yield return (text[start..i], []);
                yield return (token, ids);
                start = i + token.Length;
                i = start - 1;
                break;
            }
        }
        if (start < text.Length) yield return (text[start..], []);
    }

    /// <summary>Whether a word goes on there, for tokens that count as whole words only.</summary>
    private static bool IsWord(string text, int index) => index >= 0 && index < text.Length
        && (char.IsLetterOrDigit(text[index]) || text[index] == '_');

    /// <summary>Form C, then lower case character by character (no context: a final sigma stays a sigma).</summary>
    private static string Normalize(string text)
    {
        string composed = CanonicalComposition.Normalize(text);
        var lower = new StringBuilder(composed.Length);
        foreach (Rune rune in composed.EnumerateRunes())
        {
            // U+0130 is the one character whose lower case is two, whatever the language; invariant casing leaves it alone.
            if (rune.Value == 0x130) lower.Append("i\u0307");
            else lower.Append(Rune.ToLowerInvariant(rune));
        }
        return lower.ToString();
    }

    /// <summary>
    /// Words by CLIP's pattern <c>'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+</c>. By hand, because .NET's expressions see
    /// surrogates where this pattern sees the letters and digits beyond U+FFFF.
    /// </summary>
    private int EncodeWords(string text, List<int> ids, int enough)
    {
        int i = 0, lacking = 0;
        while (i < text.Length && ids.Count < enough)
        {
            (WordClass first, int length) = Classify(text, i);
            if (first == WordClass.Space) { i += length; continue; }

            int end = i + length;
            if (text[i] == '\'' && Contraction(text.AsSpan(i + 1)) is int suffix and > 0)
            {
                end = i + 1 + suffix;
            }
            else if (first != WordClass.Digit)
            {
                while (end < text.Length)
                {
                    (WordClass next, int nextLength) = Classify(text, end);
                    if (next != first) break;
                    end += nextLength;
                }
            }
            lacking += EncodeWord(text.AsSpan(i, end - i), ids);
            i = end;
        }
        return lacking;
    }

    private enum WordClass { Space, Letter, Digit, Other }

    private static (WordClass Class, int Length) Classify(string text, int index)
    {
        Rune.DecodeFromUtf16(text.AsSpan(index), out Rune rune, out int length);
        if (Rune.IsWhiteSpace(rune)) return (WordClass.Space, length);
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => (WordClass.Letter, length),
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => (WordClass.Digit, length),
            _ => (WordClass.Other, length),
        };
    }

    private static int Contraction(ReadOnlySpan<char> afterApostrophe) => afterApostrophe switch
    {
        ['s' or 't' or 'm' or 'd', ..] => 1,
        ['r' or 'v', 'e', ..] or ['l', 'l', ..] => 2,
        _ => 0,
    };

    /// <summary>Merges the pair of the lowest rank, the leftmost first, until none is left: a queue, so that a long word costs n log
    /// n.</summary>
    private int EncodeWord(ReadOnlySpan<char> word, List<int> ids)
    {
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(word.Length)];
        int count = Encoding.UTF8.GetBytes(word, bytes);

        int lacking = 0;
        int[] symbols = new int[count], next = new int[count], previous = new int[count];
        for (int i = 0; i < count; i++)
        {
            string symbol = ByteSymbols[bytes[i]];
            if (!vocabulary.TryGetValue(i == count - 1 ? symbol + WordEnd : symbol, out symbols[i]))
                (symbols[i], lacking) = (unknown, lacking + 1);
            (previous[i], next[i]) = (i - 1, i + 1 < count ? i + 1 : -1);
        }

        var queue = new PriorityQueue<(int At, int Left, int Right), (int Rank, int At)>();
        void Offer(int at)
        {
            if (at >= 0 && next[at] >= 0 && merges.TryGetValue((symbols[at], symbols[next[at]]), out (int Rank, int Merged) merge))
                queue.Enqueue((at, symbols[at], symbols[next[at]]), (merge.Rank, at));
        }

        for (int i = 0; i < count; i++) Offer(i);
        while (queue.TryDequeue(out (int At, int Left, int Right) pair, out _))
        {
            int at = pair.At, right = next[at];
            if (right < 0 || symbols[at] != pair.Left || symbols[right] != pair.Right) continue; // overtaken by another merge
            symbols[at] = merges[(pair.Left, pair.Right)].Merged;
            next[at] = next[right];
            if (next[right] >= 0) previous[next[right]] = at;
            (symbols[right], next[right]) = (-1, -1);
            Offer(previous[at]);
            Offer(at);
        }
        for (int i = count == 0 ? -1 : 0; i >= 0; i = next[i]) ids.Add(symbols[i]);
        return lacking;
    }

    /// <summary>A printable character for each byte: itself where it is one, else the next after U+0100 (GPT-2's table).</summary>
    internal static string[] MakeByteSymbols()
    {
        var symbols = new string[256];
        int moved = 0;
        for (int value = 0; value < 256; value++)
            symbols[value] = ((char)(value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? value : 256 + moved++)).ToString();
        return symbols;
    }

    private void AddToVocabulary()
    {
        Dictionary<int, string> owner = vocabulary.GroupBy(pair => pair.Value).ToDictionary(group => group.Key, group => group.First().Key);
        foreach (ClipAddedToken token in AddedTokens)
        {
            if (!owner.TryAdd(token.Id, token.Text))
                throw new DoriException($"tokenizer: the added token \"{token.Text}\" has the id {token.Id}, which is "
                    + $"\"{owner[token.Id]}\"'s; the files do not belong together");
            vocabulary.Add(token.Text, token.Id);
        }
    }

    private int Id(string token, string what) => vocabulary.TryGetValue(token, out int id)
        ? id
        : throw new DoriException(
            $"tokenizer: {what} names the token \"{token}\", which vocab.json lacks; the files do not belong together");
}

/// <summary>A token that stands for itself when it is written out in a text.</summary>
/// <param name="Text">As in the vocabulary.</param>
/// <param name="Normalized">Looked for after lower-casing, so that its upper-case spelling is the same token.</param>
internal readonly record struct ClipSpecialToken(string Text, bool Normalized);

/// <summary>A word of textual inversion and the text encoder's rows that stand for it, one for each of its places.</summary>
internal sealed record ClipWord(string Text, int[] Ids)
{
    /// <summary>Only where no letter or digit stands beside it: <c>toy</c> is not in <c>toys</c>, <c>&lt;toy&gt;</c> is in
    /// <c>a&lt;toy&gt;</c>.</summary>
    public bool IsWhole => char.IsLetterOrDigit(Text[0]) || char.IsLetterOrDigit(Text[^1]);
}

/// <summary>A token that a tokenizer's files add to its vocabulary.</summary>
/// <param name="Text">As the files spell it.</param>
/// <param name="Id">The text encoder's row.</param>
/// <param name="Normalized">Looked for after lower-casing, so that its upper-case spelling is the same token.</param>
/// <param name="SingleWord">Only where no letter or digit stands beside it.</param>
internal readonly record struct ClipAddedToken(string Text, int Id, bool Normalized, bool SingleWord);

/// <summary>The special tokens of a tokenizer; the defaults are those of SD 1.x.</summary>
internal sealed record ClipSpecialTokens
{
    public ClipSpecialToken Start { get; init; } = new("<|startoftext|>", true);

    public ClipSpecialToken End { get; init; } = new("<|endoftext|>", true);

    public ClipSpecialToken Unknown { get; init; } = new("<|endoftext|>", true);

    public ClipSpecialToken Pad { get; init; } = new("<|endoftext|>", false);
}
