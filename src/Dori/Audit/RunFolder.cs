using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Dori.Checkpoints;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Audit;

/// <summary>Time and memory of a unit: kept apart from its record, whose bytes must not depend on them.</summary>
/// <param name="PeakMemoryMiB">The process's peak so far, all workers together.</param>
public sealed record UnitCost(string Id, double Seconds, long PeakMemoryMiB);

/// <summary>
/// The run folder on disk (layout in docs/audit.md). Every file appears whole or not at all; a unit exists once its record does, which is
/// written last.
/// </summary>
public sealed class RunFolder
{
    private RunFolder(string path) => Path = path;

    public string Path { get; }

    /// <summary>Opens a run folder to add to, or makes it.</summary>
    /// <exception cref="DoriException">It holds another run.</exception>
    public static RunFolder Create(string path, Manifest manifest)
    {
        var folder = new RunFolder(path);
        string file = System.IO.Path.Combine(path, "manifest.json");
        if (File.Exists(file))
        {
            if (folder.ReadManifest().Conflict(manifest) is { } conflict)
                throw new DoriException($"{path} holds another run ({conflict}); choose another folder with -o, or give the same options to resume it");
            return folder;
        }
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new DoriException($"{path} is not empty and holds no manifest.json; choose another folder with -o");
        AtomicFile.MakeFolder(path);
        AtomicFile.WriteText(file, JsonSerializer.Serialize(manifest, AuditJson.Default.Manifest) + "\n");
        return folder;
    }

    /// <summary>Opens a run folder to read.</summary>
    /// <exception cref="DoriException">It is none.</exception>
    public static RunFolder Open(string path)
    {
        if (!File.Exists(System.IO.Path.Combine(path, "manifest.json")))
            throw new DoriException($"{path}: no run folder (it has no manifest.json); give the folder that `dori audit -o` wrote");
        return new RunFolder(path);
    }

    public Manifest ReadManifest() => Read(System.IO.Path.Combine(Path, "manifest.json"), AuditJson.Default.Manifest);

    public bool Has(string unitId) => File.Exists(RecordPath(unitId));

    /// <summary>The record of a unit that is there.</summary>
    public UnitRecord ReadUnit(string unitId) => Read(RecordPath(unitId), AuditJson.Default.UnitRecord);

    /// <summary>The records of all units of the run that are there, in the order of its pictures and starts.</summary>
    public IReadOnlyList<UnitRecord> ReadUnits(Manifest manifest) =>
        [.. manifest.Pictures.Items.SelectMany(item => manifest.Options.Starts.Select(start => $"{item.Id}-{start}-{manifest.Options.Seed}")).Where(Has).Select(ReadUnit)];

    public UnitCost? ReadCost(string unitId)
    {
        string path = System.IO.Path.Combine(Path, "costs", unitId + ".json");
        return File.Exists(path) ? Read(path, AuditJson.Default.UnitCost) : null;
    }

    /// <summary>Pictures and embeddings first, the record last.</summary>
    public void Write(UnitResult result, UnitCost cost)
    {
        foreach (string name in new[] { "units", "embeddings", "pictures", "costs" }) AtomicFile.MakeFolder(System.IO.Path.Combine(Path, name));
        UnitRecord record = result.Record;
        using (torch.NewDisposeScope())
        {
            IReadOnlyList<string> names = record.Snapshots[^1].Pictures;
            for (int k = 0; k < names.Count; k++) Picture.Save(System.IO.Path.Combine(Path, names[k]), result.Pictures[k]);
            if (result.Embeddings.Count > 0)
                SafetensorsWriter.Write(System.IO.Path.Combine(Path, "embeddings", record.Id + ".safetensors"),
                    [.. result.Embeddings.SelectMany(e => e.Y.Stored($"y.{e.Step}"))]);
        }
        AtomicFile.WriteText(System.IO.Path.Combine(Path, "costs", record.Id + ".json"), JsonSerializer.Serialize(cost, AuditJson.Default.UnitCost) + "\n");
        AtomicFile.WriteText(RecordPath(record.Id), JsonSerializer.Serialize(record, AuditJson.Default.UnitRecord) + "\n");
    }

    /// <summary>Takes over the units of another shard of the same run that are not here yet.</summary>
    /// <returns>How many.</returns>
    /// <exception cref="DoriException">The other folder holds another run.</exception>
    public int Merge(RunFolder other)
    {
        if (ReadManifest().Conflict(other.ReadManifest()) is { } conflict) throw new DoriException($"{other.Path} is no shard of {Path}: {conflict}");
        string units = System.IO.Path.Combine(other.Path, "units");
        int taken = 0;
        string[] files = Directory.Exists(units) ? Directory.GetFiles(units, "*.json") : [];
        foreach (string file in files.Order(StringComparer.Ordinal))
        {
            string id = System.IO.Path.GetFileNameWithoutExtension(file);
            if (Has(id)) continue;
            UnitRecord record = other.ReadUnit(id);
            string[] parts = [.. record.Snapshots.SelectMany(s => s.Pictures), $"embeddings/{id}.safetensors", $"costs/{id}.json", $"units/{id}.json"];
            foreach (string part in parts)
            {
                string from = System.IO.Path.Combine(other.Path, part), to = System.IO.Path.Combine(Path, part);
                if (!File.Exists(from)) continue;
                AtomicFile.MakeFolder(System.IO.Path.GetDirectoryName(to)!);
                AtomicFile.WriteBytes(to, InputFile.ReadBytes(from, InputKind.Picture));
            }
            taken++;
        }
        return taken;
    }

    public void WriteSummary(Summary summary) =>
        AtomicFile.WriteText(System.IO.Path.Combine(Path, "summary.json"), JsonSerializer.Serialize(summary, AuditJson.Default.Summary) + "\n");

    private string RecordPath(string unitId) => System.IO.Path.Combine(Path, "units", unitId + ".json");

    private static T Read<T>(string path, JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return InputFile.ReadJson(path, InputKind.Record, type);
        }
        catch (DoriException e)
        {
            throw new DoriException($"{e.Message} (written by another version, or damaged: delete this one file to compute it again)", e);
        }
    }
}
