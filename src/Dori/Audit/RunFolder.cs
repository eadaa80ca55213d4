using System.Text.Json;
using Dori.Checkpoints;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Audit;

/// <summary>Time and memory of a unit: kept apart from its record, whose bytes must not depend on them.</summary>
/// <param name="PeakMemoryMiB">The process's peak so far, all workers together.</param>
/// <param name="Forward">Latents that went through the UNet; 0 in runs of older versions, which did not count.</param>
/// <param name="Backward">Those of them through which gradients came back.</param>
internal sealed record UnitCost(string Id, double Seconds, long PeakMemoryMiB, long Forward = 0, long Backward = 0);

/// <summary>A unit as a run folder holds it.</summary>
/// <param name="Record">Null where there is none, or it is wrong.</param>
/// <param name="Problem">What is wrong with what lies there, naming the file; null where nothing is.</param>
internal readonly record struct FoundUnit(UnitRecord? Record, string? Problem);

/// <summary>The units of a run that are there.</summary>
/// <param name="Records">In the order of the plan.</param>
/// <param name="Wrong">Records in their places that are not this run's, one sentence each; they count as missing.</param>
internal sealed record RunUnits(IReadOnlyList<UnitRecord> Records, IReadOnlyList<string> Wrong);

/// <summary>
/// The run folder on disk (layout in docs/audit.md). Every file appears whole or not at all; a unit exists once its record does, which is
/// written last. What is read is checked against the manifest's plan as if a stranger had written it, and nothing outside the folder is
/// read or written.
/// </summary>
public sealed partial class RunFolder
{
    internal const string Units = "units", Embeddings = "embeddings", Pictures = "pictures", Costs = "costs",
        OriginalPictures = "originals";
    private const string ManifestName = "manifest.json";
    internal const string SummaryName = "summary.json";
    private static readonly string[] Folders = [Units, Embeddings, Pictures, Costs, OriginalPictures, Likelihoods, Bits];

    private RunFolder(string path, Manifest manifest) => (Path, Manifest) = (path, manifest);

    public string Path { get; }

    /// <summary>What the run is.</summary>
    internal Manifest Manifest { get; private set; }

    /// <summary>What was found, and mended, on opening; one sentence each.</summary>
    public IReadOnlyList<string> Remarks { get; private init; } = [];

    /// <summary>
    /// Opens a run folder to add to, or makes it. One whose pictures have changed since takes the new manifest, as does one whose manifest
    /// is damaged or gone; units that are still of this run stay.
    /// </summary>
    /// <exception cref="DoriException">It holds another run, or one of an older version, or something else.</exception>
    internal static RunFolder Create(string path, Manifest manifest)
    {
        (RunFolder folder, bool isNew) = Foresee(path, manifest);
        if (isNew)
        {
            AtomicFile.MakeFolder(path);
            folder.WriteManifest();
        }
        return folder;
    }

    /// <summary>What <see cref="Create"/> will return, without writing anything: another run's folder is refused here too.</summary>
    /// <returns>The folder, and whether its manifest is to be written.</returns>
    /// <inheritdoc cref="Create"/>
    internal static (RunFolder Folder, bool IsNew) Foresee(string path, Manifest manifest)
    {
        RefuseLinks(path);
        string file = System.IO.Path.Combine(path, ManifestName);
        if (!File.Exists(file)) return (!IsTaken(path) ? Fresh(path, manifest) : Recovered(path, manifest, "is gone"), true);
        Manifest there;
        try
        {
            there = ReadManifest(path);
        }
        catch (DoriException)
        {
            return (Recovered(path, manifest, "is damaged"), true);
        }
        if (!there.Bound)
            throw new DoriException(
                $"{path} holds a run of an older version, whose units do not say what they were computed from; `dori report` still reports "
                + $"it, "
                + "but to go on choose another folder with -o");
        if (there.Conflict(manifest) is { } conflict)
            throw new DoriException(
                $"{path} holds another run ({conflict}); choose another folder with -o, or give the same options to resume it");
        foreach (Beside which in Enum.GetValues<Beside>())
            if (there.ModelOf(which) is { } named && manifest.ModelOf(which) is { } other && named.Sha256 != other.Sha256)
                throw new DoriException(
                    $"{path} holds a run beside another {which.Text()} ({named.Name}, SHA-256 {named.Sha256} there, {other.Sha256} here); "
                    + "choose another folder with -o, or name the same");
        bool same = Enum.GetValues<Beside>().All(which => manifest.ModelOf(which) is null || there.ModelOf(which) is not null);
        // What an earlier command named stays: an answer that was asked for is not dropped by leaving the option out.
        manifest = manifest with
        {
            Original = manifest.Original ?? there.Original, Reference = manifest.Reference ?? there.Reference,
            OtherMachines = there.OtherMachines,
        };
        if (manifest.BesideProblem() is { } problem) throw new DoriException($"{path}: with what it holds already, {problem}");
        if (there.SamePictures(manifest))
            return same && there.Notes.SequenceEqual(manifest.Notes) ? (new RunFolder(path, there), false) : (Fresh(path, manifest), true);
        if (!there.SharesPicture(manifest))
            throw new DoriException(
                $"{path} holds another run (picture set: none of its pictures is among these); choose another folder with -o");
        return (Fresh(path, manifest, "the pictures have changed since this run began: units of those that are the same are kept"), true);
    }

