using Dori.Pictures;
namespace Dori.Audit;

public sealed partial class RunFolder
{
    private const string OriginalFolder = "original";

    /// <summary>
    /// Where the original's units lie: a run folder in this one, of the same pictures and options, of which only the audited items are
    /// searched.
    /// </summary>
    internal string OriginalPath => System.IO.Path.Combine(Path, OriginalFolder);

    /// <summary>Units that the original is to be searched for, and has not been yet.</summary>
    /// <param name="units">This run's own, or a shard of them.</param>
    internal IReadOnlyList<AuditUnit> OpenUnitsOfOriginal(IReadOnlyList<AuditUnit> units) => Manifest.OfOriginal() is not { } manifest ? []
        : new RunFolder(OriginalPath, manifest).Open(UnitsOfOriginal(units));

    /// <summary>Units that the original is to be searched for: the audited items'. Its controls would say nothing.</summary>
    internal IReadOnlyList<AuditUnit> UnitsOfOriginal(IReadOnlyList<AuditUnit> units) =>
        Manifest.Original is null ? [] : [.. units.Where(unit => unit.Item.Role != PictureRole.Control)];

    /// <summary>The original's run; null where none was named, or none is there.</summary>
    /// <exception cref="DoriException">What is there is damaged, or another run.</exception>
    internal RunFolder? OpenOriginal()
    {
        if (Manifest.OfOriginal() is not { } manifest || !File.Exists(System.IO.Path.Combine(OriginalPath, ManifestName))) return null;
        RunFolder there = Open(OriginalPath);
        return there.Manifest.Conflict(manifest) is not { } conflict ? there
            : throw new DoriException($"{OriginalPath} is not this run's original ({conflict})");
    }

    /// <summary>What the run holds of its original, every unit checked; null where none was named.</summary>
    internal OriginalUnits? ReadOriginal()
    {
        if (Manifest.OfOriginal() is not { } manifest) return null;
        Manifest? there = null;
        string? wrong = null;
        try
        {
            there = OpenOriginal()?.Manifest;
        }
        catch (DoriException e)
        {
            wrong = e.Message;
        }
        // Units are held against what this run's manifest says, whatever the other one does.
        var folder = new RunFolder(OriginalPath, manifest);
        FoundUnit[] found = [.. UnitsOfOriginal(AuditPlan.Of(Manifest)).Select(folder.Find)];
        IEnumerable<string> problems = found.Select(unit => unit.Problem).OfType<string>().Select(problem => $"{OriginalFolder}/{problem}");
        return new OriginalUnits(there?.Control, there?.Notes ?? [], [.. found.Select(unit => unit.Record).OfType<UnitRecord>()],
            wrong is null ? [.. problems] : [wrong, .. problems]);
    }

    /// <summary>Costs of units of the original that are there.</summary>
    internal IReadOnlyList<UnitCost> ReadCostsOfOriginal() => Manifest.OfOriginal() is not { } manifest ? []
        : [.. UnitsOfOriginal(AuditPlan.Of(Manifest)).Select(unit => new RunFolder(OriginalPath, manifest).ReadCost(unit.Id))
            .OfType<UnitCost>()];
}
