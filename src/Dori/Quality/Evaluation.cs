using System.Diagnostics;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Pictures.Sources;

namespace Dori.Quality;

/// <summary>What a model's ordinary pictures are worth: drawn into a folder, which goes on where it was left, then measured.</summary>
/// <param name="ordinary">A webdataset (.tar) or an imagefolder of ordinary pictures with captions.</param>
public sealed class Evaluation(Checkpoint checkpoint, string ordinary)
{
    /// <summary>From what the model's folder asks for to what is to be done.</summary>
    public Func<QualityOptions, QualityOptions> Options { get; init; } = own => own;
    public Machine Machine { get; init; } = new();
    /// <summary>Captions of the removed pictures: related captions share words with them.</summary>
    public IReadOnlyCollection<string> Removed { get; init; } = [];
    /// <summary>A CLIP model's folder; null: the model's own <c>clip</c> folder.</summary>
    public string? Clip { get; init; }
    /// <summary>A TorchScript feature network with its preset beside it, which is code and will be run; null: the copy
    /// detector's.</summary>
    public string? Features { get; init; }
    /// <summary>A TorchScript file or folder, which is code and will be run; null: the model's own <c>copy_detector</c> folder.</summary>
    public string? CopyDetector { get; init; }
    /// <summary>How pictures are brought to that file, by name; null: the JSON beside it.</summary>
    public string? Preset { get; init; }
    /// <summary>The column that holds the ordinary pictures' captions; null: the first of the usual names.</summary>
    public string? CaptionColumn { get; init; }
    /// <summary>The caption of ordinary pictures that have none of their own; null: they are left out.</summary>
    public string? Caption { get; init; }
    public RunWatch Watch { get; init; } = new();

    /// <exception cref="DoriException">An input or option is wrong, or the folder holds another run.</exception>
    /// <exception cref="OperationCanceledException">An end was asked for.</exception>
    /// <returns>The caller's dispose scope owns the samples' tensors.</returns>
    public EvaluatedModel Run(string folder)
    {
        string side = checkpoint.Folder ?? checkpoint.Path;
        OrdinaryPictures pictures = OrdinaryPictures.Load(ordinary, reading: new PictureReading(CaptionColumn, Caption));
        using TorchScriptCopyDetector detector =
            CopyDetectors.Load(side, CopyDetector, Preset, Machine.Device, "diversity is measured with one");
        using ClipScore clip = ClipScore.Load(Clip ?? OwnClip(side), Machine.Device);
        using FeatureNetwork network = Features is { } file ? FeatureNetwork.Load(file, Machine.Device) : FeatureNetwork.Of(detector);
        using DiffusionModel model = DiffusionModel.Load(checkpoint, Machine.Device, Machine.Dtype);
        QualityOptions options = Options(QualityOptions.For(model.Defaults));
        options.Check();
        QualityPlan plan = QualityPlan.Of(pictures, Removed, options);
        int[] used = [.. plan.Ordinary.Union(plan.Related)];
        string[] notes = [.. model.Notes, .. pictures.Warnings, .. pictures.Losses(used),
            .. CaptionLosses.Of(used.Select(pictures.Named), model.Tokenizer)];
        Watch.WarnAll(notes);
        Workers workers = Machine.WorkersFor(model);
        var manifest = new QualityManifest
        {
            Model = new SummaryModel(checkpoint.Name, checkpoint.Sha256()),
            Ordinary = new QualityOrdinary(Path.GetFullPath(ordinary), pictures.Sha256, pictures.Count),
            FeatureNetwork = new QualityRuler(network.Name, network.Sha256),
            Clip = new QualityRuler(clip.Name, clip.Sha256),
            CopyDetector = new QualityRuler(detector.Preset.Name, detector.Sha256),
            Options = options,
            Related = plan.Related,
            Device = Machine.DeviceName,
            Dtype = Machine.DtypeName,
            ThreadsPerChunk = workers.ThreadsEach,
        };
        QualityFolder run = QualityFolder.Create(folder, manifest);
        var runner = new QualityRunner(model, detector, network, clip, pictures, plan, options) { Notes = notes };
        Draw(runner, run, plan, manifest.Model.Name, workers);
        (QualitySummary summary, IReadOnlyDictionary<string, QualitySamples> samples) = runner.Take(run, manifest);
        return new EvaluatedModel(folder, summary) { Samples = samples };
    }

    private void Draw(QualityRunner runner, QualityFolder run, QualityPlan plan, string name, Workers workers)
    {
        int before = Enumerable.Range(0, plan.Chunks.Count).Count(run.Has);
        if (before < plan.Chunks.Count)
            Watch.Say($"quality of {name}: {plan.Ordinary.Count} ordinary and {plan.Related.Count} related captions in "
                + $"{plan.Chunks.Count} chunks, {before} done already");
        var clock = Stopwatch.StartNew();
        runner.Draw(run, workers, (done, all) =>
        {
            TimeSpan left = clock.Elapsed * ((double)(all - done) / Math.Max(1, done - before));
            Watch.Progress(new RunProgress((double)done / all, left, done, all, "chunks"));
        }, Watch.Cancellation);
    }

    private static string OwnClip(string modelPath)
    {
        string own = Path.Combine(modelPath, "clip");
        return Directory.Exists(own) ? own : throw new DoriException(
            $"{modelPath} has no clip folder; name a CLIP model with `Clip` DIR (for Stable Diffusion: openai/clip-vit-large-patch14)");
    }
}
