using System.Text.Json;
using Dori.Checkpoints;
using Dori.Diffusion;
namespace Dori.Audit;

// The ladder's rungs, and further random starts: run folders in this one, of the same pictures, each with its own search or seed.
public sealed partial class RunFolder
{
    private const string LadderFolder = "ladder", PathsFolder = "paths", Bits = "bits";

    /// <summary>Makes a rung's folder, or opens it to add to.</summary>
    /// <param name="search">What its search says of itself.</param>
    /// <param name="numbers">That it moves.</param>
    internal RunFolder CreateRung(Rung rung, string search, long numbers) => CreatePart(LadderFolder, rung.Folder,
        Manifest.Options with { Starts = [AuditStart.Caption], Search = $"{search}; {numbers} numbers" });

    /// <summary>A rung's folder; null where the ladder was not climbed so far, or it is of another run.</summary>
    internal RunFolder? OpenRung(Rung rung) => OpenPart(LadderFolder, rung.Folder);

    /// <summary>Makes the folder of a further random start of every item, or opens it to add to.</summary>
    /// <param name="path">From 1: its seed is so much larger than the run's.</param>
    internal RunFolder CreatePath(int path) => CreatePart(PathsFolder, $"{path}",
        Manifest.Options with { Starts = [AuditStart.Random], Seed = Manifest.Options.Seed + path });

    /// <inheritdoc cref="CreatePath"/>
    /// <returns>Null where it is not there, or of another run.</returns>
    internal RunFolder? OpenPath(int path) => OpenPart(PathsFolder, $"{path}");

    private RunFolder CreatePart(string folder, string name, AuditOptions options)
    {
        if (IsLink(System.IO.Path.Combine(Path, folder)))
            throw new DoriException($"{Path}: {folder} is a link; a run's folders lie in the run folder itself");
        return Create(System.IO.Path.Combine(Path, folder, name), Manifest with
        {
            Original = null, Reference = null, Notes = [],
            Options = options with { StopAtVerdict = false, StopAtCopy = true }, // no more is asked than whether there is a copy
        });
    }

    private RunFolder? OpenPart(string folder, string name)
    {
        string path = System.IO.Path.Combine(Path, folder, name);
        if (IsLink(System.IO.Path.Combine(Path, folder)) || !File.Exists(System.IO.Path.Combine(path, ManifestName))) return null;
        try
        {
            RunFolder there = Open(path);
            return there.Manifest.Model.Sha256 == Manifest.Model.Sha256 && there.Manifest.SamePictures(Manifest)
                && there.Manifest.CopyDetector == Manifest.CopyDetector && there.Manifest.Options.StopAtCopy ? there : null;
        }
        catch (DoriException)
        {
            return null;
        }
    }

    /// <summary>The embedding that brought the copy back, and after how many steps.</summary>
    internal (int Step, Conditioning Y) ReadFind(AuditUnit unit)
    {
        int step = Find(unit).Record!.Snapshots.MaxBy(snapshot => snapshot.Best)!.Step;
        using SafetensorsFile file = SafetensorsFile.Open(System.IO.Path.Combine(Path, Embeddings, $"{unit.Id}.safetensors"));
        return (step, Conditioning.Read(file, $"y.{step}"));
    }

    /// <summary>What a find takes; null where it was not weighed.</summary>
    internal FindBitsRecord? FindBits(AuditUnit unit)
    {
        try
        {
            return ReadPart($"{Bits}/{unit.Id}.json") is { } json
                && StrictJson.Read(unit.Id, json, AuditJson.Default.FindBitsRecord, InputKind.UnitRecord.Name) is var record
                && record.Schema == FindBitsRecord.Current && record.Key == UnitKey.Of(Manifest, unit) ? record : null;
        }
        catch (DoriException)
        {
            return null;
        }
    }

    internal void Write(AuditUnit unit, FindBitsRecord record)
    {
        AtomicFile.MakeFolder(System.IO.Path.Combine(Path, Bits));
        AtomicFile.WriteText(System.IO.Path.Combine(Path, Bits, unit.Id + ".json"),
            JsonSerializer.Serialize(record, AuditJson.Default.FindBitsRecord) + "\n");
    }

    /// <summary>How many random starts succeed; null where none were tried.</summary>
    internal PathsSummary? ReadPaths() =>
        PathsSummary.Of(Manifest, [.. Enumerable.Range(1, PathsSummary.Most).Select(OpenPath).TakeWhile(path => path is not null)
            .Select(path => path!)]);

    /// <summary>What the ladder found; null where it was not climbed.</summary>
    internal LadderSummary? ReadLadder() => LadderSummary.Of(Manifest,
        [.. Rung.Names.Select(rung => (Rung: rung, Folder: OpenRung(rung))).TakeWhile(pair => pair.Folder is not null)
            .Select(pair => (pair.Rung, pair.Folder!))]);
}
