using Dori.Pictures;
namespace Dori.Audit;

// Units of other models: run folders in this one, of the same pictures and options.
public sealed partial class RunFolder
{
    private static readonly string[] s_besideFolders = [.. Enum.GetValues<Beside>().Select(which => which.Text())];

    /// <summary>Where another model's units lie.</summary>
    internal string PathOf(Beside which) => System.IO.Path.Combine(Path, which.Text());

    /// <summary>Units that another model is to be searched for.</summary>
    /// <param name="units">This run's own, or a shard of them.</param>
    /// <returns>None where no such model was named.</returns>
    internal IReadOnlyList<AuditUnit> UnitsOf(Beside which, IReadOnlyList<AuditUnit> units) => Manifest.Of(which) is null ? []
        : which == Beside.Reference ? units : [.. units.Where(unit => unit.Item.Role != PictureRole.Control)];

    /// <summary>Those of them that have not been yet.</summary>
    internal IReadOnlyList<AuditUnit> OpenUnitsOf(Beside which, IReadOnlyList<AuditUnit> units) =>
        Manifest.Of(which) is not { } manifest ? [] : new RunFolder(PathOf(which), manifest).Open(UnitsOf(which, units));

    /// <summary>The other model's run; null where none was named, or none is there.</summary>
    /// <exception cref="DoriException">What is there is damaged, or another run.</exception>
    internal RunFolder? OpenBeside(Beside which)
    {
        string path = PathOf(which);
        if (Manifest.Of(which) is not { } manifest || !File.Exists(System.IO.Path.Combine(path, ManifestName))) return null;
        RunFolder there = Open(path);
        return there.Manifest.Conflict(manifest) is not { } conflict ? there
            : throw new DoriException($"{path} is not this run's {which.Text()} ({conflict})");
    }

    /// <summary>What the run holds of the other model, every unit checked; null where none was named.</summary>
    internal BesideUnits? Read(Beside which)
    {
        if (Manifest.Of(which) is not { } manifest) return null;
        Manifest? there = null;
        string? wrong = null;
        try
        {
            there = OpenBeside(which)?.Manifest;
        }
        catch (DoriException e)
        {
            wrong = e.Message;
        }
        // Units are held against what this run's manifest says, whatever the other one does.
        var folder = new RunFolder(PathOf(which), manifest);
        FoundUnit[] found = [.. UnitsOf(which, AuditPlan.Of(Manifest)).Select(folder.Find)];
        IEnumerable<string> problems = found.Select(unit => unit.Problem).OfType<string>().Select(problem => $"{which.Text()}/{problem}");
        return new BesideUnits(there?.Control, there?.Notes ?? [], [.. found.Select(unit => unit.Record).OfType<UnitRecord>()],
            wrong is null ? [.. problems] : [wrong, .. problems]);
    }

    /// <summary>What the run holds of its reference; null where none was named.</summary>
    internal ReferenceUnits? ReadReference() =>
        Read(Beside.Reference) is { } units ? new ReferenceUnits(units, ReadGains()) : null;

    /// <summary>Costs of the other model's units that are there.</summary>
    internal IReadOnlyList<UnitCost> ReadCostsOf(Beside which) => Manifest.Of(which) is not { } manifest ? []
        : [.. UnitsOf(which, AuditPlan.Of(Manifest)).Select(unit => new RunFolder(PathOf(which), manifest).ReadCost(unit.Id))
            .OfType<UnitCost>()];

    /// <summary>Makes the other model's folder, or opens it to add to.</summary>
    internal RunFolder CreateBeside(Beside which) => Create(PathOf(which), Manifest.Of(which)!);

    /// <summary>
    /// Run folders where units of this run's reference may lie: those beside this one, and those of the same name one folder further, as
    /// <c>compare</c> has them; audits of the reference itself, or others beside it.
    /// </summary>
    internal IEnumerable<string> Neighbours()
    {
        const int most = 1000;
        string own = System.IO.Path.GetFullPath(Path).TrimEnd(System.IO.Path.DirectorySeparatorChar);
        string? parent = System.IO.Path.GetDirectoryName(own), grandparent = System.IO.Path.GetDirectoryName(parent);
        IEnumerable<string> near = [.. Near(parent),
            .. Near(grandparent).Select(folder => System.IO.Path.Combine(folder, System.IO.Path.GetFileName(own)))];
        return near.Where(folder => folder != own).SelectMany(folder =>
            new[] { System.IO.Path.Combine(folder, Beside.Reference.Text()), folder })
            .Where(folder => File.Exists(System.IO.Path.Combine(folder, ManifestName)));

        static IEnumerable<string> Near(string? path)
        {
            try
            {
                return path is null ? [] : [.. Directory.EnumerateDirectories(path).Take(most).Order(StringComparer.Ordinal)];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return [];
            }
        }
    }

    /// <summary>
    /// Takes over units that another run has computed of the same model and that are exactly these: whatever decides their bytes is in
    /// their keys. The positive control comes with them where it was taken on the same pictures.
    /// </summary>
    /// <param name="units">Those that are wanted here.</param>
    /// <param name="path">A run folder; anything else gives nothing.</param>
    /// <returns>How many were taken.</returns>
    internal int TakeOver(IReadOnlyList<AuditUnit> units, string path)
    {
        RunFolder there;
        try
        {
            there = Open(path);
        }
        catch (DoriException)
        {
            return 0; // somebody else's, and none of this run's business
        }
        if (there.Manifest.Model.Sha256 != Manifest.Model.Sha256) return 0;
        var theirs = new RunFolder(path, Manifest); // held against what is wanted here
        AuditUnit[] common = [.. Open(units).Where(theirs.Has)];
        foreach (AuditUnit unit in common) CopyUnit(theirs, unit);
        TakeLikelihoods(theirs);
        if (Manifest.Control is null && there.Manifest is { Control: { Holds: true } control } && there.Manifest.SamePictures(Manifest))
            Record(control);
        return common.Length;
    }
}
