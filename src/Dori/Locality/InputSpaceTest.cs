using Dori.Diffusion;
using Dori.Measures;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>A point of a map. Role: start, trigger, end (of a search that found nothing) or caption.</summary>
internal sealed record MapPoint(string Role, string Item, int Number, (double X, double Y) Tsne, (double X, double Y) Principal);

/// <summary>Embeddings seen from two sides.</summary>
/// <param name="Item">The picture whose searches these are; null: the triggers of all pictures.</param>
/// <param name="PrincipalShares">Of the variance, on the two axes.</param>
/// <param name="Distances">Among the points, in their order.</param>
internal sealed record EmbeddingMap(string? Item, IReadOnlyList<MapPoint> Points, (double X, double Y) PrincipalShares,
    DistanceMatrix Distances);

/// <summary>First test of method.md section 6: the embeddings themselves.</summary>
internal static class InputSpaceTest
{
    /// <summary>Fewest triggers of a picture that statistics are made of.</summary>
    public const int FewestTriggers = 3;

    /// <param name="pictures">The pictures in question.</param>
    /// <param name="others">Pictures with one search each.</param>
    /// <param name="captions">(M, tokens, width), M at least 3: of pictures that the model was not trained on</param>
    public static (InputSpace Result, IReadOnlyList<EmbeddingMap> Maps) Run(IReadOnlyList<SearchedPicture> pictures,
        IReadOnlyList<SearchedPicture> others, Conditioning captions, long seed)
    {
        using var scope = NewDisposeScope();
        SearchedPicture[] enough = [.. pictures.Where(p => p.Triggers.Length >= FewestTriggers)];
        var maps = pictures.Select(p => Map(p, captions)).ToList();
        int m = (int)captions.Count;
        InputPicture[] each = [.. enough.Select(p => Picture(p, maps.Single(map => map.Item == p.Item.Id).Distances, m, seed))];
        var result = new InputSpace { Verdict = LocalityVerdicts.Input(pictures.Count, null), Pictures = each, Captions = m };
        if (enough.Length == 0) return (result, maps);

        // All triggers, then their starts, then captions.
        SearchedPicture[] single = [.. others.Where(p => p.Triggers.Length > 0)];
        int[] sizes = [.. enough.Select(p => p.Triggers.Length), .. single.Select(_ => 1)];
        int[][] ends = Consecutive(0, sizes), starts = Consecutive(sizes.Sum(), sizes[..enough.Length]);
        int[] spoken = [.. Enumerable.Range(sizes.Sum() + starts.Sum(s => s.Length), m)];
        Conditioning[] firsts = [.. single.Select(p => p.TriggerEnds().Narrow(0, 1))];
        DistanceMatrix all =
            DistanceMatrix.Of(
            Conditioning.Cat([.. enough.Select(p => p.TriggerEnds()), .. firsts, .. enough.Select(p => p.TriggerStarts()), captions])
            .Flat());
        RandomSource random = RandomSource.For("locality input", $"{seed}");
        int[] labels = [.. ends.SelectMany((group, label) => group.Select(_ => label))];
        DistanceMatrix triggers = all.Of([.. ends.SelectMany(group => group)]);
        result = result with
        {
            AgainstStarts = Dispersion.Paired(all, [.. ends.Take(enough.Length).Zip(starts)], random.Derive("starts").Next),
            AgainstCaptions = Dispersion.Against(all, ends[..enough.Length], spoken, random.Derive("captions").Next),
            AgainstOthers = ends.Length > 1 ? Dispersion.WithinOverBetween(all, ends, random.Derive("others").Next) : null,
            NeighboursByPicture = ends.Length > 1 ? Clusters.Test(triggers, labels, null, random.Derive("neighbours").Next) : null,
            SilhouetteByPicture = enough.Length > 1
                ? Clusters.Silhouettes(all.Of([.. ends[..enough.Length].SelectMany(group => group)]),
                labels[..sizes[..enough.Length].Sum()]).Average() : null,
        };
        if (ends.Length > 1) maps.Add(AllTriggers(all, enough, single, ends, spoken));
        return (result with { Verdict = LocalityVerdicts.Input(pictures.Count, result) }, maps);
    }

