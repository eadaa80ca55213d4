using System.Globalization;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Training;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>Adversarial fine-tuning, from pictures to new weights: resumable, and as sure as the work folder is kept.</summary>
/// <param name="options">For a model.</param>
/// <param name="captions">Where there are no ordinary pictures, the model draws them from these; null: from the controls' captions.</param>
internal sealed class AdversarialMitigation(Func<DiffusionModel, AdversarialOptions> options, IReadOnlyList<string>? captions = null)
    : IMitigation
{
    /// <summary>Fewer captions would teach the model to draw little else.</summary>
    private const int FewestCaptions = 16;

    public string Name => "adversarial";
    public string Title => "adversarial fine-tuning";
    public MitigationNeeds Needs => MitigationNeeds.CopyDetector | MitigationNeeds.Float32;

    public MitigationOutcome Apply(DiffusionModel model, MitigationPictures pictures, MitigationControl control)
    {
        set_num_threads(control.Workers.ThreadsEach);
        AdversarialOptions chosen = options(model) with { Seed = control.Seed };
        string work = control.WorkFolder ?? throw new DoriException("adversarial fine-tuning needs a work folder");
        OrdinaryPictures? drawn = chosen.OwnGenerations == 0 ? null : Draw(model, pictures, chosen.OwnGenerations, work, control);
        OrdinaryPictures[] sources = [.. new[] { pictures.Ordinary, drawn }.OfType<OrdinaryPictures>()];
        using var scope = NewDisposeScope();
        ICopyDetector detector = pictures.NeedDetector;
        List<IDisposable> owned = [];
        try
        {
            MemorizedPicture[] forget = [.. pictures.Forget.Items.Select(item => Owned(Memorized(model, detector, item)))];
            OrdinaryPairs ordinary = Owned(Encode(model, detector, sources, forget, chosen, control));
            SurrogateSet[] surrogates = [.. MakeSurrogates(model, pictures, forget, chosen, Path.Combine(work, "surrogates"),
                control).Select(Owned)];
            var details = new AdversarialDetails
            {
                Ordinary = [.. sources.Select(p => new RecordedSource(p == drawn ? "drawn by the model" : FileName(p.Path), p.Sha256))],
                OrdinaryPairs = ordinary.Captions.Count,
                OrdinaryDropped = ordinary.Dropped,
                CopyDetector = new RecordedSource(detector.Preset.Name, detector.Sha256),
                ThreadsEach = control.Workers.ThreadsEach,
                Surrogates = [.. forget.Zip(surrogates, (picture, made) =>
                    new RecordedSurrogates(picture.Id, picture.Caption, made.Similarities, made.Sparsities))],
            };
            return Train(new AdversarialInputs(model, detector, forget, surrogates, ordinary, chosen, control.Workers), details, control);
        }
        finally
        {
            foreach (IDisposable disposable in owned) disposable.Dispose();
        }

        T Owned<T>(T made) where T : IDisposable
        {
            owned.Add(made);
            return made;
        }

        static string FileName(string path) => Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
    }

    private static MitigationOutcome Train(AdversarialInputs inputs, AdversarialDetails details, MitigationControl control)
    {
        JsonObject recorded = MitigationJson.Object(inputs.Options, AdversarialJson.Default.AdversarialOptions);
        JsonObject Details() => MitigationJson.Object(details, AdversarialJson.Default.AdversarialDetails);
        using var training = new AdversarialFineTuning(inputs) { OnCheck = check =>
            control.Say?.Invoke(Shown(check, inputs.Detector.Preset.Threshold)) };
        IReadOnlyList<IReadOnlyDictionary<string, double>> losses = TrainingLoop.Run(training,
            control.Training("adversarial", recorded.ToJsonString(), Details().ToJsonString()), () =>
            {
                string time = control.Clock is { } clock ? $"; about {training.Estimate(clock).TotalMinutes:0} minutes" : "";
                control.Say?.Invoke($"{training.Steps} steps on {training.TrainedNumbers} numbers, {training.Step} done already{time}");
            });
        details = details with { Steps = training.Step, PlannedSteps = training.PlannedSteps, Checks = training.Checks };
        AdversarialOptions options = inputs.Options;
        string trained = options.TrainRank > 0 ? $"low-rank updates of rank {options.TrainRank}, merged into the UNet's weights,"
            : "all weights of the UNet";
        return new MitigationOutcome
        {
            Weight = MitigationOutcome.Of(inputs.Model),
            Summary = string.Create(CultureInfo.InvariantCulture,
                $"in {training.Step} steps of AdamW (rate {options.LearningRate}) {trained} learned to answer ")
                + "the embeddings that still brought them back with other pictures of the same meaning (\"Finding DoRI\", arXiv "
                + "2507.16880).",
            Options = recorded,
            Losses = losses,
            Details = Details(),
        };
    }

    private static string Shown(HeldOutCheck check, double threshold) => string.Create(CultureInfo.InvariantCulture,
        $"check at step {check.Step}: {check.Retained(threshold)} of {check.Prompt.Count} come back (largest similarity by prompt "
            + $"{check.Prompt.Max():0.00}, ")
        + string.Create(CultureInfo.InvariantCulture, $"by search {check.Search.Max():0.00}, from noise {check.Random.Max():0.00})");

    /// <summary>Ordinary pictures that the model draws itself.</summary>
    private OrdinaryPictures Draw(DiffusionModel model, MitigationPictures pictures, int count, string work, MitigationControl control)
    {
        IReadOnlyList<string> from = pictures.Ordinary?.Captions ?? captions ?? pictures.ControlCaptions;
        if (pictures.Ordinary is null && from.Count < FewestCaptions)
            throw new DoriException($"adversarial: {from.Count} captions of ordinary pictures "
                + $"({(captions is null ? "the controls'" : "those given")}); give ordinary "
                + $"pictures with captions (the built-in model's: models/emoji/ordinary.tar), or {FewestCaptions} captions or more, "
                + $"from which the model draws them itself");
        control.Say?.Invoke($"drawing {count} ordinary pictures from {from.Count} captions");
        AtomicFile.MakeFolder(work);
        return OrdinaryPictures.Load(OrdinaryGenerations.Draw(model, from, count, control.Seed, control.ModelSha256, work, control.Workers,
            control.Cancellation));
    }

    private static OrdinaryPairs Encode(DiffusionModel model, ICopyDetector detector, IReadOnlyList<OrdinaryPictures> sources,
        IReadOnlyList<MemorizedPicture> forget, AdversarialOptions options, MitigationControl control)
    {
        control.Say?.Invoke($"{forget.Count} pictures to forget; encoding {sources.Sum(p => p.Count)} ordinary ones");
        var ordinary = OrdinaryPairs.Encode(model, detector,
            sources.SelectMany(p => Enumerable.Range(0, p.Count).Select(i => (p.Picture(i, model.PictureSize), p.Captions[i]))), forget,
                control.Cancellation);
        if (options.RelatedShare > 0) control.Say?.Invoke($"{ordinary.Related.Count} ordinary captions share words with those to forget");
        if (ordinary.Dropped > 0)
            control.Say?.Invoke($"{ordinary.Dropped} ordinary pictures are left out: they are copies of those to forget");
        return ordinary;
    }

    private static MemorizedPicture Memorized(DiffusionModel model, ICopyDetector detector, PictureItem item)
    {
        using Tensor originals = item.Originals(model.PictureSize);
        return MemorizedPicture.Of(model, detector, item.Id, item.Caption, originals);
    }

    private static SurrogateSet[] MakeSurrogates(DiffusionModel model, MitigationPictures pictures, IReadOnlyList<MemorizedPicture> forget,
        AdversarialOptions options, string folder, MitigationControl control)
    {
        ICopyDetector detector = pictures.NeedDetector;
        using var surrogates = new Surrogates(model, detector, options.Surrogates, control.Seed, control.Workers, folder);
        var made = new SurrogateSet[forget.Count];
        for (int i = 0; i < made.Length; i++)
        {
            IReadOnlyList<string> files = pictures.Forget.Items[i].Sha256;
            string identity = string.Join(' ', [control.ModelSha256, detector.Sha256, .. files, Sha256Text.Of(forget[i].Caption)]);
            made[i] = surrogates.For(forget[i], identity, control.Cancellation);
        }
        int few = made.Count(s => s.Similarities.Count < options.Surrogates.Count);
        control.Say?.Invoke($"{made.Sum(s => s.Similarities.Count)} surrogates in {folder}"
            + (few > 0 ? $" ({few} pictures have fewer than {options.Surrogates.Count})" : ""));
        return made;
    }
}
