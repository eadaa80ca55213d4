using System.Globalization;
using System.Text.Json.Serialization;
using Dori.Measures;

namespace Dori.Audit;

/// <summary>
/// What the original gives back of the audited pictures: the ancestor that is expected to hold them, searched from the same starts with
/// the same options and seeds. It is the positive control of the search itself, and its rate the audit's power (docs/verdicts.md).
/// </summary>
public sealed record OriginalSummary
{
    public required string Name { get; init; }
    public required string Sha256 { get; init; }
    /// <summary>The original's own positive control; null where none is recorded.</summary>
    public required PositiveControl? Control { get; init; }
    /// <summary>Audited items.</summary>
    public required int Asked { get; init; }
    /// <summary>Of them, those with a generation above the threshold from any start.</summary>
    public required int GivenBack { get; init; }
    /// <summary>By the prompt alone.</summary>
    public required int GivenBackByPrompt { get; init; }
    /// <summary>Its units that are not there: more than 0 says that its answer is not complete.</summary>
    public required int MissingUnits { get; init; }
    /// <summary>
    /// The share that is given back, with its exact (Clopper-Pearson) 95 % interval; null where it is not known yet, or its positive
    /// control does not hold.
    /// </summary>
    public required Rate? Power { get; init; }
    /// <summary>In the manifest's order.</summary>
    public required IReadOnlyList<OriginalPicture> Pictures { get; init; }

    /// <summary>
    /// Whether it shows that the search can find pictures of this set: only then does it mean something that another model gives none back.
    /// </summary>
    [JsonIgnore]
    public bool Shows => Power is not null && GivenBack > 0;

    /// <summary>What stands in its way, in a sentence without a full stop; null where nothing does.</summary>
    [JsonIgnore]
    public string? Obstacle =>
        MissingUnits > 0 ? $"the original's answer is not complete: {MissingUnits} of its units are missing"
        : Control is null ? "no positive control of the original is recorded"
        : !Control.Holds ? $"the original's positive control {Control.InOneLine}"
        : GivenBack == 0 ? $"the original, which is expected to hold them, gives back none of {Asked} pictures under the same settings, "
            + "so that the search is not shown to find any of them"
        : null;

    /// <summary>"gives back 14 of 16 pictures (0.88, exact 95 % interval 0.62 to 0.98), 12 of them by prompt".</summary>
    [JsonIgnore]
    public string InOneLine => string.Create(CultureInfo.InvariantCulture, $"gives back {GivenBack} of {Asked} pictures")
        + (Power is { } power
            ? power.Count == 0 ? string.Create(CultureInfo.InvariantCulture, $" (at most {power.High:0.00}, exact one-sided 95 % bound)")
                : string.Create(CultureInfo.InvariantCulture,
                    $" ({power.Value:0.00}, exact 95 % interval {power.Low:0.00} to {power.High:0.00})")
            : "")
        + $", {GivenBackByPrompt} by prompt";

    /// <returns>Null where the manifest names no original.</returns>
    /// <param name="units">What is there; null: nothing.</param>
    internal static OriginalSummary? Of(Manifest manifest, BesideUnits? units)
    {
        if (manifest.Original is not { } model) return null;
        double threshold = manifest.Options.Threshold;
        ItemRecords[] asked = [.. ItemRecords.Of(manifest, units?.Records ?? []).Where(item => !item.IsControl)];
        OriginalPicture[] pictures = [.. asked.Select(item => Picture(item, threshold))];
        int given = pictures.Count(picture => picture.GivenBack);
        bool known = asked.All(item => item.Complete) && units?.Control is { Holds: true };
        return new OriginalSummary
        {
            Name = model.Name,
            Sha256 = model.Sha256,
            Control = units?.Control,
            Asked = asked.Length,
            GivenBack = given,
            GivenBackByPrompt = pictures.Count(picture => picture.PromptSimilarity > threshold),
            MissingUnits = asked.Length * manifest.Options.Starts.Count - asked.Sum(item => item.ByStart.Count),
            Power = known ? Statistics.ExactShare(NearDuplicates.Count(asked.Zip(pictures).Where(p => p.Second.GivenBack)
                .Select(p => p.First)), NearDuplicates.Count(asked)) : null,
            Pictures = pictures,
        };
    }

    private static OriginalPicture Picture(ItemRecords item, double threshold)
    {
        (double similarity, AuditStart? start, int step) = item.Best(_ => true);
        return new OriginalPicture(item.Item.Id, similarity, start, step, item.Best(s => s == AuditStart.Prompt).Similarity,
            similarity > threshold,
            item.Complete);
    }

    /// <summary>What a reader must know of it, one sentence each.</summary>
    /// <param name="pictures">As judged.</param>
    /// <param name="notes">What was read of it otherwise than it says.</param>
    internal IEnumerable<string> Warnings(IReadOnlyList<PictureSummary> pictures, IReadOnlyList<string> notes)
    {
        if (Obstacle is { } obstacle)
            yield return $"{char.ToUpperInvariant(obstacle[0])}{obstacle[1..]}; pictures that were not found are not judged."
                + (MissingUnits > 0 ? " The command that made the run, with the original, computes them." : "");
        string[] doubtful = [.. pictures.Where(NotShown).Select(picture => picture.Item)];
        if (doubtful.Length > 0)
            yield return $"{doubtful.Length} pictures that were not found the original did not give back either: "
                + $"{string.Join(", ", doubtful.Take(20))}{(doubtful.Length > 20 ? ", ..." : "")}. This search may not be able to find "
                    + $"them.";
        foreach (string note in notes) yield return $"The original: {note}";
    }

    /// <summary>Whether a picture was not found that the original did not give back either.</summary>
    internal bool NotShown(PictureSummary picture) =>
        picture.Verdict == Verdict.NotFound && Of(picture) is { Complete: true, GivenBack: false };

    /// <summary>What it gives back of a picture; null where that is none of the audited ones.</summary>
    internal OriginalPicture? Of(PictureSummary picture) => Pictures.FirstOrDefault(of => of.Item == picture.Item);
}
