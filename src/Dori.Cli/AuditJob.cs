using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Spectre.Console;
using TorchSharp;

namespace Dori.Cli;

/// <summary>An audit from loaded inputs to a run folder with its report: what demo, audit and calibrate share.</summary>
internal sealed class AuditJob(Shell shell, SearchSettings settings)
{
    /// <summary>Leaves the summary's table and JSON to the verb.</summary>
    public bool Silent { get; init; }

    /// <summary>The ancestor that is expected to hold the pictures, searched in the same way; null: none.</summary>
    public Checkpoint? Original { get; init; }

    /// <param name="pictures">Reads the picture set; called before the model is loaded, since it fails faster.</param>
    /// <param name="adjust">Last changes to the options.</param>
    public Summary Run(Checkpoint folder, Func<PictureSet> pictures, string picturesPath, string runPath, (int Index, int Count) shard,
        Func<AuditOptions, AuditOptions> adjust)
    {
        _ = PruningRecord.Read(folder.Path); // the report will show it: damage is to be said before the work, not after it
        PictureSet set = pictures();
        IReadOnlyList<string> pictureNotes = PictureLosses.Of(set);
        if (set.Missing.Count > 0)
            shell.Error.WriteLine(
                $"dori: warning: {set.Missing.Count} entries of the list have no picture "
                + $"({string.Join("; ", set.Missing.Take(3).Select(m => $"{m.Index} \"{m.Caption}\""))}"
                + $"{(set.Missing.Count > 3 ? "; ..." : "")}); {set.Items.Count(i => i.Role != "control")} remain. All are named in "
                + "manifest.json");
        using TorchScriptCopyDetector detector = LoadDetector(folder.Folder ?? folder.Path);
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device, settings.Dtype);
        string[] notes = [.. model.Notes, .. set.Warnings, .. pictureNotes, .. CaptionLosses.Of(set, model.Tokenizer)];
        shell.Warn(notes);
        AuditOptions options = adjust(settings.Options(model.Defaults, detector.Preset.Threshold));
        Workers workers = Workers(model, settings);

        Manifest manifest = MakeManifest(folder, set, picturesPath, detector, options, workers.ThreadsEach) with { Notes = notes };
        IReadOnlyList<AuditUnit> own = AuditPlan.Shard(AuditPlan.Of(set, options), shard.Index, shard.Count);
        RunFolder run = Begin(runPath, manifest, model, detector, set, own);
        Prepare(shell, run, set, folder, model, own);
        int controls = set.Items.Count(item => item.Role == "control");
        if (controls < Verdicts.ControlsNeeded)
            shell.Error.WriteLine(
                $"dori: warning: {controls} controls; {Verdicts.ControlsNeeded} are needed to judge. Everything will be measured and "
                + $"nothing judged: add pictures that the model has never seen, as role=control or with --controls");
        Announce(run, model, own, workers);
        if (Original is not null) SearchOriginal(Original, run, detector, set, own, workers);
        Search(run, model, detector, own, workers, "");
        run.Restore();
        return Silent ? RunReport.Write(run) : Finish(shell, run, settings);
    }

    /// <summary>What there is to do, the original's part too, and what it will cost.</summary>
    private void Announce(RunFolder run, DiffusionModel model, IReadOnlyList<AuditUnit> own, Workers workers)
    {
        IReadOnlyList<AuditUnit> originals = Original is null ? [] : run.UnitsOfOriginal(own), open = run.Open(own),
            openOriginals = Original is null ? [] : run.OpenUnitsOfOriginal(own);
        if (open.Count + openOriginals.Count == 0) return;
        int all = own.Count + originals.Count, plan = AuditPlan.Of(run.Manifest).Count;
        var cost = CostEstimate.Measure(model, run.Manifest.Options, [.. openOriginals, .. open], workers.Count, workers.ThreadsEach);
        if (!settings.Quiet)
            shell.Error.WriteLine(
                $"dori: {all} units{(own.Count < plan ? $" of {plan}" : "")}"
                + $"{(originals.Count > 0 ? $", {originals.Count} of them of the original" : "")}, "
                + $"{all - open.Count - openOriginals.Count} done already; {cost}");
        if (cost.MemoryBytes > CostEstimate.AvailableMemory())
            shell.Error.WriteLine(
                $"dori: warning: about {cost.MemoryBytes >> 20} MiB will be needed and {CostEstimate.AvailableMemory() >> 20} MiB are "
                + $"free; --micro-batch and --generation-batch make it less");
    }

    /// <summary>
    /// The same search on the original, before the model's own: what it gives back says whether the search works. Nothing is loaded where
    /// all is there.
    /// </summary>
    private void SearchOriginal(Checkpoint original, RunFolder run, ICopyDetector detector, PictureSet set, IReadOnlyList<AuditUnit> own,
        Workers workers)
    {
        IReadOnlyList<AuditUnit> units = run.UnitsOfOriginal(own);
        if (run.OpenUnitsOfOriginal(own).Count > 0 || (units.Count > 0 && run.ReadOriginal() is { Control: null }))
        {
            using DiffusionModel model = DiffusionModel.Load(original, settings.Device, settings.Dtype);
            string[] notes = [.. model.Notes];
            shell.Warn(notes.Select(note => $"the original: {note}"));
            const string whose = "original: ";
            Manifest manifest = run.Manifest.OfOriginal()! with { Notes = notes };
            RunFolder there = Begin(run.OriginalPath, manifest, model, detector, set, units, whose);
            Prepare(shell, there, set, original, model, units);
            Search(there, model, detector, units, workers, whose);
        }
        if (!settings.Quiet && OriginalSummary.Of(run.Manifest, run.ReadOriginal()) is { } held)
            shell.Error.WriteLine($"dori: the original {held.InOneLine}");
    }

    /// <param name="whose">Before the progress.</param>
    private void Search(RunFolder run, DiffusionModel model, ICopyDetector detector, IReadOnlyList<AuditUnit> units, Workers workers,
        string whose)
    {
        AuditOptions options = run.Manifest.Options;
        IReadOnlyList<AuditUnit> open = run.Open(units);
        if (open.Count == 0) return;
        using var progress =
            new UnitProgress(shell, settings.Quiet, [.. open.Select(unit => CostEstimate.Weight(unit, options))], open) { Whose = whose };
        new AuditRunner(new UnitRunner(model, detector, options), run, shell.Elapsed)
            .Run(open, workers, progress.Report, shell.Interrupted);
    }

    /// <summary>
    /// Opens the run's folder and takes the positive control where units are to be computed, also when resuming: a manifest's word is not
    /// enough for that. A model that fails leaves no new folder.
    /// </summary>
    /// <param name="units">To be computed where they are not there.</param>
    /// <param name="whose">Before what is said of it.</param>
    internal RunFolder Begin(string runPath, Manifest manifest, DiffusionModel model, ICopyDetector detector, PictureSet set,
        IReadOnlyList<AuditUnit> units, string whose = "")
    {
        // another run's folder is refused before any work
        RunFolder? there = RunFolder.IsTaken(runPath) ? RunFolder.Create(runPath, manifest) : null;
        if (there is { Manifest.Control: not null } && units.All(there.Has)) return there;
        PositiveControl control = new ControlJob(shell, settings).Take(model, detector, set, manifest, whose);
        RunFolder run = there ?? RunFolder.Create(runPath, manifest);
        run.Record(control);
        return run;
    }

    /// <summary>What a run folder keeps besides its units, and what is to be said of what it holds already: before the first
    /// unit.</summary>
    /// <param name="units">To be computed where they are not there.</param>
    public static void Prepare(Shell shell, RunFolder run, PictureSet set, Checkpoint folder, DiffusionModel model,
        IReadOnlyList<AuditUnit> units)
    {
        shell.Warn(
            [.. run.Remarks,
            .. units.Select(unit => run.Find(unit).Problem).OfType<string>().Select(problem => $"{problem}; it is computed again")]);
        run.KeepOriginals(set, model.PictureSize);
        run.KeepPruning(folder.Path);
    }

    /// <summary>Units in work at a time, and libtorch's threads for each.</summary>
    public static Workers Workers(DiffusionModel model, CommonSettings settings) =>
        model.IsSmall && settings.Device.type == DeviceType.CPU ? new Workers(settings.Threads, 1) : new Workers(1, settings.Threads);

    internal TorchScriptCopyDetector LoadDetector(string modelPath) =>
        CopyDetectors.Load(modelPath, settings.CopyDetector, settings.Preset, settings.Device,
            "generations are compared with pictures by one");

    internal Manifest MakeManifest(Checkpoint folder, PictureSet set, string picturesPath, TorchScriptCopyDetector detector,
        AuditOptions options, int threadsPerUnit)
    {
        var manifest = new Manifest
        {
            Version = Shell.Version,
            Command = shell.CommandLine,
            Model = ManifestModel(folder),
            Pictures = new ManifestPictures(Path.GetFullPath(picturesPath), set.Sha256,
                [.. set.Items.Select(i =>
                    new ManifestItem(i.Id, Path.GetFullPath(i.Folder), i.Files, i.Sha256, i.Caption, i.Kind, i.Role))],
                [.. set.Missing.Select(m => $"{m.Index}: {m.Caption}")]),
            CopyDetector =
                new ManifestDetector(detector.Preset.Name, detector.Sha256, detector.Preset.Threshold, detector.Preset.TransformSha256),
            Options = options,
            Machine =
                new ManifestMachine(settings.DeviceName, settings.Dtype == torch.ScalarType.Float32 ? "float32" : "bfloat16",
                threadsPerUnit,
                Processor(), System.Runtime.InteropServices.RuntimeInformation.OSDescription, torch.__version__),
        };
        return Original is null ? manifest : manifest.WithOriginal(ManifestModel(Original));
    }

    private static ManifestModel ManifestModel(Checkpoint folder)
    {
        IReadOnlyList<(string File, string Sha256)> hashes = folder.FileHashes(); // read once: a checkpoint is gigabytes
        return new ManifestModel(Path.GetFullPath(folder.Path), folder.Name, Checkpoint.Sha256Of(hashes),
            hashes.ToDictionary(f => f.File, f => f.Sha256), ManifestAdapters(folder));
    }

    private static ManifestAdapter[]? ManifestAdapters(Checkpoint folder) => folder.Adapters.Count == 0 ? null
        : [.. folder.Adapters.Select(a => new ManifestAdapter(Path.GetFullPath(a.Path), a.Name, a.Scale, a.Description, a.Training?.Seen(
            )))];

    private static string Processor()
    {
        const string file = "/proc/cpuinfo";
        string? line = File.Exists(file)
            ? InputFile.ReadLines(file, InputKind.System).FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null;
        return $"{line?.Split(':', 2)[1].Trim() ?? System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString()}, "
            + $"{Environment.ProcessorCount} cores";
    }

    /// <summary>Summary, report and tables of a run folder, and what is said of them on the console.</summary>
    public static Summary Finish(Shell shell, RunFolder run, CommonSettings settings)
    {
        Summary summary = RunReport.Write(run);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(summary, AuditJson.Default.Summary));
        else if (!settings.Quiet) Print(shell, run, summary);
        return summary;
    }

    private static void Print(Shell shell, RunFolder run, Summary summary)
    {
        PrintableConsole console = shell.Console;
        var table = new PlainTable("pictures", "start", "steps", "copies", "rate, 95 %", "best similarity");
        foreach (GroupSummary g in summary.Groups)
            table.AddRow(g.Group, g.Start, $"{g.Steps}", $"{g.MemorizationRate.Count} of {g.Images}",
                string.Create(CultureInfo.InvariantCulture,
                    $"{g.MemorizationRate.Value:0.00} ({g.MemorizationRate.Low:0.00} to {g.MemorizationRate.High:0.00})"),
                string.Create(CultureInfo.InvariantCulture, $"{g.Similarity.Median:0.00} ± {g.Similarity.Mad:0.00}"));
        console.Write(table);
        PictureSummary[] audited = [.. summary.Pictures.Where(p => p.Role != "control")];
        console.WriteLine(
            string.Join(", ",
            audited.GroupBy(p => p.Verdict).OrderBy(g => Array.IndexOf(s_order, g.Key)).Select(g => $"{g.Count()} {g.Key}"))
            + $" of {audited.Length}; {summary.Controls.AboveThreshold} of {summary.Controls.Items} controls pass the threshold of "
                + $"{summary.Threshold.ToString(CultureInfo.InvariantCulture)} ({summary.CopyDetector}, {summary.Generations} generations)");
        if (summary.Original is { } original) console.WriteLine($"The original, {original.Name}, {original.InOneLine}");
        foreach (string warning in summary.Warnings) console.WriteLine($"Note: {warning}");
        console.WriteLine($"Report: {Path.Combine(run.Path, "report.html")}");
    }

    private static readonly string[] s_order = [Verdicts.Retained, Verdicts.Undecided, Verdicts.NotFound, Verdicts.NotJudged];

    /// <exception cref="DoriException">The gate was asked, and it is not known whether the pictures are gone.</exception>
    public static int ExitCode(Summary summary, bool gate)
    {
        if (!gate) return DoriApp.Done;
        Gate result = Gate.Of(summary);
        if (result.Outcome == GateOutcome.Unknown)
            throw new DoriException($"--gate: {result.Reason}, so the gate cannot open; see the report");
        return result.Outcome == GateOutcome.Open ? DoriApp.Done : DoriApp.Gate;
    }
}