    /// <summary>Opens a run folder to read.</summary>
    /// <exception cref="DoriException">It is none, or its manifest is damaged.</exception>
    public static RunFolder Open(string path)
    {
        if (!File.Exists(System.IO.Path.Combine(path, ManifestName)))
            throw new DoriException(
                $"{path}: no run folder (it has no {ManifestName}); give the folder that `dori audit -o` wrote, or where the file was lost "
                + $"the command that made the run, which writes it anew");
        RefuseLinks(path);
        return new RunFolder(path, ReadManifest(path));
    }

    /// <summary>What a run that is there was begun with; null where there is none that can be read.</summary>
    internal static int? MicroBatchOf(string path)
    {
        if (!File.Exists(System.IO.Path.Combine(path, ManifestName))) return null;
        try
        {
            return ReadManifest(path).Options.MicroBatch;
        }
        catch (DoriException)
        {
            return null;
        }
    }

    /// <summary>Verdicts and rates from the units that are there.</summary>
    public Summary Summarize() => Summarize(ReadUnits());

    internal Summary Summarize(RunUnits units) => Verdicts.Summarize(Manifest, units.Records, units.Wrong, Read(Beside.Original),
        ReadReference());

    private static RunFolder Fresh(string path, Manifest manifest, params string[] remarks) =>
        new(path, manifest) { Remarks = [.. remarks.Select(remark => $"{path}: {remark}")] };

    /// <summary>A folder without a readable manifest: this run's where one of its units is, or where there is none to lose.</summary>
    private static RunFolder Recovered(string path, Manifest manifest, string what)
    {
        var folder = new RunFolder(path, manifest);
        string[] files = folder.UnitFiles();
        int own = files.Count(folder.BelongsHere);
        if (own == 0 && (files.Length > 0 || what == "is gone"))
            throw new DoriException(files.Length == 0
                ? $"{path} is not empty and holds no {ManifestName}; choose another folder with -o"
                : $"{path}: its {ManifestName} {what}, and none of its {files.Length} units is of this command (other inputs or options, "
                    + $"or an older version); give the command that made the run, or choose another folder with -o");
        return Fresh(path, manifest,
            $"{ManifestName} {what.Replace("is ", "was ", StringComparison.Ordinal)} and has been written anew; {own} of {files.Length} "
            + $"units are this run's and are kept");
    }

    private void WriteManifest() =>
        AtomicFile.WriteText(System.IO.Path.Combine(Path, ManifestName),
            JsonSerializer.Serialize(RecordDigest.With(Manifest), AuditJson.Default.Manifest) + "\n");

