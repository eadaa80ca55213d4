namespace Dori.Audit;

public sealed partial class RunFolder
{
    /// <summary>Takes over the units of other shards of the same run that are not here yet. All are checked before anything is
    /// written.</summary>
    /// <param name="anyMachine">
    /// Whether shards of another kind of device, in other numbers or with another number of threads, are taken too: their last digits may
    /// differ. The manifest then names them.
    /// </param>
    /// <returns>How many from each, and the names of files in it that are no units of this run: those stay where they are.</returns>
    /// <exception cref="DoriException">A folder holds another run, or a unit that is not this run's; nothing was written.</exception>
    public IReadOnlyList<(int Taken, IReadOnlyList<string> PassedOver)> Merge(IReadOnlyList<RunFolder> others, bool anyMachine = false)
    {
        if (others.Count == 0) return [];
        RefuseUnlessShards(others, anyMachine);
        (Beside Which, RunFolder? Own, RunFolder?[] Theirs)[] beside = [.. Enum.GetValues<Beside>().Select(which =>
        {
            RunFolder?[] theirs = [.. others.Select(other => other.OpenBeside(which))];
            RunFolder? own = OpenBeside(which)
                ?? (theirs.OfType<RunFolder>().FirstOrDefault() is { } first ? new RunFolder(PathOf(which), first.Manifest) : null);
            own?.RefuseUnlessShards([.. theirs.OfType<RunFolder>()], anyMachine);
            return (which, own, theirs);
        })];
        TakeMachines(others);
        foreach ((Beside _, RunFolder? own, RunFolder?[] theirs) in beside)
        {
            own?.Restore();
            own?.TakeMachines([.. theirs.OfType<RunFolder>()]);
        }
        return [.. others.Select((other, i) =>
        {
            (int taken, IReadOnlyList<string> passed) = Take(other);
            foreach ((Beside which, RunFolder? own, RunFolder?[] theirs) in beside)
            {
                if (theirs[i] is not { } folder) continue;
                (int more, IReadOnlyList<string> further) = own!.Take(folder);
                (taken, passed) = (taken + more, [.. passed, .. further.Select(file => $"{which.Text()}/{file}")]);
            }
            return (taken, passed);
        })];
    }

    /// <summary>Before their units: those count only where their machine is known.</summary>
    private void TakeMachines(IReadOnlyList<RunFolder> others)
    {
        Manifest all = others.Aggregate(Manifest, (manifest, other) => manifest.WithMachinesOf(other.Manifest));
        if ((all.OtherMachines?.Count ?? 0) == (Manifest.OtherMachines?.Count ?? 0)) return;
        Manifest = all;
        WriteManifest();
    }

    private void RefuseUnlessShards(IReadOnlyList<RunFolder> others, bool anyMachine)
    {
        Dictionary<string, AuditUnit> plan = UnitsByFile();
        foreach (RunFolder other in others)
        {
            if (Shard(other.Manifest, anyMachine) is { } conflict)
                throw new DoriException($"{other.Path} is no shard of {Path}: {conflict}"
                    + (Shard(other.Manifest, anyMachine: true) is null ? "; `MixedDevices` merges them all the same, and the report says so"
                    : ""));
            foreach (string file in other.UnitFiles().Where(plan.ContainsKey))
                if (other.Find(plan[file]).Problem is { } problem)
                    throw new DoriException(
                        $"{other.Path}: {problem}; nothing was taken over. Give the shard's own command again, which computes it anew, or "
                        + $"take the file away");
        }
    }

    private Dictionary<string, AuditUnit> UnitsByFile() => AuditPlan.Of(Manifest).ToDictionary(unit => $"{Units}/{unit.Id}.json");

    private string? Shard(Manifest other, bool anyMachine) => Manifest.Conflict(other, anyMachine)
        ?? (!Manifest.Bound
            ? "both are of an older version, whose units do not say what they were computed from; merge them with the version that made "
            + "them"
        : Manifest.Control?.Holds != other.Control?.Holds
            ? $"its positive control {other.Control?.InOneLine ?? "is not recorded"}, and here "
                + (Manifest.Control?.InOneLine ?? "none is recorded")
        : Enum.GetValues<Beside>().Where(which => Manifest.ModelOf(which)?.Sha256 != other.ModelOf(which)?.Sha256)
            .Select(which => (Beside?)which).FirstOrDefault() is { } which
            ? $"its {which.Text()} is {other.ModelOf(which)?.Name ?? "none"}, and here {Manifest.ModelOf(which)?.Name ?? "none"}; give "
                + "both the same (their SHA-256 are compared)"
        : !Manifest.SamePictures(other) ? "its picture set is another one; give the shard's command again with the same pictures"
        : null);

    private (int, IReadOnlyList<string>) Take(RunFolder other)
    {
        Dictionary<string, AuditUnit> plan = UnitsByFile();
        int taken = 0;
        var passed = new List<string>();
        foreach (string file in other.UnitFiles())
        {
            if (!plan.TryGetValue(file, out AuditUnit? unit))
            {
                passed.Add(file);
                continue;
            }
            if (Has(unit)) continue;
            CopyUnit(other, unit);
            taken++;
        }
        Copy(other,
            [.. Manifest.Pictures.Items.SelectMany(item => item.Sha256).Distinct().Select(OriginalName)
            .Where(name => ReadPart(name) is null)]);
        TakeLikelihoods(other);
        return (taken, passed);
    }

    /// <summary>All files of a unit, its record last. Names come from the plan, never from the record.</summary>
    private void CopyUnit(RunFolder other, AuditUnit unit)
    {
        int pictures = other.Find(unit).Record?.Snapshots[^1].Pictures.Count ?? 0;
        Copy(other, [.. Enumerable.Range(0, pictures).Select(unit.PictureName), AuditUnit.BestPictureName(unit.Id),
            $"{Embeddings}/{unit.Id}.safetensors", $"{Costs}/{unit.Id}.json", $"{Units}/{unit.Id}.json"]);
    }

    private void Copy(RunFolder other, IReadOnlyList<string> parts)
    {
        foreach (string part in parts)
        {
            if (other.ReadPart(part) is not { } bytes) continue;
            string to = System.IO.Path.Combine(Path, part);
            AtomicFile.MakeFolder(System.IO.Path.GetDirectoryName(to)!);
            AtomicFile.WriteBytes(to, bytes);
        }
    }
}
