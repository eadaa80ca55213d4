using System.Globalization;
using Dori.Pictures;

namespace Dori.Audit;

/// <summary>
/// What a unit was computed from, as one hash: everything that decides its bytes and nothing else. Other pictures of the set do not count,
/// so a run goes on when one is added, mended or taken away; nor does the program's version, which is the schema's.
/// </summary>
internal static class UnitKey
{
    /// <summary>Whether a key is a unit's, as this run's machine computes it or another whose shard was merged.</summary>
    public static bool Fits(string key, Manifest manifest, AuditUnit unit) => key == Of(manifest, unit)
        || manifest.OtherMachines?.Any(machine => key == Of(manifest with { Machine = machine }, unit)) == true;

    /// <param name="manifest">The run's.</param>
    /// <param name="unit">One of its units.</param>
    /// <returns>64 lower-case hexadecimal digits</returns>
    public static string Of(Manifest manifest, AuditUnit unit)
    {
        AuditOptions o = manifest.Options;
        var parts = new List<(string Name, string Value)>
        {
            ("schema", UnitRecord.Current),
            ("model", manifest.Model.Sha256),
            ("item", unit.Item.Id),
            ("pictures", string.Join(' ', unit.Item.Sha256)),
            ("caption", unit.Item.Caption),
            ("start", unit.Start.Text()),
            ("seed", Text(unit.Seed)),
            ("snapshots", string.Join(' ', unit.Snapshots(o).Select(s => $"{s.Step}:{s.Generations}"))),
            ("guidance", Text(o.Guidance)),
            ("sampler", o.Sampler ?? ""),
            ("sampler steps", Text(o.SamplerSteps)),
            ("generation batch", Text(o.GenerationBatch)),
            ("mirror", o.Mirror ? "yes" : "no"),
            ("copy detector", manifest.CopyDetector.Sha256),
            ("preset", manifest.CopyDetector.TransformSha256),
            ("device", manifest.Machine.Kind),
            ("dtype", manifest.Machine.Dtype),
        };
        if (manifest.Machine.Device == "cpu") parts.Add(("threads", Text(manifest.Machine.ThreadsPerUnit)));
        if (unit.Start != AuditStart.Prompt)
            parts.AddRange(
                [("steps", Text(o.Steps)), ("batch", Text(o.SearchBatch)), ("micro-batch", Text(o.MicroBatch)),
                ("learning rate", Text(o.LearningRate))]);
        if (unit.Start != AuditStart.Prompt && o.Search is { } search) parts.Add(("search", search));
        if (unit.Start == AuditStart.Other) parts.Add(("other caption", unit.OtherCaption ?? ""));
        return Hash(parts);
    }

    /// <summary>The same of an item's denoising errors (<see cref="Likelihood"/>).</summary>
    public static string OfLikelihood(Manifest manifest, PictureItem item) => Hash(
    [
        ("schema", LikelihoodRecord.Current), ("model", manifest.Model.Sha256), ("item", item.Id),
        ("pictures", string.Join(' ', item.Sha256)), ("caption", item.Caption), ("seed", Text(manifest.Options.Seed)),
        ("batch", Text(manifest.Options.MicroBatch)), ("device", manifest.Machine.Device), ("dtype", manifest.Machine.Dtype),
        ("threads", manifest.Machine.Device == "cpu" ? Text(manifest.Machine.ThreadsPerUnit) : ""),
    ]);

    /// <summary>Every value carries its length, so that no two lists of parts are the same text.</summary>
    private static string Hash(IEnumerable<(string Name, string Value)> parts) =>
        Sha256Text.Of(string.Concat(parts.Select(part => $"{part.Name} {part.Value.Length} {part.Value}\n")));

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
