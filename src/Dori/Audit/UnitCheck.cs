namespace Dori.Audit;

/// <summary>Whether a record is the unit that a run plans, read as if a stranger had written it.</summary>
internal static class UnitCheck
{
    /// <summary>Cosines of float32 descriptors may pass 1 by rounding.</summary>
    private const float Largest = 1 + 1e-3f;

    /// <returns>What is wrong first, said for a person; null where nothing is.</returns>
    public static string? Problem(UnitRecord record, AuditUnit unit, Manifest manifest) =>
        Binding(record, unit, manifest) ?? Identity(record, unit) ?? Losses(record, unit, manifest.Options)
            ?? Snapshots(record, unit, manifest.Options)
            ?? (!manifest.Bound || RecordDigest.Fits(record) ? null : "it was changed after it was written: its digest is not its own");

    private static string? Binding(UnitRecord record, AuditUnit unit, Manifest manifest)
    {
        string schema = manifest.Bound ? UnitRecord.Current : UnitRecord.Unbound;
        if (record.Schema != schema) return $"its schema is {record.Schema}, this run's units have {schema}";
        if (!manifest.Bound) return record.Key.Length == 0 ? null : "a record of this schema has no key";
        return UnitKey.Fits(record.Key, manifest, unit) ? null
            : "its key says that it was computed from something else (another model, picture, caption, option or kind of machine)";
    }

    private static string? Identity(UnitRecord record, AuditUnit unit)
    {
        (string Name, string Here, string Planned)[] fields =
        [
            ("id", record.Id, unit.Id),
            ("item", record.Item, unit.Item.Id),
            ("role", record.Role.Text(), unit.Item.Role.Text()),
            ("kind", record.Kind.Text(), unit.Item.Kind.Text()),
            ("caption", record.Caption, unit.Item.Caption),
            ("start", record.Start.Text(), unit.Start.Text()),
            ("seed", $"{record.Seed}", $"{unit.Seed}"),
        ];
        foreach ((string name, string here, string planned) in fields)
            if (here != planned) return $"its {name} is \"{here}\", \"{planned}\" is planned";
        return record.Files.SequenceEqual(unit.Item.Files) ? null : "its files are not the item's";
    }

    private static string? Losses(UnitRecord record, AuditUnit unit, AuditOptions options)
    {
        int steps = unit.Start == AuditStart.Prompt ? 0 : record.StoppedAfter(options) ?? options.Steps;
        if (record.Losses.Count != steps) return $"it has {record.Losses.Count} losses, {steps} are planned";
        return record.Losses.All(float.IsFinite) ? null : "a loss is not a number";
    }

    private static string? Snapshots(UnitRecord record, AuditUnit unit, AuditOptions options)
    {
        int? stopped = record.StoppedAfter(options);
        IReadOnlyList<(int Step, int Generations, bool Last)> plan = unit.Snapshots(options, stopped);
        if (record.Snapshots.Any(snapshot => snapshot is null)) return "a snapshot is null";
        if (!record.Snapshots.Select(snapshot => snapshot.Step).SequenceEqual(plan.Select(p => p.Step)))
            return $"its snapshots are after {string.Join(", ", record.Snapshots.Take(10).Select(s => s.Step))} steps, "
                + $"{string.Join(", ", plan.Select(p => p.Step))} are planned";
        for (int i = 0; i < plan.Count; i++)
            if (Problem(record.Snapshots[i], plan[i], unit, options) is { } problem) return $"after {plan[i].Step} steps {problem}";
        return stopped is null || (plan.Count > 0 && plan[^1].Last && record.Snapshots[^1].Best > options.Threshold) ? null
            : $"it stopped after {stopped} steps, where nothing was decided";
    }

    private static string? Problem(Snapshot snapshot, (int Step, int Generations, bool Last) plan, AuditUnit unit, AuditOptions options)
    {
        if (snapshot.Similarities.Count != plan.Generations)
            return $"there are {snapshot.Similarities.Count} similarities, {plan.Generations} are planned";
        // NaN too
        if (!snapshot.Similarities.Append(snapshot.Diversity).All(value => MathF.Abs(value) <= Largest))
            return "a similarity lies outside -1 to 1";
        IEnumerable<string> pictures = plan.Last ? Enumerable.Range(0, plan.Generations).Select(unit.PictureName) : [];
        if (!snapshot.Pictures.SequenceEqual(pictures)) return "the pictures' names are not the unit's";
        bool ascending = snapshot.Mirrored.Zip(snapshot.Mirrored.Skip(1)).All(pair => pair.First < pair.Second);
        if (!ascending || snapshot.Mirrored.Any(n => n < 0 || n >= plan.Generations)) return "the mirrored generations are not the unit's";
        return options.Mirror || snapshot.Mirrored.Count == 0 ? null : "mirror images are marked, which this run does not count";
    }
}
