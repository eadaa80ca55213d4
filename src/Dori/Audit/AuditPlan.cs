using Dori.Diffusion;
using Dori.Pictures;

namespace Dori.Audit;

/// <summary>The smallest piece of an audit: one item from one start with one seed. Computed alone; its result depends on nothing
/// else.</summary>
/// <param name="OtherCaption">The caption whose embedding start <c>other</c> begins from; null for the other starts.</param>
internal sealed record AuditUnit(PictureItem Item, AuditStart Start, long Seed, string? OtherCaption)
{
    public string Id => $"{Item.Id}-{Start.Text()}-{Seed}";

    /// <summary>Noise of the generations: the same for every start and step of an item, so that they are compared in pairs.</summary>
    internal RandomSource GenerationNoise() => RandomSource.For("generations", Item.Id, Seed.ToString());

    /// <summary>Noise and time steps of the search, and its random start.</summary>
    internal RandomSource SearchNoise() => RandomSource.For("search", Item.Id, Start.Text(), Seed.ToString());

    /// <summary>What the unit looks at, ascending by step: the step, how many pictures it draws there, and whether it is the last, whose
    /// pictures are kept.</summary>
    /// <param name="stoppedAfter">Search steps after which the unit stopped (<see cref="StopRule"/>); null: it ran to its end.</param>
    internal IReadOnlyList<(int Step, int Generations, bool Last)> Snapshots(AuditOptions options, int? stoppedAfter = null)
    {
        if (Start == AuditStart.Prompt) return [(0, options.Generations, true)];
        // A caption's search at step 0 is the prompt itself, which has a unit of its own.
        bool first = Start != AuditStart.Caption || !options.Starts.Contains(AuditStart.Prompt);
        int last = stoppedAfter ?? options.Steps;
        return [.. options.SnapshotSteps.Where(step => step <= last && (step > 0 || first || step == options.Steps))
            .Select(step => (step, step == options.Steps ? options.Generations : options.CurveGenerations, step == last))];
    }

    /// <summary>The k-th kept picture's name in the run folder.</summary>
    internal string PictureName(int k) => $"{RunFolder.Pictures}/{Id}-{k}.png";

    /// <summary>Where the best picture lies that a unit drew before its last step, by the unit's id.</summary>
    internal static string BestPictureName(string id) => $"{RunFolder.Pictures}/{id}-best.png";
}

/// <summary>All units of an audit, in a fixed order.</summary>
internal static class AuditPlan
{
    /// <exception cref="DoriException">Start <c>other</c> is asked for and there is no other caption to begin from.</exception>
    public static IReadOnlyList<AuditUnit> Of(PictureSet set, AuditOptions options) => Of(set.Items, options);

    /// <summary>The same from a manifest alone: what a run folder is to hold.</summary>
    /// <inheritdoc cref="Of(PictureSet, AuditOptions)"/>
    public static IReadOnlyList<AuditUnit> Of(Manifest manifest) =>
        Of([.. manifest.Pictures.Items.Select(item => item.ToPictureItem())], manifest.Options);

    private static List<AuditUnit> Of(IReadOnlyList<PictureItem> items, AuditOptions options)
    {
        string[] captions = ControlCaptions(items);
        var units = new List<AuditUnit>();
        foreach (PictureItem item in items) // all starts of an item follow each other: the first verdicts come early
            foreach (AuditStart start in options.Starts) units.Add(Unit(item, start, options.Seed, captions));
        return units;
    }

    internal static AuditUnit Unit(PictureItem item, AuditStart start, long seed, string[] controlCaptions) =>
        new(item, start, seed, start == AuditStart.Other ? OtherCaption(item, controlCaptions, seed) : null);

    internal static string[] ControlCaptions(IEnumerable<PictureItem> items) =>
        [.. items.Where(item => item.Role == PictureRole.Control).Select(item => item.Caption).Distinct()];

    /// <summary>
    /// A part of a plan: items i, i + N, i + 2N, ... with all their units, audited ones first and controls after them. By units the parts
    /// would be unequal, with as many starts as parts each would get one kind.
    /// </summary>
    /// <param name="shard">From 1 to <paramref name="count"/>.</param>
    public static IReadOnlyList<AuditUnit> Shard(IReadOnlyList<AuditUnit> plan, int shard, int count)
    {
        HashSet<string> own = [.. plan.Select(unit => unit.Item).DistinctBy(item => item.Id).OrderBy(item => item.Role)
            .Where((_, index) => index % count == shard - 1).Select(item => item.Id)];
        return [.. plan.Where(unit => own.Contains(unit.Item.Id))];
    }

    private static string OtherCaption(PictureItem item, string[] captions, long seed)
    {
        string[] others = [.. captions.Where(caption => caption != item.Caption)];
        if (others.Length == 0)
            throw new DoriException(
            "`Starts` other: begins from a control's caption, and the picture set has no control with another caption; add controls or "
            + "leave the start out");
        return others[RandomSource.For("other caption", item.Id, seed.ToString()).Next(others.Length)];
    }
}