    private static InputPicture Picture(SearchedPicture p, DistanceMatrix all, int captions, long seed)
    {
        int n = p.Units.Count;
        int[] starts = p.Triggers, ends = [.. p.Triggers.Select(k => n + k)], spoken = [.. Enumerable.Range(2 * n, captions)];
        RandomSource random = RandomSource.For("locality input", p.Item.Id, $"{seed}");
        double spacing = all.Mean(starts);
        (double Silhouette, NeighbourTest Neighbours) Cluster(int[] own, string name)
        {
            DistanceMatrix both = all.Of([.. own, .. spoken]);
            int[] labels = [.. own.Select(_ => 0), .. spoken.Select(_ => 1)];
            return (Clusters.Silhouettes(both, labels).Take(own.Length).Average(),
                Clusters.Test(both, labels, 0, random.Derive(name).Next));
        }
        (double silhouette, NeighbourTest neighbours) = Cluster(ends, "ends");
        (double startSilhouette, NeighbourTest startNeighbours) = Cluster(starts, "starts");
        return new InputPicture
        {
            Item = p.Item.Id,
            Triggers = p.Triggers.Length,
            StartSpacing = spacing,
            EndSpacing = all.Mean(ends),
            CaptionSpacing = all.Mean(spoken),
            AgainstStarts = Dispersion.Paired(all, [(ends, starts)], random.Derive("against starts").Next),
            AgainstCaptions = Dispersion.Against(all, [ends], spoken, random.Derive("against captions").Next),
            Displacement = Statistics.Spread(starts.Zip(ends, (a, b) => all[a, b] / spacing)),
            Silhouette = silhouette,
            StartSilhouette = startSilhouette,
            Neighbours = neighbours,
            StartNeighbours = startNeighbours,
        };
    }

    /// <summary>All starts, all ends, captions.</summary>
    private static EmbeddingMap Map(SearchedPicture p, Conditioning captions)
    {
        using var scope = NewDisposeScope();
        DistanceMatrix all = DistanceMatrix.Of(Conditioning.Cat(p.Starts, p.Ends, captions).Flat());
        int n = p.Units.Count;
        return Map(p.Item.Id, all,
            i => i < n ? ("start", p.Item.Id, i) : i < 2 * n ? (p.Triggers.Contains(i - n) ? "trigger" : "end", p.Item.Id, i - n)
            : ("caption", "", i - 2 * n));
    }

    private static EmbeddingMap AllTriggers(DistanceMatrix all, SearchedPicture[] enough, SearchedPicture[] single, int[][] ends,
        int[] captions)
    {
        var points = new List<(string, string, int)>();
        SearchedPicture[] owners = [.. enough, .. single];
        for (int g = 0; g < ends.Length; g++)
            for (int k = 0; k < ends[g].Length; k++) points.Add(("trigger", owners[g].Item.Id, owners[g].Triggers[k]));
        for (int k = 0; k < captions.Length; k++) points.Add(("caption", "", k));
        return Map(null, all.Of([.. ends.SelectMany(group => group), .. captions]), i => points[i]);
    }

    private static EmbeddingMap Map(string? item, DistanceMatrix distances, Func<int, (string Role, string Item, int Number)> describe)
    {
        PrincipalComponents principal = PrincipalComponents.Of(distances);
        IReadOnlyList<(double X, double Y)> tsne = Tsne.Embed(distances);
        return new EmbeddingMap(item,
            [.. Enumerable.Range(0, distances.Count)
            .Select(i => describe(i) is var (role, owner, number) ? new MapPoint(role, owner, number, tsne[i], principal.Points[i])
            : null!)], principal.Shares, distances);
    }

    private static int[][] Consecutive(int at, IReadOnlyList<int> sizes) =>
        [.. sizes.Select(size => Enumerable.Range((at += size) - size, size).ToArray())];
}
