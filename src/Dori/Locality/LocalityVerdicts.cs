using System.Globalization;
using Dori.Measures;

namespace Dori.Locality;

/// <summary>
/// One verdict a chapter on the claim "memorization is local". The bars are choices of this project, said in every report: a claim is
/// supported or refuted only where whole intervals lie on one side, and undecided everywhere else.
/// </summary>
internal static class LocalityVerdicts
{
    /// <summary>Mean silhouette from which on clusters are a structure (Kaufman and Rousseeuw 1990: up to 0.25 there is none).</summary>
    public const double Structure = 0.25;
    public const double Level = 0.05;
    /// <summary>Agreement above which two triggers mark mostly the same.</summary>
    public const double MostlySame = 0.5;

    /// <summary>Triggers of one picture as one cluster of embeddings.</summary>
    /// <param name="pictures">Pictures in question.</param>
    /// <param name="input">Null where no picture has enough triggers.</param>
    public static LocalityVerdict Input(int pictures, InputSpace? input)
    {
        if (input?.AgainstCaptions is not { } captions || input.AgainstStarts is not { } starts)
            return TooFew("embeddings");
        double silhouette = input.SilhouetteByPicture ?? input.Pictures.Average(p => p.Silhouette);
        var figures = new List<string>
        {
            $"Spread of one picture's triggers over that of {input.Captions} captions of pictures that were "
                + $"not trained on: {Of(captions)}.",
            $"The same over the spread of their own starting points: {Of(starts)}.",
            $"Mean silhouette {(input.SilhouetteByPicture is null ? "against captions" : "with pictures as clusters")}: {N(silhouette)} "
                + $"(up to {N(Structure)} is no structure).",
        };
        if (input.AgainstOthers is { } others)
            figures.Add($"Distance within one picture's triggers over the distance to other pictures' triggers: {Of(others)}.");
        if (input.NeighboursByPicture is { } near)
            figures.Add(
                $"{Percent(near.Share)} of a trigger's nearest neighbours belong to its own picture; chance gives {Percent(near.Expected)} "
                + $"(p = {P(near.PValue)}).");
        bool closer = Closer(captions) && Closer(starts) && (input.AgainstOthers is null || Closer(input.AgainstOthers));
        if (closer && silhouette > Structure)
            return new LocalityVerdict(LocalityVerdict.Supported,
                $"The triggers of {Pictures(pictures)} lie together: closer than captions, closer than they began, and as a cluster.",
                figures);
        if (NotCloser(captions) && silhouette <= Structure)
            return new LocalityVerdict(LocalityVerdict.Refuted,
                $"The triggers of {Pictures(pictures)} are no cluster: they lie at least as far "
                + "apart as captions of different pictures do.", figures);
        return new LocalityVerdict(LocalityVerdict.Undecided,
            "The triggers' spread is neither clearly that of one cluster nor clearly that of unrelated prompts.", figures);
    }

    /// <summary>
    /// A layer is "closer" where the interval against captions, and against other pictures' triggers where there are some, lies below 1
    /// with the Benjamini-Hochberg adjusted p of both at most 0.05; "not closer" where one of the intervals lies at or above 1.
    /// </summary>
    public static LocalityVerdict Activation(IReadOnlyList<ActivationLayer> layers)
    {
        if (layers.Count == 0) return TooFew("activations");
        bool[] closer = [.. CloserLayers(layers)], not = [.. layers.Select(NotCloser)];
        string[] methods = [.. layers.Select(l => l.Method).Distinct()];
        var figures = new List<string>();
        foreach (string method in methods)
        {
            int[] own = [.. Enumerable.Range(0, layers.Count).Where(i => layers[i].Method == method)];
            double[] ratios = [.. own.Select(i => layers[i].AgainstCaptions.Ratio)];
            figures.Add(
                $"At {method}'s {own.Length} layers, one picture's triggers lie {N(ratios.Min())} to {N(ratios.Max())} times as far apart "
                + $"as different pictures' captions; "
                + $"closer by every comparison in {own.Count(i => closer[i])}, demonstrably not closer in {own.Count(i => not[i])}.");
            double[] others = [.. own.Where(i => layers[i].AgainstOthers is not null).Select(i => layers[i].AgainstOthers!.Ratio)];
            if (others.Length > 0)
                figures.Add(
                $"There the distance within one picture's triggers is {N(others.Min())} to {N(others.Max())} times that between triggers "
                + $"of different pictures.");
        }
        if (closer.All(c => c))
            return new LocalityVerdict(LocalityVerdict.Supported,
            "In every layer that the pruning methods look at, one picture's triggers excite the network more alike than different pictures "
            + "do.", figures);
        if (!closer.Any(c => c) && not.Count(c => c) * 2 > layers.Count)
            return new LocalityVerdict(LocalityVerdict.Refuted,
                "In no layer do one picture's triggers excite the network more alike than different pictures do, and in most they "
                + "demonstrably do not.", figures);
        return new LocalityVerdict(LocalityVerdict.Undecided, closer.Any(c => c)
            ? $"Partly: in {closer.Count(c => c)} of {layers.Count} layers one picture's triggers excite the network more alike than "
                + $"different pictures do, in the others not."
            : "In no layer do one picture's triggers clearly excite the network more alike, but in most the intervals leave it open.",
                figures);
    }

