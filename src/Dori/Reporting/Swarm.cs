namespace Dori.Reporting;

/// <summary>Places things beside each other so that none hides another. No chance is involved: the same data, the same drawing.</summary>
internal static class Swarm
{
    /// <summary>Lane of each dot (0, -1, 1, -2, ...): the first in which it lies at least <paramref name="distance"/> from its neighbours,
    /// at most <paramref name="most"/> lanes.</summary>
    public static IReadOnlyList<int> Lanes(IReadOnlyList<double> x, double distance, int most)
    {
        var lanes = new int[x.Count];
        var last = new double[most];
        Array.Fill(last, double.NegativeInfinity);
        foreach (int i in Enumerable.Range(0, x.Count).OrderBy(i => x[i]))
        {
            int lane = Array.FindIndex(last, end => x[i] - end >= distance);
            if (lane < 0) lane = Array.IndexOf(last, last.Min()); // too many at one place: where they overlap least
            last[lane] = x[i];
            lanes[i] = lane % 2 == 0 ? lane / 2 : -(lane + 1) / 2;
        }
        return lanes;
    }

    /// <summary>Ascending places moved as little as a sweep needs to keep them <paramref name="distance"/> apart, within the ends where
    /// they fit.</summary>
    public static double[] Apart(IReadOnlyList<double> ascending, double distance, double low, double high)
    {
        double[] places = [.. ascending];
        for (int i = 0; i < places.Length; i++) places[i] = Math.Max(places[i], i == 0 ? low : places[i - 1] + distance);
        for (int i = places.Length - 1; i >= 0; i--)
            places[i] = Math.Min(places[i], i == places.Length - 1 ? high : places[i + 1] - distance);
        return places;
    }
}
