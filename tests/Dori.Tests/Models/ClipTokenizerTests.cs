using System.IO.Compression;
using System.Text;
using System.Text.Json;
using CsCheck;
using Dori.Models;
using Dori.Tests.Support;

namespace Dori.Tests.Models;

public class ClipTokenizerTests
{
    private static readonly Lazy<(Dictionary<string, int> Vocabulary, List<(string, string)> Merges)> Clip = new(ReadClip);

    [Fact]
    public void Every_golden_text_gives_the_same_ids_and_padding()
    {
        ClipTokenizer tokenizer = Make(77), longer = Make(1000);
        int rows = 0;
        foreach (string line in ReadGzip("tokenizer.jsonl.gz"))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            string text = row.RootElement.GetProperty("text").GetString()!;
            Assert.Equal(Ints(row.RootElement.GetProperty("ids")), longer.Encode(text)); // the goldens' ids are not cut
            Assert.Equal(Ints(row.RootElement.GetProperty("padded")), tokenizer.EncodePadded(text));
            rows++;
        }
        Assert.Equal(526, rows);
    }

    [Fact]
    public void The_built_in_model_s_tokenizer_gives_the_golden_ids()
    {
        ClipTokenizer tokenizer = ClipTokenizer.Load(Path.Combine(Golden.EmojiModel, "tokenizer"));
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllText(Golden.PathOf("emoji_pipeline.json")));
        string[] texts =
        [
            .. golden.RootElement.GetProperty("captions").EnumerateArray().Select(caption => caption.GetString()!),
            "", "a giraffe and two violins",
        ];
        long[] expected = [.. GoldenFile.Read("emoji_pipeline")["ids"].data<long>()];
        Assert.Equal(32, tokenizer.MaxLength);
        Assert.Equal(expected, texts.SelectMany(tokenizer.EncodePadded).Select(id => (long)id));
    }

    [Fact]
    public void Cutting_keeps_the_end_token()
    {
        ClipTokenizer tokenizer = Make(77);
        string text = string.Concat(Enumerable.Repeat("word ", 500));
        int[] ids = tokenizer.Encode(text);
        Assert.Equal(77, ids.Length);
        Assert.Equal(tokenizer.EndId, ids[^1]);
        Assert.DoesNotContain(tokenizer.EndId, ids[..^1]);
        Assert.Equal(ids, tokenizer.EncodePadded(text));
    }

    [Theory]
    [InlineData("a\u0301\u0327", "\u00e1\u0327")]
    [InlineData("\u1112\u1161\u11ab", "\ud55c")]
    [InlineData("\u212b \u2126", "\u00e5 \u03c9")]
    [InlineData("\ud801\udc00", "\ud801\udc28")] // Deseret: lower case beyond U+FFFF
    [InlineData("\u0130", "i\u0307")]
    [InlineData("\u1e9e\u03a3", "\u00df\u03c3")]
    [InlineData("<|STARTOFTEXT|>", "<|startoftext|>")]
    [InlineData("a\u2003\u00a0\u2028b", "a b")]
    public void Texts_that_normalise_alike_have_the_same_ids(string text, string same)
    {
        ClipTokenizer tokenizer = Make(77);
        Assert.Equal(tokenizer.Encode(same), tokenizer.Encode(text));
        Assert.True(tokenizer.Encode(text).Length > 2);
    }

    [Fact]
    public void A_lone_surrogate_is_a_replacement_character() => Assert.Equal(Make(77).Encode("a\ufffdb"), Make(77).Encode("a\ud800b"));

    [Fact]
    public void Letters_and_digits_beyond_the_basic_plane_are_letters_and_digits()
    {
        ClipTokenizer tokenizer = Make(200);
        // Bold letters form one word; bold digits are one word each.
        Assert.Equal([.. tokenizer.Encode("\U0001D41A\U0001D41B")[..^1], .. tokenizer.Encode("!")[1..]],
            tokenizer.Encode("\U0001D41A\U0001D41B!"));
        Assert.Equal(tokenizer.Encode("\U0001D7CF \U0001D7D0"), tokenizer.Encode("\U0001D7CF\U0001D7D0"));
        Assert.NotEqual(tokenizer.Encode("\U0001D41A \U0001D41B"), tokenizer.Encode("\U0001D41A\U0001D41B"));
    }

    [Fact]
    public void Padding_token_of_stable_diffusion_2()
    {
        using var folder = new TokenizerFolder();
        folder.Write("special_tokens_map.json",
            """{"bos_token":{"content":"<|startoftext|>","normalized":true},"eos_token":"<|endoftext|>","unk_t"""
            + """oken":"<|endoftext|>","pad_token":"!"}""");
        folder.Write("tokenizer_config.json", """{"model_max_length": 8}""");
        ClipTokenizer tokenizer = ClipTokenizer.Load(folder.Path);
        int mark = folder.Vocabulary["!"];
        Assert.Equal(mark, tokenizer.PadId);
        Assert.Equal([tokenizer.StartId, folder.Vocabulary["and</w>"], mark, tokenizer.EndId, mark, mark, mark, mark],
            tokenizer.EncodePadded("and!"));
    }

    [Fact]
    public void Missing_settings_fall_back_to_clip_s()
    {
        using var folder = new TokenizerFolder();
        Assert.Equal(77, ClipTokenizer.Load(folder.Path).MaxLength);
        folder.Write("tokenizer_config.json", """{"model_max_length": 1e30}""");
        Assert.Equal(77, ClipTokenizer.Load(folder.Path).MaxLength);
    }

    [Theory]
    [InlineData("vocab.json", null, "vocab.json")]
    [InlineData("merges.txt", null, "merges.txt")]
    [InlineData("vocab.json", "{", "not valid JSON")]
    [InlineData("vocab.json", "[1]", "not a JSON object")]
    [InlineData("vocab.json", "{}", "empty")]
    [InlineData("vocab.json", """{"a": -1}""", "\"a\"")]
    [InlineData("vocab.json", """{"a": "x"}""", "\"a\"")]
    [InlineData("vocab.json", """{"a": 1}""", "<|startoftext|>")]
    [InlineData("merges.txt", "#version: 0.2\na b c\n", "line 2")]
    [InlineData("merges.txt", "#version: 0.2\nqqq zzz\n", "qqq zzz")]
    [InlineData("tokenizer_config.json", """{"model_max_length": 1}""", "model_max_length")]
    [InlineData("tokenizer_config.json", """{"model_max_length": 1000000}""", "model_max_length")]
    [InlineData("tokenizer_config.json", """{"pad_token": 3}""", "pad_token")]
    [InlineData("special_tokens_map.json", """{"pad_token": "<nothing>"}""", "<nothing>")]
    public void Wrong_files_are_named(string file, string? content, string named)
    {
        using var folder = new TokenizerFolder();
        if (content is null) File.Delete(Path.Combine(folder.Path, file));
        else folder.Write(file, content);
        Assert.Contains(named, Assert.Throws<DoriException>(() => ClipTokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_gives_a_full_sequence_of_known_ids()
    {
        ClipTokenizer tokenizer = Make(77);
        Gen.String.Sample(text =>
        {
            int[] ids = tokenizer.EncodePadded(text);
            return ids.Length == 77 && ids[0] == tokenizer.StartId && ids.Contains(tokenizer.EndId)
                && ids.All(id => id >= 0 && id < tokenizer.VocabularySize);
        });
    }

    [Fact]
    public void The_queue_merges_as_the_textbook_does()
    {
        (Dictionary<string, int> vocabulary, List<(string, string)> merges) = Clip.Value;
        var ranks = new Dictionary<(string, string), int>();
        foreach ((string, string) merge in merges) ranks[merge] = ranks.Count;
        ClipTokenizer tokenizer = Make(1000);
        Gen.Char["abcdeionrst"].Array[1, 40].Sample(letters =>
        {
            List<string> symbols = [.. letters.Select(letter => letter.ToString())];
            symbols[^1] += "</w>";
            while (true)
            {
                int best = Enumerable.Range(0, symbols.Count - 1)
                    .Where(i => ranks.ContainsKey((symbols[i], symbols[i + 1])))
                    .OrderBy(i => ranks[(symbols[i], symbols[i + 1])]).FirstOrDefault(-1);
                if (best < 0) break;
                symbols[best] += symbols[best + 1];
                symbols.RemoveAt(best + 1);
            }
            return symbols.Select(symbol => vocabulary[symbol]).SequenceEqual(tokenizer.Encode(new string(letters))[1..^1]);
        });
    }

    [Fact]
    public void Form_C_is_that_of_the_Unicode_character_database()
    {
        // FNV-1a over the results for all characters that decompose or combine, alone and in company, as Python 3.13's unicodedata (15.1)
        // gives them.
        ulong hash = 0xcbf29ce484222325;
        foreach (int point in CanonicalPoints())
        {
            string character = new Rune(point).ToString();
            foreach (string text in new[] { character, character + "\u0301", "e" + character + "\u0323" })
            {
                string composed = CanonicalComposition.Normalize(text);
                Assert.Equal(composed, CanonicalComposition.Normalize(composed));
                foreach (byte b in Encoding.UTF8.GetBytes(composed + "\n")) hash = (hash ^ b) * 0x100000001b3;
            }
        }
        Assert.Equal(0xf525b2c485d02f26UL, hash);
    }

    [Fact]
    public void A_long_run_of_marks_is_ordered_in_reasonable_work()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0301\u0323", 100_000));
        string ordered = CanonicalComposition.Normalize("q" + marks);
        Assert.Equal("q" + new string('\u0323', 100_000) + new string('\u0301', 100_000), ordered);
    }

    private static IEnumerable<int> CanonicalPoints()
    {
        IEnumerable<int> decomposing = CanonicalTables.Decompositions.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
            .Select(entry => Convert.ToInt32(entry[..entry.IndexOf('=', StringComparison.Ordinal)], 16));
        return decomposing.Concat(Enumerable.Range(0x1100, 0x100)).Concat(Enumerable.Range(0xAC00, 11172)).Order();
    }

    private static ClipTokenizer Make(int maxLength) => new(Clip.Value.Vocabulary, Clip.Value.Merges, new ClipSpecialTokens(), maxLength);

    /// <summary>The published vocabulary follows from its merges: 256 byte symbols, the same at a word's end, one token a merge, two
    /// special tokens.</summary>
    private static (Dictionary<string, int>, List<(string, string)>) ReadClip()
    {
        List<(string, string)> merges =
            [.. ReadGzip("bpe_simple_vocab_16e6.txt.gz").Skip(1).Take(49152 - 256 - 2).Select(line => line.Split(' '))
                .Select(pair => (pair[0], pair[1]))];
        // Ids follow the printable bytes first, then those that were moved beyond U+0100.
        string[] bytes = [.. ClipTokenizer.MakeByteSymbols().OrderBy(symbol => symbol[0])];
        IEnumerable<string> tokens =
            [.. bytes, .. bytes.Select(symbol => symbol + "</w>"), .. merges.Select(pair => pair.Item1 + pair.Item2), "<|startoftext|>",
                "<|endoftext|>"];
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string token in tokens) vocabulary[token] = vocabulary.Count;
        return (vocabulary, merges);
    }

    private static IEnumerable<string> ReadGzip(string name)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Golden.PathOf(name)), CompressionMode.Decompress), Encoding.UTF8);
        while (reader.ReadLine() is string line) yield return line;
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(n => n.GetInt32())];

    /// <summary>The built-in model's vocabulary and merges without its settings, to be damaged.</summary>
    private sealed class TokenizerFolder : IDisposable
    {
        public TokenizerFolder()
        {
            Path = Directory.CreateTempSubdirectory("dori-tokenizer-").FullName;
            foreach (string name in new[] { "vocab.json", "merges.txt" })
                File.Copy(System.IO.Path.Combine(Golden.EmojiModel, "tokenizer", name), System.IO.Path.Combine(Path, name));
            Vocabulary = JsonSerializer.Deserialize<Dictionary<string, int>>(File.ReadAllText(System.IO.Path.Combine(Path, "vocab.json")))!;
        }

        public string Path { get; }

        public Dictionary<string, int> Vocabulary { get; }

        public void Write(string name, string content) => File.WriteAllText(System.IO.Path.Combine(Path, name), content);

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
