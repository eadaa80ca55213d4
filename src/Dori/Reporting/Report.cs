using System.Text.Json;
using Dori.Audit;
using Dori.Pictures;
using Dori.Pictures.Sources;
using Dori.Quality;
using TorchSharp;

namespace Dori.Reporting;

/// <summary>What people and programs read of a run, from what lies in its folder alone.</summary>
public static class Report
{
    /// <summary>
    /// Writes an audit's <c>summary.json</c>, <c>report.html</c>, tables and what a model card may take over into its folder.
    /// </summary>
    /// <param name="pictures">Whether the report shows them, or names them by their hashes alone.</param>
    public static Summary Write(RunFolder run, bool pictures = true)
    {
        Manifest manifest = run.Manifest;
        RunUnits units = run.ReadUnits();
        Summary summary = run.Summarize(units);
        (Beside Which, IReadOnlyList<UnitCost> Costs)[] beside = [.. Enum.GetValues<Beside>().Select(w => (w, run.ReadCostsOf(w)))];
        LadderSummary? ladder = run.ReadLadder();
        PathsSummary? paths = run.ReadPaths();
        if (paths is not null) AtomicFile.WriteText(Path.Combine(run.Path, "paths.json"), paths.ToJson() + "\n");
        if (ladder is not null) AtomicFile.WriteText(Path.Combine(run.Path, "ladder.json"), ladder.ToJson() + "\n");
        AuditReport.Write(Path.Combine(run.Path, "report.html"), summary, units.Records, new ReportContext
        {
            OriginalPicture = RunFacts.Originals(run),
            GeneratedPicture = run.ReadPart,
            Pictures = pictures,
            HasPicture = run.HasPart,
            OriginalFile = RunFacts.OriginalFiles(run),
            Command = manifest.Command,
            Version = manifest.Version,
            Log = run.ReadLog(),
            Identity = RunFacts.Identity(manifest),
            Facts = RunFacts.Of(manifest),
            Pruning = run.ReadPruning(),
            Ladder = ladder,
            Paths = paths,
            Cost = RunFacts.Cost([.. units.Records.Select(unit => run.ReadCost(unit.Id)).OfType<UnitCost>(),
                .. beside.SelectMany(other => other.Costs)], [.. beside.Select(other => (other.Which.Text(), other.Costs.Count))]),
        });
        CsvTables.Write(run.Path, summary);
        ModelCardFragments.Write(run, summary);
        run.WriteSummary(summary); // last: it says that the rest is there
        return summary;
    }

    /// <summary>Writes <c>compare.html</c>, <c>compare.md</c> and <c>compare.json</c>.</summary>
    /// <param name="runs">What the comparison is of.</param>
    /// <param name="ordinary">The ordinary pictures that quality was taken on, as a path; null where it was not.</param>
    /// <param name="command">What is to be typed to make it again; empty where a program makes it.</param>
    /// <param name="captionColumn">As in <see cref="Evaluation"/>.</param>
    /// <param name="caption">As in <see cref="Evaluation"/>.</param>
    public static void Write(string folder, Comparison comparison, IReadOnlyList<ComparedRun> runs, string? ordinary = null,
        string command = "", string? captionColumn = null, string? caption = null)
    {
        OrdinaryPictures? pictures = ordinary is { } path ? OrdinaryPictures.Load(path, reading: new PictureReading(captionColumn, caption))
            : null;
        var byName = runs.ToDictionary(run => run.Name);
        CompareReport.Write(Path.Combine(folder, "compare.html"), comparison, (name, index) => Small(byName[name], index),
            index => pictures?.Captions[index] ?? "", name => byName[name].Audit.ReadPruning(), command, ProgramVersion.Text,
            new CompareStrip(runs));
        CompareTable.Write(Path.Combine(folder, "compare.md"), comparison);
        string json = JsonSerializer.Serialize(comparison, CompareJson.Default.Comparison);
        AtomicFile.WriteText(Path.Combine(folder, "compare.json"), json + "\n"); // last: it says that the rest is there
    }

    /// <summary>A model's picture of an ordinary caption, small enough for a report; null where there is none.</summary>
    private static byte[]? Small(ComparedRun run, int index)
    {
        const int side = 192;
        if (run.Quality is not { } quality) return null;
        string file = Path.Combine(quality.Folder, "pictures", $"{index:000000}-0.png");
        if (!File.Exists(file)) return null;
        using var scope = torch.NewDisposeScope();
        torch.Tensor picture = Picture.Load(file);
        return picture.shape[1] <= side ? InputFile.ReadBytes(file, InputKind.Picture)
            : Picture.EncodeJpeg(Picture.ResizeSmallEdge(picture, side));
    }
}
