using System.ComponentModel.DataAnnotations;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Search;
using TorchSharp;

namespace Dori.Audit;

/// <summary>
/// Which of a set's pictures does a model still hold? For every picture and control, from every start: search, generate, compare; into a
/// run folder, which goes on where it was left. <see cref="Verdicts"/> says what it means, <c>Dori.Reporting.Report</c> shows it.
/// </summary>
public sealed class Audit(Checkpoint checkpoint, PictureSet pictures)
{
    /// <summary><c>published</c>, <c>standard</c> or <c>quick</c> (docs/cost.md); null: what the model's folder asks for.</summary>
    public string? Protocol { get; init; }
    /// <summary>From what the protocol and the model's folder ask for, with its copy detector's threshold, to what is to be done.</summary>
    public Func<AuditOptions, AuditOptions> Options { get; init; } = own => own;
    /// <summary>Another search than the published one; null: that.</summary>
    public Func<SearchOptions, ISearch>? Search { get; init; }
    public Machine Machine { get; init; } = new();
    /// <summary>
    /// Whether a large model's micro-batch is, before the run begins, made as small as memory needs it; a run that goes on keeps its own.
    /// </summary>
    public bool FitsMicroBatch { get; init; }
    /// <summary>A TorchScript file or folder, which is code and will be run; null: the model's own <c>copy_detector</c> folder.</summary>
    public string? CopyDetector { get; init; }
    /// <summary>How pictures are brought to that file, by name; null: the JSON beside it.</summary>
    public string? Preset { get; init; }
    /// <summary>The ancestor that is expected to hold the pictures, searched in the same way first; null: none.</summary>
    public Checkpoint? Original { get; init; }
    /// <summary>A model that is expected not to hold the pictures, searched in the same way, controls too; null: none.</summary>
    public Checkpoint? Reference { get; init; }
    /// <summary>
    /// Whether the same pictures are searched for with as few free numbers as bring each back too (docs/verdicts.md, "The ladder").
    /// </summary>
    public bool Ladder { get; init; }
    /// <summary>Further random starts of every item, controls too; 0: none (docs/verdicts.md, "Paths").</summary>
    [Range(0, PathsSummary.Most)]
    public int Paths { get; init; }
    /// <summary>Which of how many parts of the plan are this run's, from 1.</summary>
    public (int Index, int Count) Shard { get; init; } = (1, 1);
    /// <summary>Searches a model whose positive control failed all the same; nothing is judged then.</summary>
    public bool DespiteControl { get; init; }
    /// <summary>What is to be typed to make the run again, for the report; empty where a program makes it.</summary>
    public string Command { get; init; } = "";
    /// <summary>Of the report; null: after the model.</summary>
    public string? Title { get; init; }
    /// <summary>Who answers for the audit, for the report.</summary>
    public string? Auditor { get; init; }
    /// <summary>For the report, such as what the audit is for.</summary>
    public string? Note { get; init; }
    /// <summary>Dates the run in <c>run.json</c>; nothing else asks it.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
    public RunWatch Watch { get; init; } = new();

    /// <summary>Runs what the folder lacks.</summary>
    /// <param name="folder">Made where it is missing.</param>
    /// <exception cref="DoriException">
    /// The model, a picture, the detector or the options are wrong; the positive control failed; the folder holds another run.
    /// </exception>
    /// <exception cref="OperationCanceledException">An end was asked for.</exception>
    public RunFolder Run(string folder)
    {
        Ranges.Check(this, (Shard.Count == 1 || (!Ladder && Paths == 0),
            "`Ladder`, `Paths`: they are taken in one run and not in shards; give them without `Shard`"));
        Machine.Prepare();
        _ = PruningRecord.Read(checkpoint.Path); // the report will show it: damage is to be said before the work, not after it
        IReadOnlyList<string> losses = PictureLosses.Of(pictures);
        WarnOfMissing();
        using TorchScriptCopyDetector detector =
            CopyDetectors.Load(checkpoint.Folder ?? checkpoint.Path, CopyDetector, Preset, Machine.Device,
            "generations are compared with pictures by one");
        using DiffusionModel model = DiffusionModel.Load(checkpoint, Machine.Device, Machine.Dtype);
        string[] notes = [.. model.Notes, .. pictures.Warnings, .. losses, .. CaptionLosses.Of(pictures, model.Tokenizer)];
        Watch.WarnAll(notes);
        AuditOptions options = Options(AuditOptions.For(model.Defaults, detector.Preset.Threshold, Protocol));
        ISearch? other = Search?.Invoke(options.SearchOptions);
        options = options with { Search = other?.Description };
        options.Check();
        options = Fitted(options, model, RunFolder.MicroBatchOf(folder));
        Workers workers = Machine.WorkersFor(model);

        Manifest manifest = Manifest.Of(checkpoint, pictures, detector, options, Machine, workers, Command) with { Notes = notes };
        if (Original is not null) manifest = manifest.WithOriginal(ManifestModel.Of(Original));
        if (Reference is not null) manifest = manifest.WithReference(ManifestModel.Of(Reference));
        IReadOnlyList<AuditUnit> own = AuditPlan.Shard(AuditPlan.Of(pictures, options), Shard.Index, Shard.Count);
        var search = new UnitSearch(model, detector, pictures, workers, Watch, DespiteControl, other);
        RunFolder run = search.Begin(folder, manifest, checkpoint, own);
        var session = new RunSession(Now(), null, ProgramVersion.WithCommit, Command, ClaimHolder.Own.ToString().TrimEnd());
        run.Begin(session, Title, Auditor, Note);
        if (run.Manifest.NearDuplicates is null)
            run.Record(NearDuplicates.Of(pictures, detector, model.PictureSize, detector.Preset.Threshold));
        WarnOfControls();
        var beside = new BesideSearch(detector, pictures, Machine, workers, Watch, DespiteControl, other);
        if (Reference is not null) beside.TakeOver(run, own);
        Announce(run, model, detector, own, workers);
        if (Original is not null) beside.Run(Beside.Original, Original, run, own);
        search.Run(run, own);
        if (Reference is not null)
        {
            beside.TakeLikelihoods(model, run, own);
            beside.Run(Beside.Reference, Reference, run, own);
        }
        if (Ladder) new LadderRunner(model, detector, pictures, workers, Watch).Run(run);
        for (int path = 1; path <= Paths; path++)
            new PartRunner(model, detector, workers, Watch).Run(run.CreatePath(path), pictures.Items, $"path {path}");
        run.Restore();
        run.End(session, Now());
        return run;
    }

    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeSeconds(Clock.GetUtcNow().ToUnixTimeSeconds());

