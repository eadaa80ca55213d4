using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>What is searched for how often.</summary>
/// <param name="Items">The pictures in question.</param>
/// <param name="Others">Further pictures with one search each: what triggers of different pictures look like.</param>
/// <param name="Searches">N: searches for each of <paramref name="Items"/>, all from N(0, I)</param>
internal sealed record LocalityPlan(IReadOnlyList<PictureItem> Items, IReadOnlyList<PictureItem> Others, int Searches)
{
    /// <summary>
    /// One search each: the units of an audit from random starts, with seeds <paramref name="seed"/>, seed + 1, ... So a run that asks for
    /// more searches goes on from one that asked for fewer.
    /// </summary>
    public IReadOnlyList<AuditUnit> Units(long seed) =>
        [.. Enumerable.Range(0, Searches).SelectMany(k => Items.Select(item => Unit(item, seed + k))),
            .. Others.Select(item => Unit(item, seed))];

    internal IEnumerable<AuditUnit> UnitsOf(PictureItem item, long seed) =>
        Enumerable.Range(0, Items.Contains(item) ? Searches : 1).Select(k => Unit(item, seed + k));

    private static AuditUnit Unit(PictureItem item, long seed) => new(item, AuditStart.Random, seed, null);
}
