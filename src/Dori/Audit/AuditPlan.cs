using Dori.Diffusion;

namespace Dori.Audit;

/// <summary>The smallest piece of an audit: one item from one start with one seed. Computed alone; its result depends on nothing else.</summary>
/// <param name="OtherCaption">The caption whose embedding start <c>other</c> begins from; null for the other starts.</param>
public sealed record AuditUnit(PictureItem Item, string Start, long Seed, string? OtherCaption)
{
    public string Id => $"{Item.Id}-{Start}-{Seed}";

    /// <summary>Noise of the generations: the same for every start and step of an item, so that they are compared in pairs.</summary>
    internal RandomSource GenerationNoise() => RandomSource.For("generations", Item.Id, Seed.ToString());

    /// <summary>Noise and time steps of the search, and its random start.</summary>
    internal RandomSource SearchNoise() => RandomSource.For("search", Item.Id, Start, Seed.ToString());
}

/// <summary>All units of an audit, in a fixed order.</summary>
public static class AuditPlan
{
    /// <exception cref="DoriException">Start <c>other</c> is asked for and there is no other caption to begin from.</exception>
    public static IReadOnlyList<AuditUnit> Of(PictureSet set, AuditOptions options)
    {
        string[] captions = [.. set.Items.Where(item => item.Role == "control").Select(item => item.Caption).Distinct()];
        var units = new List<AuditUnit>();
        foreach (PictureItem item in set.Items) // all starts of an item follow each other: the first verdicts come early
            foreach (string start in options.Starts)
                units.Add(new AuditUnit(item, start, options.Seed, start == AuditStart.Other ? OtherCaption(item, captions, options.Seed) : null));
        return units;
    }

    /// <summary>Units i, i + N, i + 2N, ... of a plan.</summary>
    /// <param name="shard">From 1 to <paramref name="count"/>.</param>
    public static IReadOnlyList<AuditUnit> Shard(IReadOnlyList<AuditUnit> plan, int shard, int count) =>
        [.. plan.Where((_, index) => index % count == shard - 1)];

    private static string OtherCaption(PictureItem item, string[] captions, long seed)
    {
        string[] others = [.. captions.Where(caption => caption != item.Caption)];
        if (others.Length == 0) throw new DoriException("--starts other: begins from a control's caption, and the picture set has no control with another caption; add controls or leave the start out");
        return others[RandomSource.For("other caption", item.Id, seed.ToString()).Next(others.Length)];
    }
}
