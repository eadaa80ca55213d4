using System.Globalization;
using Dori.Diffusion;
using Dori.Search;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>One step of the ladder: a search that may move so much and no more.</summary>
/// <param name="Folder">Where its units lie in <c>ladder/</c>.</param>
/// <param name="Says">What it moves, for a person.</param>
/// <param name="Freedom">For a caption.</param>
internal sealed record Rung(string Folder, string Says, bool UsesCaption, Func<DiffusionModel, string, Freedom> Freedom)
{
    /// <summary>The smallest first. What a find on the first rungs says least of is the search.</summary>
    /// <param name="unit">Median distance between captions' embeddings: a ball's radius is half of it.</param>
    public static IReadOnlyList<Rung> All(double unit) =>
    [
        new("one-vector", "one vector at all places behind the start token", false, (m, _) =>
            Search.Freedom.OneVector(m.Tokenizer.MaxLength)),
        .. new[] { 1, 2, 4, 8 }.Select(k => new Rung($"tokens-{k}", k == 1 ? "the first place behind the start token"
            : $"the first {k} places behind the start token", false, (m, _) => Search.Freedom.Tokens(m.Tokenizer.MaxLength, k))),
        new("tied-padding", "one vector at all places behind the caption", true, (m, caption) =>
            Search.Freedom.TiedPadding(m.Tokenizer.MaxLength, EndOf(m, caption))),
        new("ball", "every place, at most half a caption's distance away", true, (m, _) =>
            Search.Freedom.Ball(m.Tokenizer.MaxLength, BallRadius(unit))),
        new("published", "every place", true, (m, _) => Search.Freedom.All(m.Tokenizer.MaxLength)),
    ];

    /// <summary>The names in their order: what a folder is read by.</summary>
    public static IReadOnlyList<Rung> Names { get; } = All(1);

    public DoriSearch SearchFor(DiffusionModel model, string caption, SearchOptions options) => new(options, Freedom(model, caption));

    /// <summary>Free numbers, for any caption.</summary>
    public long Numbers(DiffusionModel model) => (long)Freedom(model, "").Vectors * model.UNet.Config.CrossAttentionDim;

    /// <summary>The place of a caption's end token.</summary>
    private static int EndOf(DiffusionModel model, string caption) => model.Tokenizer.Encode(caption).Length - 1;

    /// <summary>Rounded, so that a picture more or less in a set does not make all units others.</summary>
    private static double BallRadius(double unit) =>
        double.Parse((unit / 2).ToString("0.0E+0", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    /// <summary>Median distance between the embeddings of different captions.</summary>
    public static double CaptionDistance(DiffusionModel model, IEnumerable<string> captions)
    {
        const int most = 100; // 4,950 pairs are enough for a median
        using var scope = NewDisposeScope();
        Tensor[] rows =
            [.. captions.Distinct().Order(StringComparer.Ordinal).Take(most).Select(caption => model.Embed(caption).Flat().cpu())];
        if (rows.Length < 2) return model.Embed("").Flat().norm().item<float>(); // one caption is at no distance from itself
        var distances = new List<double>();
        for (int i = 0; i < rows.Length; i++)
            for (int j = i + 1; j < rows.Length; j++) distances.Add((rows[i] - rows[j]).norm().item<float>());
        return Measures.Statistics.Median(distances);
    }
}
