using System.Security.Cryptography;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;

namespace Dori.Signing;

/// <summary>A unit that was computed again.</summary>
/// <param name="SameBytes">Record, pictures and embeddings.</param>
/// <param name="Difference">The largest between two similarities; infinite where a snapshot is missing.</param>
/// <param name="Holds">The same bytes on the machine that the run names, else similarities within <see
/// cref="Recomputation.Within"/>.</param>
internal sealed record RecomputedUnit(string Id, bool SameBytes, double Difference, bool Holds);

/// <summary>Computes units of a run again, in a folder of its own, and holds what comes out against what lies there.</summary>
internal sealed class Recomputation(RunFolder run, Checkpoint checkpoint, PictureSet pictures, Machine machine, RunWatch watch)
{
    /// <summary>Of similarities, on another machine.</summary>
    public const double Within = 0.02;

    /// <summary>A TorchScript file or folder; null: the model's own.</summary>
    public string? CopyDetector { get; init; }
    public string? Preset { get; init; }

    /// <summary>Units drawn by the operating system's random numbers, so that nobody can prepare a few.</summary>
    /// <exception cref="DoriException">Model, copy detector or a picture is not the run's, or the run has no unit.</exception>
    public IReadOnlyList<RecomputedUnit> Run(int count)
    {
        Manifest manifest = run.Manifest;
        using TorchScriptCopyDetector detector = CopyDetectors.Load(checkpoint.Folder ?? checkpoint.Path, CopyDetector, Preset,
            machine.Device, "generations are compared with pictures by one");
        Require("model", checkpoint.Path, ManifestModel.Of(checkpoint).Sha256, manifest.Model.Sha256);
        Require("copy detector", manifest.CopyDetector.Name, detector.Sha256, manifest.CopyDetector.Sha256);
        using DiffusionModel model = DiffusionModel.Load(checkpoint, machine.Device, machine.Dtype);
        Workers workers = machine.WorkersFor(model);
        workers = workers with { ThreadsEach = manifest.Machine.ThreadsPerUnit };
        ManifestMachine here = Manifest.Of(checkpoint, pictures, detector, manifest.Options, machine, workers, "").Machine;
        AuditUnit[] units = Draw(count);
        string folder = Directory.CreateTempSubdirectory("dori-verify-").FullName;
        try
        {
            RunFolder again = RunFolder.Create(Path.Combine(folder, "run"), manifest with { Machine = here });
            var runner = new AuditRunner(new UnitRunner(model, detector, manifest.Options), again);
            runner.Run(units, workers, (unit, share) =>
                { if (share == 1) watch.Say($"computed again: {unit.Id}"); }, watch.Cancellation);
            return [.. units.Select(unit => Compare(unit, again, here == manifest.Machine))];
        }
        finally { Directory.Delete(folder, recursive: true); }
    }

    private static void Require(string what, string name, string sha256, string wanted)
    {
        if (sha256 != wanted) throw new DoriException($"{name}: not the {what} of this run (SHA-256 {sha256}; the run's is {wanted})");
    }

    private AuditUnit[] Draw(int count)
    {
        AuditUnit[] there = [.. AuditPlan.Of(run.Manifest).Where(unit => run.Find(unit).Record is not null)];
        if (there.Length == 0) throw new DoriException($"{run.Path}: it has no unit to compute again");
        int[] order = [.. Enumerable.Range(0, there.Length)];
        RandomNumberGenerator.Shuffle(order.AsSpan());
        return [.. order.Take(count).Order().Select(index => there[index] with { Item = Picture(there[index].Item) })];
    }

    /// <summary>The item as it lies in the set, with the pictures that the run saw.</summary>
    private PictureItem Picture(PictureItem item)
    {
        PictureItem? found = pictures.Items.FirstOrDefault(other => other.Id == item.Id && other.Sha256.SequenceEqual(item.Sha256))
            ?? pictures.Items.FirstOrDefault(other => other.Sha256.SequenceEqual(item.Sha256));
        return found is null
            ? throw new DoriException($"{pictures.Path}: the pictures of {item.Id} are not there, or not those of the run; "
            + "name their folder with `Images`, and that of the controls with `Controls`") : item with
        {
            Folder = found.Folder, Files = found.Files, Origin = found.Origin,
        };
    }

    private RecomputedUnit Compare(AuditUnit unit, RunFolder again, bool sameMachine)
    {
        UnitRecord mine = run.Find(unit).Record!, theirs = again.Find(unit).Record!;
        bool stopped = mine.StoppedAfter(run.Manifest.Options) is not null; // here it runs on
        string[] parts = [$"{RunFolder.Units}/{unit.Id}.json", .. mine.Snapshots[^1].Pictures,
            .. unit.Start == AuditStart.Prompt ? [] : new[] { $"{RunFolder.Embeddings}/{unit.Id}.safetensors" }];
        bool same = parts.All(part => run.ReadPart(part) is { } a && again.ReadPart(part) is { } b && a.AsSpan().SequenceEqual(b));
        double difference =
            mine.Snapshots.Max(snapshot => theirs.Snapshots.FirstOrDefault(other => other.Step == snapshot.Step) is { } other
            ? Largest(snapshot, other) : double.PositiveInfinity);
        return new RecomputedUnit(unit.Id, same, difference, same || (difference <= Within && (stopped || !sameMachine)));
    }

    private static double Largest(Snapshot a, Snapshot b) => a.Similarities.Count > b.Similarities.Count ? double.PositiveInfinity
        : a.Similarities.Zip(b.Similarities, (x, y) => Math.Abs((double)x - y)).DefaultIfEmpty(0).Max();
}
