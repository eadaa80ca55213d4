namespace Dori.Audit;

/// <summary>
/// When an audited picture needs no further search: once its best similarity passes the threshold and that of every control, all of which
/// were searched to their end. Its p-value is then the smallest that there is, and whatever else were drawn could only raise its
/// similarity, so that its verdict is the one that the whole search would give. A pure function of the records.
/// </summary>
internal static class StopRule
{
    /// <param name="items">Every item of the manifest with the records at hand.</param>
    /// <returns>
    /// Similarity above which a picture is decided; null where none may be: the run does not stop, nothing will be judged, or a control's
    /// record is still missing.
    /// </returns>
    public static double? Bar(Manifest manifest, IEnumerable<ItemRecords> items)
    {
        if (!manifest.Options.StopAtVerdict || manifest.Control is not { Holds: true }) return null;
        ItemRecords[] controls = [.. items.Where(item => item.Counts)];
        if (NearDuplicates.Count(controls) < Verdicts.ControlsNeeded || controls.Any(control => !control.Complete)) return null;
        return Math.Max(manifest.Options.Threshold, controls.Max(control => control.Best(_ => true).Similarity));
    }

    /// <summary>Why a run that may stop does not, said for a person; null where it does, or was not asked to.</summary>
    public static string? Obstacle(Manifest manifest, IEnumerable<ItemRecords> items) =>
        !manifest.Options.StopAtVerdict || Bar(manifest, items) is not null ? null
        : manifest.Control is not { Holds: true } || NearDuplicates.Count(items.Where(item => item.Counts)) < Verdicts.ControlsNeeded
            ? "nothing will be judged, so that no picture can stop at its verdict: each is searched to its end"
        : "controls are missing here (other shards compute them), so that no picture can stop at its verdict: each is searched to its end";
}
