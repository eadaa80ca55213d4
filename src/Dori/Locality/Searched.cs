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
public sealed record LocalityPlan(IReadOnlyList<PictureItem> Items, IReadOnlyList<PictureItem> Others, int Searches)
{
    /// <summary>
    /// One search each: the units of an audit from random starts, with seeds <paramref name="seed"/>, seed + 1, ... So a run that asks for more searches
    /// goes on from one that asked for fewer.
    /// </summary>
    public IReadOnlyList<AuditUnit> Units(long seed) =>
        [.. Enumerable.Range(0, Searches).SelectMany(k => Items.Select(item => Unit(item, seed + k))), .. Others.Select(item => Unit(item, seed))];

    internal IEnumerable<AuditUnit> UnitsOf(PictureItem item, long seed) => Enumerable.Range(0, Items.Contains(item) ? Searches : 1).Select(k => Unit(item, seed + k));

    private static AuditUnit Unit(PictureItem item, long seed) => new(item, AuditStart.Random, seed, null);
}

/// <summary>A picture's searches. A trigger is an end that brings the picture back: one of its generations passes the threshold.</summary>
public sealed class SearchedPicture : IDisposable
{
    private SearchedPicture(PictureItem item, IReadOnlyList<UnitRecord> units, Conditioning starts, Conditioning ends, double threshold)
    {
        (Item, Units, Starts, Ends) = (item, units, starts, ends);
        Triggers = [.. Enumerable.Range(0, units.Count).Where(k => units[k].Snapshots[^1].Best > threshold)];
    }

    public PictureItem Item { get; }
    /// <summary>By search.</summary>
    public IReadOnlyList<UnitRecord> Units { get; }
    /// <summary>N rows</summary>
    public Conditioning Starts { get; }
    /// <summary>N rows</summary>
    public Conditioning Ends { get; }
    /// <summary>Numbers of the searches that found the picture.</summary>
    public int[] Triggers { get; }

    /// <summary>The ends of those that found it</summary>
    public Conditioning TriggerEnds() => Ends.Rows(Triggers.Select(k => (long)k));

    /// <summary>Where they began</summary>
    public Conditioning TriggerStarts() => Starts.Rows(Triggers.Select(k => (long)k));

    /// <summary>Reads the searches of a picture from a run folder in which all of them are finished.</summary>
    /// <exception cref="DoriException">A file is missing or damaged.</exception>
    public static SearchedPicture Read(RunFolder folder, LocalityPlan plan, PictureItem item, long seed, double threshold)
    {
        using var scope = NewDisposeScope();
        var units = new List<UnitRecord>();
        var starts = new List<Conditioning>();
        var ends = new List<Conditioning>();
        foreach (AuditUnit unit in plan.UnitsOf(item, seed))
        {
            UnitRecord record = folder.Find(unit) switch
            {
                { Record: { } found } => found,
                { Problem: { } problem } => throw new DoriException($"{folder.Path}: {problem}; the same command computes it again"),
                _ => throw new DoriException($"{folder.Path}: unit {unit.Id} is missing; the same command computes it"),
            };
            using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(folder.Path, "embeddings", unit.Id + ".safetensors"));
            units.Add(record);
            starts.Add(Conditioning.Read(file, "y.0"));
            ends.Add(Conditioning.Read(file, $"y.{record.Snapshots[^1].Step}"));
        }
        return new SearchedPicture(item, units, Conditioning.Cat(starts).DetachFromDisposeScope(), Conditioning.Cat(ends).DetachFromDisposeScope(), threshold);
    }

    public void Dispose()
    {
        Starts.Dispose();
        Ends.Dispose();
    }
}
