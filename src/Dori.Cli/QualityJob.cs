using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Quality;
using TorchSharp;

namespace Dori.Cli;

/// <summary>What evaluate and compare need to take a model's quality, beside the model.</summary>
/// <param name="Removed">Captions of the removed pictures: related captions share words with them.</param>
internal sealed record QualityRequest(string OrdinaryPath, string? ClipPath, string? FeaturesPath, string? CopyDetector, string? Preset, IReadOnlyCollection<string> Removed);

/// <summary>A quality run from paths to figures.</summary>
internal sealed class QualityJob(Shell shell, CommonSettings settings)
{
    /// <param name="options">From the model's defaults.</param>
    /// <returns>The caller's dispose scope owns the samples' tensors.</returns>
    public (QualitySummary Summary, IReadOnlyDictionary<string, QualitySamples> Samples) Run(
        Checkpoint folder, QualityRequest request, string runPath, Func<ModelDefaults, QualityOptions> options)
    {
        string side = folder.Folder ?? folder.Path;
        using OrdinaryPictures ordinary = OrdinaryPictures.Load(request.OrdinaryPath);
        using TorchScriptCopyDetector detector = LoadDetector(side, request);
        using ClipScore clip = ClipScore.Load(request.ClipPath ?? OwnClip(side), settings.Device);
        using FeatureNetwork network = request.FeaturesPath is { } file ? FeatureNetwork.Load(file, settings.Device) : FeatureNetwork.Of(detector);
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device, settings.Dtype);
        QualityOptions chosen = options(model.Defaults);
        chosen.Check();
        QualityPlan plan = QualityPlan.Of(ordinary, request.Removed, chosen);
        int[] used = [.. plan.Ordinary.Union(plan.Related)];
        string[] notes = [.. model.Notes, .. ordinary.Warnings, .. ordinary.Losses(used),
            .. CaptionLosses.Of(used.Select(ordinary.Named), model.Tokenizer)];
        shell.Warn(notes);
        Workers workers = AuditJob.Workers(model, settings);
        var manifest = new QualityManifest
        {
            Model = new SummaryModel(folder.Name, folder.Sha256()),
            Ordinary = new QualityOrdinary(Path.GetFullPath(request.OrdinaryPath), ordinary.Sha256, ordinary.Count),
            FeatureNetwork = new QualityRuler(network.Name, network.Sha256),
            Clip = new QualityRuler(clip.Name, clip.Sha256),
            CopyDetector = new QualityRuler(detector.Preset.Name, detector.Sha256),
            Options = chosen,
            Related = plan.Related,
            Device = settings.DeviceName,
            Dtype = settings.Dtype == torch.ScalarType.Float32 ? "float32" : "bfloat16",
            ThreadsPerChunk = workers.ThreadsEach,
        };
        QualityFolder run = QualityFolder.Create(runPath, manifest);
        var runner = new QualityRunner(model, detector, network, clip, ordinary, plan, chosen) { Notes = notes };
        TimeSpan begun = shell.Elapsed();
        int before = Enumerable.Range(0, plan.Chunks.Count).Count(run.Has), said = 0;
        if (!settings.Quiet && before < plan.Chunks.Count)
            shell.Error.WriteLine($"dori: quality of {manifest.Model.Name}: {plan.Ordinary.Count} ordinary and {plan.Related.Count} related captions in {plan.Chunks.Count} chunks, {before} done already");
        runner.Draw(run, workers, (done, all) =>
        {
            int tenths = done * 10 / all;
            if (settings.Quiet || Interlocked.Exchange(ref said, tenths) == tenths) return; // ten plain lines
            TimeSpan left = (shell.Elapsed() - begun) * ((double)(all - done) / Math.Max(1, done - before));
            shell.Error.WriteLine($"dori: {done} of {all} chunks, {UnitProgress.Show(left)} left");
        }, shell.Interrupted);
        return runner.Take(run, manifest);
    }

    private TorchScriptCopyDetector LoadDetector(string modelPath, QualityRequest request) =>
        CopyDetectors.Load(modelPath, request.CopyDetector, request.Preset, settings.Device, "diversity is measured with one");

    private static string OwnClip(string modelPath)
    {
        string own = Path.Combine(modelPath, "clip");
        return Directory.Exists(own) ? own : throw new DoriException($"{modelPath} has no clip folder; name a CLIP model with --clip DIR (for Stable Diffusion: openai/clip-vit-large-patch14)");
    }
}
