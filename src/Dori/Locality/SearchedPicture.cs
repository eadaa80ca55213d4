using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>A picture's searches. A trigger is an end that brings the picture back: one of its generations passes the threshold.</summary>
internal sealed class SearchedPicture : IDisposable
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
        return new SearchedPicture(item, units, Conditioning.Cat(starts).DetachFromDisposeScope(),
            Conditioning.Cat(ends).DetachFromDisposeScope(), threshold);
    }

    public void Dispose()
    {
        Starts.Dispose();
        Ends.Dispose();
    }
}