    /// <summary>What the run would cost, from a trial on this machine; nothing is written.</summary>
    /// <returns>As asked, then under each protocol with what was asked besides.</returns>
    internal IReadOnlyList<(string Name, CostEstimate Cost)> Estimate()
    {
        Machine.Prepare();
        using TorchScriptCopyDetector detector =
            CopyDetectors.Load(checkpoint.Folder ?? checkpoint.Path, CopyDetector, Preset, Machine.Device,
            "generations are compared with pictures by one");
        using DiffusionModel model = DiffusionModel.Load(checkpoint, Machine.Device, Machine.Dtype);
        Workers workers = Machine.WorkersFor(model);
        CostTrial? trial = null;
        return [.. new string?[] { null }.Concat(Enum.GetValues<Protocol>().Select(protocol => protocol.Text())).Select(protocol =>
        {
            AuditOptions options = Options(AuditOptions.For(model.Defaults, detector.Preset.Threshold, protocol ?? Protocol));
            options.Check();
            IReadOnlyList<AuditUnit> units = AuditPlan.Shard(AuditPlan.Of(pictures, options), Shard.Index, Shard.Count);
            IReadOnlyList<AuditUnit> all = units;
            if (Original is not null) all = [.. all, .. units.Where(unit => unit.Item.Role != PictureRole.Control)];
            if (Reference is not null) all = [.. all, .. units];
            trial ??= CostTrial.Run(model, detector, Fitted(options, model, begunWith: null), workers);
            return (protocol ?? "as asked", CostEstimate.Of(trial, model, options, all, workers));
        })];
    }

    /// <param name="begunWith">The micro-batch of the run that goes on; null: it begins.</param>
    private AuditOptions Fitted(AuditOptions options, DiffusionModel model, int? begunWith) => !FitsMicroBatch || model.IsSmall ? options
        : options with { MicroBatch = Math.Min(options.SearchBatch, begunWith ?? MicroBatchTrial.Choose(model, options, Watch.Say)) };

    private void WarnOfMissing()
    {
        if (pictures.Missing.Count == 0) return;
        string first = string.Join("; ", pictures.Missing.Take(3).Select(m => $"{m.Index} \"{m.Caption}\""));
        Watch.Warn($"{pictures.Missing.Count} entries of the list have no picture ({first}{(pictures.Missing.Count > 3 ? "; ..." : "")}); "
            + $"{pictures.Items.Count(i => i.Role != PictureRole.Control)} remain. All are named in manifest.json");
    }

    private void WarnOfControls()
    {
        int controls = pictures.Items.Count(item => item.Role == PictureRole.Control);
        if (controls < Verdicts.ControlsNeeded)
            Watch.Warn(
                $"{controls} controls; {Verdicts.ControlsNeeded} are needed to judge. Everything will be measured and nothing judged: "
                + "add pictures that the model has never seen, as role=control or with `Controls`");
    }

    /// <summary>What there is to do, other models' parts too, and what it will cost.</summary>
    private void Announce(RunFolder run, DiffusionModel model, ICopyDetector detector, IReadOnlyList<AuditUnit> own, Workers workers)
    {
        (Beside Which, IReadOnlyList<AuditUnit> All, IReadOnlyList<AuditUnit> Open)[] beside = [.. Enum.GetValues<Beside>()
            .Where(which => which == Beside.Original ? Original is not null : Reference is not null)
            .Select(which => (which, run.UnitsOf(which, own), run.OpenUnitsOf(which, own)))];
        IReadOnlyList<AuditUnit> open = [.. beside.SelectMany(other => other.Open), .. run.Open(own)];
        if (open.Count == 0) return;
        int all = own.Count + beside.Sum(other => other.All.Count), plan = AuditPlan.Of(run.Manifest).Count;
        CostTrial trial = CostTrial.Run(model, detector, run.Manifest.Options, workers);
        CostEstimate cost = CostEstimate.Of(trial, model, run.Manifest.Options, open, workers);
        Watch.Say($"{all} units{(own.Count < plan ? $" of {plan}" : "")}"
            + string.Concat(beside.Where(other => other.All.Count > 0).Select(o => $", {o.All.Count} of them of the {o.Which.Text()}"))
            + $", {all - open.Count} done already; {cost}");
        if (cost.MemoryBytes > CostEstimate.AvailableMemory())
            Watch.Warn($"about {cost.MemoryBytes >> 20} MiB will be needed and {CostEstimate.AvailableMemory() >> 20} MiB are free; "
                + "`MicroBatch` and `GenerationBatch` make it less");
    }
}