    /// <summary>By layer: do one picture's triggers lie closer by every comparison? See <see cref="Activation"/>.</summary>
    public static IReadOnlyList<bool> CloserLayers(IReadOnlyList<ActivationLayer> layers)
    {
        if (layers.Count == 0) return [];
        double[] p = [.. layers.Select(l => Math.Max(l.AgainstCaptions.PValue, l.AgainstOthers?.PValue ?? 0))];
        IReadOnlyList<double> adjusted = Statistics.BenjaminiHochberg(p, Level).AdjustedPValues;
        return [.. layers.Select((l, i) => adjusted[i] <= Level && l.AgainstCaptions.High < 1 && (l.AgainstOthers?.High ?? 0) < 1)];
    }

    private static bool NotCloser(ActivationLayer layer) => layer.AgainstCaptions.Low >= 1 || layer.AgainstOthers?.Low >= 1;

    /// <summary>
    /// The causal test decides: the claim says that pruning what one trigger marks silences the picture's other triggers too, and that
    /// pruning what another picture's caption marks does not. It can only speak where pruning silences the trigger that it was made for.
    /// </summary>
    public static LocalityVerdict Weight(IReadOnlyList<WeightMethod> methods)
    {
        var outcomes = new List<string>();
        var figures = new List<string>();
        foreach (WeightMethod method in methods)
        {
            double[] within = [.. method.Layers.Select(l => l.Triggers).OfType<double>()],
                between = [.. method.Layers.Select(l => l.Captions).OfType<double>()];
            figures.Add(within.Length == 0
                ? $"{method.Method} marks nothing for any trigger: its agreement is that of empty sets, which says nothing."
                : $"What {method.Method} marks for two triggers of one picture agrees by {N(within.Min())} to {N(within.Max())} "
                    + $"(intersection over union, layers without marks apart); for captions of different pictures by "
                    + $"{(between.Length == 0 ? "nothing to compare" : $"{N(between.Min())} to {N(between.Max())}")}.");
            if (method.Transfer is not { } t)
            {
                outcomes.Add(LocalityVerdict.Undecided);
                continue;
            }
            figures.Add(
                $"After pruning what one trigger marks, {t.Own.Count} of {t.OwnTried} triggers still bring the picture back themselves, "
                + $"{t.Other.Count} of {t.OtherTried} others do (95 % interval {Percent(t.Other.Low)} to {Percent(t.Other.High)}); "
                + $"after pruning what another picture's caption marks, {t.Null.Count} of {t.NullTried}.");
            bool silenced = t.Own.Value <= 0.5, specific = t.Null.Low > t.Other.High;
            outcomes.Add(!silenced ? LocalityVerdict.Undecided
                : t.Other.Low > 0.5 ? LocalityVerdict.Refuted
                : t.Other.High < 0.5 && specific && method.Layers.Any(l => l.Closer == true) && method.Layers.All(l => l.Closer != false)
                    ? LocalityVerdict.Supported
                : LocalityVerdict.Undecided);
            if (!silenced)
                figures.Add($"{method.Method} does not silence even the trigger that it prunes for, so that its transfer says nothing.");
        }
        if (outcomes.Count == 0) return TooFew("weights");
        if (outcomes.Contains(LocalityVerdict.Refuted) && !outcomes.Contains(LocalityVerdict.Supported))
            return new LocalityVerdict(LocalityVerdict.Refuted,
                "The picture is not in the weights that one trigger marks: with these gone, other triggers still bring it back.", figures);
        if (outcomes.Contains(LocalityVerdict.Supported) && !outcomes.Contains(LocalityVerdict.Refuted))
            return new LocalityVerdict(LocalityVerdict.Supported,
                "Pruning what one trigger marks silences the picture's other triggers too, and pruning for another picture does not.",
                figures);
        return new LocalityVerdict(LocalityVerdict.Undecided,
            "Whether the picture sits in the weights that one trigger marks is not decided.", figures);
    }

    private static bool Closer(Comparison c) => c.High < 1 && c.PValue <= Level;

    private static bool NotCloser(Comparison c) => c.Low >= 1;

    private static LocalityVerdict TooFew(string space) => new(LocalityVerdict.Undecided,
        $"There are too few triggers to say anything about {space}.",
        [$"No picture has {InputSpaceTest.FewestTriggers} searches that bring it back: the model does not hold these pictures, or the "
            + $"search was too short."]);

    private static string Pictures(int count) => count == 1 ? "the picture" : "one picture";

    private static string Of(Comparison c) => $"{N(c.Ratio)} (95 % interval {N(c.Low)} to {N(c.High)}, p = {P(c.PValue)})";

    private static string N(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    private static string P(double value) => value.ToString(value < 0.001 ? "0.0000" : "0.000", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (100 * share).ToString("0", CultureInfo.InvariantCulture) + "\u00A0%";
}
