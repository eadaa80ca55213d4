using Dori.Measures;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// Pictures of a set that the copy detector takes for copies of each other, or of each other's mirror image. What a model holds of one it
/// holds of all: they are one case, not several.
/// </summary>
internal static class NearDuplicates
{
    /// <summary>Groups of at least two: whoever is near one of a group belongs to it.</summary>
    /// <param name="side">The model's picture size in pixels.</param>
    /// <param name="threshold">Similarity above which two pictures are one.</param>
    /// <returns>Ids in the set's order, groups by their first.</returns>
    public static IReadOnlyList<IReadOnlyList<string>> Of(PictureSet set, ICopyDetector detector, int side, double threshold)
    {
        using var scope = NewDisposeScope();
        var plain = new List<Tensor>();
        var turned = new List<Tensor>();
        foreach (PictureItem item in set.Items) // one by one: a set is larger than memory
        {
            using var inner = NewDisposeScope();
            Tensor originals = item.Originals(side);
            plain.Add(detector.Describe(originals).cpu().MoveToOuterDisposeScope());
            turned.Add(detector.Describe(originals.flip(3)).cpu().MoveToOuterDisposeScope());
        }
        return Groups([.. set.Items.Select(item => item.Id)], (i, j) => Math.Max(Nearest(plain[i], plain[j]), Nearest(turned[i], plain[j])),
            threshold);
    }

    private static double Nearest(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return Similarity.Matrix(a, b).max().item<float>();
    }

    internal static IReadOnlyList<IReadOnlyList<string>> Groups(IReadOnlyList<string> ids, Func<int, int, double> similarity,
        double threshold)
    {
        int[] first = [.. Enumerable.Range(0, ids.Count)];
        for (int i = 0; i < ids.Count; i++)
            for (int j = i + 1; j < ids.Count; j++)
            {
                if (first[i] == first[j] || similarity(i, j) <= threshold) continue;
                (int keep, int give) = (Math.Min(first[i], first[j]), Math.Max(first[i], first[j]));
                for (int k = 0; k < ids.Count; k++)
                    if (first[k] == give) first[k] = keep;
            }
        return [.. Enumerable.Range(0, ids.Count).GroupBy(i => first[i]).Where(group => group.Count() > 1)
            .Select(group => (IReadOnlyList<string>)[.. group.Select(i => ids[i])])];
    }

    /// <summary>The id that stands for an item: its group's first, or its own.</summary>
    public static string DistinctOf(this IReadOnlyList<IReadOnlyList<string>>? groups, string id) =>
        groups?.FirstOrDefault(group => group.Contains(id))?[0] ?? id;

    /// <summary>One value a group: its largest.</summary>
    public static double[] Largest(this IEnumerable<ItemRecords> items, Func<ItemRecords, double> score) =>
        [.. items.GroupBy(item => item.Distinct).Select(group => group.Max(score))];

    /// <summary>How many there are, near-duplicates counted once.</summary>
    public static int Count(IEnumerable<ItemRecords> items) => items.DistinctBy(item => item.Distinct).Count();
}
