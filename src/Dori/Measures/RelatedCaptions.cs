using System.Text.RegularExpressions;

namespace Dori.Measures;

/// <summary>
/// Which ordinary captions speak of what was removed: mitigation may wreck exactly these while the average over all captions stays.
/// Words are compared, rare ones counting more; nothing is drawn at random.
/// </summary>
internal static partial class RelatedCaptions
{
    /// <summary>Below this share two captions have little more in common than a colour or a common noun.</summary>
    public const double Least = 0.25;

    /// <summary>English function words, and words of which every caption collection is full whatever the picture shows.</summary>
    private static readonly HashSet<string> s_stop =
    [
        "the", "an", "and", "or", "of", "in", "on", "at", "by", "for", "from", "to", "with", "without", "into", "over", "under", "its",
            "it", "is", "are", "was", "be", "as", "this", "that",
        "these", "those", "his", "her", "their", "my", "your", "our", "not", "no", "but", "than", "then", "there", "up", "out", "off",
            "all", "one", "two", "some", "background", "photo",
        "photograph", "picture", "image", "stock", "illustration", "vector",
    ];

    /// <summary>Words that carry a caption's meaning: lower case, no function words, no single letters, plurals without their s; what
    /// stands behind the scene ("on a plain blue background") is left out.</summary>
    public static IReadOnlySet<string> ContentWords(string caption)
    {
        string scene = Background().Replace(caption.ToLowerInvariant(), " ");
        return Word().Matches(scene).Select(match => Singular(match.Value)).Where(word => word.Length > 1 && !s_stop.Contains(word))
            .ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>
    /// The captions that are most related to removed ones. A caption's score is the largest share, over removed captions, of the removed
    /// caption's content that it repeats: sum of w over shared words / sum of w over the removed caption's words, with
    /// w = ln(1 + captions / (1 + captions with the word)).
    /// </summary>
    /// <param name="removed">Captions of the removed pictures.</param>
    /// <param name="captions">The ordinary ones.</param>
    /// <param name="count">At most so many.</param>
    /// <returns>Indices into <paramref name="captions"/> and scores from <see cref="Least"/> to 1: the highest first, then by index. May be
    /// empty.</returns>
    public static IReadOnlyList<(int Index, double Score)> Of(IEnumerable<string> removed, IReadOnlyList<string> captions, int count)
    {
        IReadOnlySet<string>[] words = [.. captions.Select(ContentWords)];
        var frequency = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string word in words.SelectMany(set => set)) frequency[word] = frequency.GetValueOrDefault(word) + 1;
        double Weight(string word) => Math.Log(1 + captions.Count / (1.0 + frequency.GetValueOrDefault(word)));

        var best = new double[captions.Count];
        foreach (string caption in removed.Distinct(StringComparer.Ordinal))
        {
            string[] own = [.. ContentWords(caption).Order(StringComparer.Ordinal)]; // sums must not depend on a set's order
            double all = own.Sum(Weight);
            if (all == 0) continue;
            for (int i = 0; i < words.Length; i++) best[i] = Math.Max(best[i], own.Where(words[i].Contains).Sum(Weight) / all);
        }
        return [.. best.Select((score, index) => (index, score)).Where(pair => pair.score >= Least).OrderByDescending(pair => pair.score)
            .ThenBy(pair => pair.index).Take(count)];
    }

    private static string Singular(string word) => word.Length > 3 && word[^1] == 's' && word[^2] != 's' ? word[..^1] : word;

    [GeneratedRegex(@"\b(on|over|against|in front of|with) (an? |the )?(\w+ ){0,3}background\b", RegexOptions.CultureInvariant)]
    private static partial Regex Background();

    [GeneratedRegex(@"[\p{L}\p{N}]+", RegexOptions.CultureInvariant)]
    private static partial Regex Word();
}
