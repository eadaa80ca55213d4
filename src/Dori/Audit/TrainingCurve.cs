using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Checkpoints.Adapters;
using Dori.Measures;
using Dori.Pictures;

namespace Dori.Audit;

/// <summary>What one checkpoint of a training still gives back.</summary>
/// <param name="Run">Its run folder, within the training's.</param>
/// <param name="Steps">Training steps; null where nothing says them.</param>
/// <param name="OrderBy">What its place was told by.</param>
/// <param name="Seen">How often the training had shown each picture by then, as the file's metadata says; null where it does not.</param>
/// <param name="Judged">Pictures with a verdict.</param>
/// <param name="ByPrompt">Pictures that come back above the threshold by their caption alone, of all audited.</param>
/// <param name="Copies">Pictures that come back above the threshold from any start.</param>
/// <param name="ControlCopies">Controls that do.</param>
/// <param name="Median">Of the pictures' best similarity.</param>
internal sealed record TrainingPoint(string Name, string Run, long? Steps, long? Epoch, string OrderBy, string? Seen, int Pictures,
    int Judged, int Retained, int Undecided, Rate ByPrompt, Rate Copies, Rate ControlCopies, double Median);

/// <summary>A picture and the first checkpoint that holds it.</summary>
/// <param name="First">The name of the first checkpoint that retains it; null where none does.</param>
/// <param name="Lost">Whether a later one does not retain it any more.</param>
internal sealed record TrainingPicture(string Item, string Caption, int? Repeats, string? First, bool Lost);

/// <summary><c>training.json</c>: copies over a training, and when it began to memorize.</summary>
internal sealed record TrainingCurve(string Schema, string CopyDetector, double Threshold, IReadOnlyList<TrainingPoint> Points,
    IReadOnlyList<TrainingPicture> Pictures, IReadOnlyList<string> Warnings)
{
    /// <summary>The first checkpoint that retains a picture; null where none does.</summary>
    [JsonIgnore]
    public TrainingPoint? Began => Points.FirstOrDefault(point => point.Retained > 0);

    /// <param name="runs">In the training's order, each with its run's name and summary, all of the same pictures and options.</param>
    public static TrainingCurve Of(IReadOnlyList<(TrainingPlace Place, string Run, string? Seen, Summary Summary)> runs)
    {
        Summary last = runs[^1].Summary;
        return new TrainingCurve("dori.training/1", last.CopyDetector, last.Threshold, [.. runs.Select(run => Point(run.Place, run.Run,
            run.Seen, run.Summary))], [.. Audited(last).Select(picture => Picture(picture, runs))],
            [.. runs.SelectMany(run => run.Summary.Warnings).Distinct()]);
    }

    /// <summary>In one line.</summary>
    public string InOneLine() => Points.All(point => point.Judged == 0) ? "No checkpoint was judged."
        : Began is not { } began ? "No checkpoint retains a picture."
        : $"{began.Name}{(began.Steps is { } steps ? $" ({steps} steps)" : began.Epoch is { } epoch ? $" (epoch {epoch})" : "")} is the "
            + $"first to retain one: {began.Retained} of {began.Pictures}; the last retains {Points[^1].Retained}.";

    public string ToJson() => JsonSerializer.Serialize(this, TrainingJson.Default.TrainingCurve);

    private static PictureSummary[] Audited(Summary summary) => [.. summary.Pictures.Where(p => p.Role != PictureRole.Control)];

    private static TrainingPoint Point(TrainingPlace place, string run, string? seen, Summary summary)
    {
        PictureSummary[] audited = Audited(summary);
        int distinct = audited.DistinctBy(summary.DistinctOf).Count();
        int Above(Func<PictureSummary, double> similarity) =>
            audited.Where(p => similarity(p) > summary.Threshold).DistinctBy(summary.DistinctOf).Count();
        return new TrainingPoint(place.Name, run, place.Steps, place.Epoch, place.Said, seen, audited.Length,
            audited.Count(p => p.Verdict != Verdict.NotJudged), audited.Count(p => p.Verdict == Verdict.Retained),
            audited.Count(p => p.Verdict == Verdict.Undecided), Statistics.Share(Above(p => p.PromptSimilarity), distinct),
            Statistics.Share(Above(p => p.Similarity), distinct),
            Statistics.Share(summary.Controls.AboveThreshold, summary.Controls.Items),
            audited.Length == 0 ? 0 : Statistics.Median(audited.Select(p => p.Similarity)));
    }

    private static TrainingPicture Picture(PictureSummary picture,
        IReadOnlyList<(TrainingPlace Place, string, string?, Summary Summary)> runs)
    {
        bool[] holds = [.. runs.Select(run => run.Summary.Pictures.Any(p => p.Item == picture.Item && p.Verdict == Verdict.Retained))];
        int first = Array.IndexOf(holds, true);
        return new TrainingPicture(picture.Item, picture.Caption, picture.Repeats, first < 0 ? null : runs[first].Place.Name,
            first >= 0 && holds.Skip(first).Contains(false));
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(TrainingCurve))]
internal sealed partial class TrainingJson : JsonSerializerContext;