    /// <summary>Whether something is there already, a run or anything else; claims, and files that are being written, are not.</summary>
    public static bool IsTaken(string path) => Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path)
        .Any(entry => System.IO.Path.GetFileName(entry) is var name && name != RunClaims.Folder && !AtomicFile.IsTemporary(name));

    /// <summary>Writes what the positive control found into the manifest, in place of an earlier one.</summary>
    public void Record(PositiveControl control)
    {
        Manifest = Manifest with { Control = control };
        WriteManifest();
    }

    /// <summary>Writes which pictures are near-duplicates into the manifest.</summary>
    internal void Record(IReadOnlyList<IReadOnlyList<string>> nearDuplicates)
    {
        Manifest = Manifest with { NearDuplicates = nearDuplicates };
        WriteManifest();
    }

    /// <summary>Puts the folder and its manifest back where somebody has taken them away during the run.</summary>
    public void Restore()
    {
        if (File.Exists(System.IO.Path.Combine(Path, ManifestName))) return;
        AtomicFile.MakeFolder(Path);
        WriteManifest();
    }

    /// <summary>Whether a unit is there with all its files, so that there is nothing to compute.</summary>
    internal bool Has(AuditUnit unit) => Whole(unit) is not null;

    /// <summary>A unit that is there with all its files; null where it is to be computed.</summary>
    internal UnitRecord? Whole(AuditUnit unit)
    {
        if (Find(unit).Record is not { } record) return null;
        IEnumerable<string> parts = record.Snapshots[^1].Pictures;
        if (unit.Start != AuditStart.Prompt) parts = parts.Append($"{Embeddings}/{unit.Id}.safetensors");
        return parts.All(part => PartPath(part) is { } path && File.Exists(path)) ? record : null;
    }

    /// <summary>Those of some units that are to be computed: not those that no verdict needs any more.</summary>
    internal IReadOnlyList<AuditUnit> Open(IReadOnlyList<AuditUnit> units)
    {
        if (!Manifest.Options.StopAtVerdict) return [.. units.Where(unit => !Has(unit))];
        var items = ReadItems().ToDictionary(item => item.Item.Id);
        return [.. units.Where(unit =>
        {
            ItemRecords item = items[unit.Item.Id];
            return item.ByStart.ContainsKey(unit.Start) ? !Has(unit) : !item.Decided;
        })];
    }

    /// <summary>Every item with its units that are there.</summary>
    internal ItemRecords[] ReadItems() => ItemRecords.Of(Manifest, ReadUnits().Records);

    /// <summary>A unit of the plan, checked against it.</summary>
    internal FoundUnit Find(AuditUnit unit)
    {
        string name = $"{Units}/{unit.Id}.json";
        if (!File.Exists(System.IO.Path.Combine(Path, name))) return default;
        (UnitRecord? record, string? problem) = ReadRecord(name);
        problem ??= UnitCheck.Problem(record!, unit, Manifest);
        return problem is null ? new FoundUnit(record, null)
            : new FoundUnit(null, $"{name} is not the unit that this run plans: {problem}");
    }

    /// <summary>All units of the plan that are there.</summary>
    internal RunUnits ReadUnits()
    {
        FoundUnit[] found = [.. AuditPlan.Of(Manifest).Select(Find)];
        return new RunUnits([.. found.Select(unit => unit.Record).OfType<UnitRecord>()],
            [.. found.Select(unit => unit.Problem).OfType<string>()]);
    }

    /// <summary>Null where there is none, or none that can be believed.</summary>
    internal UnitCost? ReadCost(string unitId)
    {
        try
        {
            return ReadPart($"{Costs}/{unitId}.json") is { } json
                && StrictJson.Read(unitId, json, AuditJson.Default.UnitCost, "a cost")
                    is { Seconds: >= 0 and < 1e9, PeakMemoryMiB: >= 0, Forward: >= 0, Backward: >= 0 } cost
                && cost.Id == unitId ? cost : null;
        }
        catch (DoriException)
        {
            return null;
        }
    }

    /// <summary>Pictures and embeddings first, the record last, with its key.</summary>
    /// <param name="result">Of this unit.</param>
    internal void Write(AuditUnit unit, UnitResult result, UnitCost cost)
    {
        Restore();
        foreach (string name in new[] { Units, Embeddings, Pictures, Costs }) AtomicFile.MakeFolder(System.IO.Path.Combine(Path, name));
        UnitRecord record = result.Record with { Key = UnitKey.Of(Manifest, unit) };
        using (torch.NewDisposeScope())
        {
            for (int k = 0; k < result.Pictures.shape[0]; k++)
                Picture.Save(System.IO.Path.Combine(Path, unit.PictureName(k)), result.Pictures[k]);
            if (result.Best is { } best) Picture.Save(System.IO.Path.Combine(Path, AuditUnit.BestPictureName(unit.Id)), best);
            if (result.Embeddings.Count > 0)
                SafetensorsWriter.Write(System.IO.Path.Combine(Path, Embeddings, unit.Id + ".safetensors"),
                    [.. result.Embeddings.SelectMany(e => e.Y.Stored($"y.{e.Step}"))]);
        }
        AtomicFile.WriteText(System.IO.Path.Combine(Path, Costs, unit.Id + ".json"),
            JsonSerializer.Serialize(cost, AuditJson.Default.UnitCost) + "\n");
        AtomicFile.WriteText(System.IO.Path.Combine(Path, Units, unit.Id + ".json"),
            JsonSerializer.Serialize(RecordDigest.With(record), AuditJson.Default.UnitRecord) + "\n");
    }

    public void WriteSummary(Summary summary) =>
        AtomicFile.WriteText(System.IO.Path.Combine(Path, SummaryName), Text(summary));

    /// <summary>As it is written.</summary>
    internal static string Text(Summary summary) => JsonSerializer.Serialize(summary, AuditJson.Default.Summary) + "\n";
}
