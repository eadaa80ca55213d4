using System.IO.Compression;
using System.Text;
using Dori.Models;

namespace Dori.Checkpoints.SingleFile;

/// <summary>
/// The configs of SD 1.x, SD 2.x and SDXL, and CLIP's vocabulary, as diffusers publishes them: a single file brings weights alone. Files of
/// the program, not of the model.
/// </summary>
internal static class BuiltInConfigs
{
    private const string Prefix = "Dori.Configs.";

    /// <param name="kind">sd1, sd2 or sdxl</param>
    /// <param name="file">Within a diffusers folder, with <c>/</c>.</param>
    public static string Read(string kind, string file)
    {
        using Stream stream = Resource($"{Prefix}{kind}/{file}");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>Config files of a kind, within a diffusers folder.</summary>
    public static IReadOnlyList<string> Files(string kind) =>
        [.. typeof(BuiltInConfigs).Assembly.GetManifestResourceNames(
            ).Where(name => name.StartsWith($"{Prefix}{kind}/", StringComparison.Ordinal))
            .Select(name => name[$"{Prefix}{kind}/".Length..])];

    /// <summary>CLIP's tokenizer (MIT license, OpenAI 2021), padded as the kind's tokenizer pads.</summary>
    public static ClipTokenizer Tokenizer(string kind)
    {
        (Dictionary<string, int> vocabulary, List<(string, string)> merges) = Vocabulary();
        var tokens = new ClipSpecialTokens();
        return new ClipTokenizer(vocabulary, merges, kind == "sd2" ? tokens with { Pad = tokens.Pad with { Text = "!" } } : tokens, 77);
    }

    /// <summary>
    /// Ids follow from the merges: first the bytes' symbols in order of their characters, then these at a word's end, then what each merge
    /// makes, then start and end.
    /// </summary>
    public static (Dictionary<string, int> Vocabulary, List<(string Left, string Right)> Merges) Vocabulary()
    {
        var merges = new List<(string, string)>();
        using var reader = new StreamReader(new GZipStream(Resource("Dori.clip-merges.txt.gz"), CompressionMode.Decompress), Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            int blank = line.IndexOf(' ');
            merges.Add((line[..blank], line[(blank + 1)..]));
        }
        string[] bytes = [.. ClipTokenizer.MakeByteSymbols().OrderBy(symbol => symbol[0])];
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string token in (IEnumerable<string>)[.. bytes, .. bytes.Select(symbol => symbol + "</w>"),
            .. merges.Select(pair => pair.Item1 + pair.Item2), "<|startoftext|>", "<|endoftext|>"])
            vocabulary.Add(token, vocabulary.Count);
        return (vocabulary, merges);
    }

    private static Stream Resource(string name) =>
        typeof(BuiltInConfigs).Assembly.GetManifestResourceStream(name) ??
            throw new InvalidOperationException($"the program lacks its own {name}");
}
