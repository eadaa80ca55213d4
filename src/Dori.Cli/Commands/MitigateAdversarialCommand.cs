using System.Globalization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation.Adversarial;
using Dori.Pictures;
using Dori.Training;
using Spectre.Console.Cli;
using Spectre.Console;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli.Commands;

/// <summary>Adversarial fine-tuning, from a model and pictures to a new model: resumable, and as sure as the work folder is kept.</summary>
internal sealed class MitigateAdversarialCommand(Shell shell) : Command<MitigateAdversarialSettings>
{
    /// <summary>Fewer captions would teach the model to draw little else.</summary>
    private const int FewestCaptions = 16;

    protected override int Execute(CommandContext context, MitigateAdversarialSettings settings, CancellationToken cancellation)
    {
        const string verb = "mitigate adversarial";
        if (settings.SaveEvery < 1) throw new DoriException($"--save-every {settings.SaveEvery}: at least 1 is wanted");
        if (settings.DtypeName is not (null or "float32")) throw new DoriException($"--dtype {settings.DtypeName}: fine-tuning needs float32");
        (Checkpoint folder, PictureSet all) = settings.Open(shell, verb);
        PictureSet set = settings.ToForget(all);
        using OrdinaryPictures? given = settings.Ordinary is { } path ? OrdinaryPictures.Load(path, settings.OrdinaryLimit) : null;
        shell.Warn(given?.Warnings ?? []);
        IReadOnlyList<string> captions = given?.Captions ?? CaptionsToDraw(settings, all);
        string work = settings.Work ?? Path.TrimEndingDirectorySeparator(settings.Output) + ".work";

        using TorchScriptCopyDetector detector =
            CopyDetectors.Load(settings.SideFolder(settings.Model), settings.CopyDetector, settings.Preset, settings.Device,
            "surrogates are checked with one");
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device);
        Workers workers = AuditJob.Workers(model, settings);
        set_num_threads(workers.ThreadsEach);
        AdversarialOptions options = settings.Options(model);
        AtomicFile.MakeFolder(work);
        string modelSha = folder.Sha256();
        using OrdinaryPictures? drawn = options.OwnGenerations == 0 ? null : Draw(settings, model, captions, options.OwnGenerations, modelSha, workers, work);
        OrdinaryPictures[] pictures = [.. new[] { given, drawn }.OfType<OrdinaryPictures>()];

        using var scope = NewDisposeScope();
        MemorizedPicture[] forget = [.. set.Items.Select(item => Memorized(model, detector, item))];
        Say(settings, $"{forget.Length} pictures to forget; encoding {pictures.Sum(p => p.Count)} ordinary ones");
        using OrdinaryPairs ordinary = OrdinaryPairs.Encode(model, detector,
            pictures.SelectMany(p => Enumerable.Range(0, p.Count).Select(i => (p.Picture(i, model.PictureSize), p.Captions[i]))), forget, shell.Interrupted);
        if (options.RelatedShare > 0) Say(settings, $"{ordinary.Related.Count} ordinary captions share words with those to forget");
        if (ordinary.Dropped > 0) Say(settings, $"{ordinary.Dropped} ordinary pictures are left out: they are copies of those to forget");
        SurrogateSet[] surrogates = MakeSurrogates(settings, model, detector, set, forget, options.Surrogates, workers, modelSha, Path.Combine(work, "surrogates"));
        var record = new AdversarialFineTuningRecord
        {
            Version = Shell.Version,
            Model = new RecordedSource(folder.Name, modelSha),
            Adapters = MergedAdapter.Of(folder),
            Pictures = new RecordedSource(new DirectoryInfo(settings.Images).Name, set.Sha256),
            Ordinary = [.. pictures.Select(p => new RecordedSource(p == drawn ? "drawn by the model" : Path.GetFileName(Path.TrimEndingDirectorySeparator(p.Path)), p.Sha256))],
            OrdinaryPairs = ordinary.Captions.Count,
            OrdinaryDropped = ordinary.Dropped,
            CopyDetector = new RecordedSource(detector.Preset.Name, detector.Sha256),
            ThreadsEach = workers.ThreadsEach,
            Options = options,
            Surrogates = [.. forget.Zip(surrogates, (picture, made) => new RecordedSurrogates(picture.Id, picture.Caption, made.Similarities, made.Sparsities))],
        };

        using var training = new AdversarialFineTuning(new AdversarialInputs(model, detector, forget, surrogates, ordinary, options, workers))
        {
            OnCheck = check => Say(settings, Shown(check, detector.Preset.Threshold)),
        };
        IReadOnlyList<IReadOnlyDictionary<string, double>> losses = Train(settings, training, Path.Combine(work, "state.safetensors"), Sha256Text.Of(record.ToJson()));
        record = record with { Steps = training.Step, PlannedSteps = training.PlannedSteps, Checks = training.Checks, Losses = losses };
        var weights = model.UNet.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        string json = record.ToJson();
        folder.SaveWithUNet(settings.Output, name => weights[name], Card(folder, record), json);
        if (settings.Json) shell.Output.Write(json);
        else if (!settings.Quiet) shell.Console.WriteLine($"New model: {settings.Output} ({training.Step} steps). Judge it by an audit: dori audit {settings.Output} --images {settings.Images} -o RUN. {work} is no longer needed.");
        foreach (IDisposable disposable in forget.Concat<IDisposable>(surrogates)) disposable.Dispose();
        return DoriApp.Done;
    }

    /// <summary>Captions that the model is to draw ordinary pictures from: those given, or the controls'.</summary>
    private static string[] CaptionsToDraw(MitigateAdversarialSettings settings, PictureSet set)
    {
        string[] captions = settings.OrdinaryCaptions is { } file
            ? (File.Exists(file) ? [.. InputFile.ReadLines(file, InputKind.Metadata).Select(line => line.Trim()).Where(line => line.Length > 0).Distinct()] : throw new DoriException($"{file}: no such file of captions"))
            : [.. set.Items.Where(item => item.Role == "control" && item.Caption.Length > 0).Select(item => item.Caption).Distinct()];
        return captions.Length >= FewestCaptions ? captions
            : throw new DoriException($"mitigate adversarial: {captions.Length} captions of ordinary pictures ({settings.OrdinaryCaptions ?? $"the controls of {settings.Images}"}); give --ordinary PATH (a .tar or imagefolder of ordinary pictures with captions; the built-in model's: models/emoji/ordinary.tar), or --ordinary-captions FILE with {FewestCaptions} or more, from which the model draws them itself");
    }

    private OrdinaryPictures Draw(MitigateAdversarialSettings settings, DiffusionModel model, IReadOnlyList<string> captions, int count, string modelSha, Workers workers, string work)
    {
        Say(settings, $"drawing {count} ordinary pictures from {captions.Count} captions");
        return OrdinaryPictures.Load(OrdinaryGenerations.Draw(model, captions, count, settings.Seed, modelSha, work, workers, shell.Interrupted));
    }

    private static MemorizedPicture Memorized(DiffusionModel model, TorchScriptCopyDetector detector, PictureItem item)
    {
        using Tensor originals = UnitRunner.Originals(model, item);
        return MemorizedPicture.Of(model, detector, item.Id, item.Caption, originals);
    }

    private SurrogateSet[] MakeSurrogates(MitigateAdversarialSettings settings, DiffusionModel model, TorchScriptCopyDetector detector, PictureSet set, IReadOnlyList<MemorizedPicture> forget,
        SurrogateOptions options, Workers workers, string modelSha, string folder)
    {
        using var surrogates = new Surrogates(model, detector, options, settings.Seed, workers, folder);
        var made = new SurrogateSet[forget.Count];
        for (int i = 0; i < made.Length; i++)
        {
            string identity = string.Join(' ', [modelSha, detector.Sha256, .. set.Items[i].Sha256, Sha256Text.Of(forget[i].Caption)]);
            made[i] = surrogates.For(forget[i], identity, shell.Interrupted);
        }
        SurrogateSet[] few = [.. made.Where(s => s.Similarities.Count < options.Count)];
        Say(settings, $"{made.Sum(s => s.Similarities.Count)} surrogates in {folder}{(few.Length > 0 ? $" ({few.Length} pictures have fewer than {options.Count})" : "")}");
        return made;
    }

    private static string Shown(HeldOutCheck check, double threshold) => string.Create(CultureInfo.InvariantCulture,
        $"check at step {check.Step}: {check.Retained(threshold)} of {check.Prompt.Count} come back (largest similarity by prompt {check.Prompt.Max():0.00}, by search {check.Search.Max():0.00}, from noise {check.Random.Max():0.00})");

    private IReadOnlyList<IReadOnlyDictionary<string, double>> Train(MitigateAdversarialSettings settings, AdversarialFineTuning training, string state, string identity)
    {
        bool live = shell.Console.Profile.Out.IsTerminal && shell.Console.Profile.Capabilities.Interactive;
        int first = 0, said = 0;
        TimeSpan begun = shell.Elapsed();
        var control = new TrainingControl { OnStep = OnStep, Cancellation = shell.Interrupted, StateFile = state, Identity = identity, SaveEvery = settings.SaveEvery };
        IReadOnlyList<IReadOnlyDictionary<string, double>> losses = TrainingLoop.Run(training, control, () =>
        {
            first = training.Step;
            said = (int)(first * 20L / training.Steps);
            if (!settings.Quiet)
                Say(settings, $"{training.Steps} steps on {training.TrainedNumbers} numbers, {first} done already; about {UnitProgress.Show(training.Estimate(shell.Elapsed))}");
            begun = shell.Elapsed();
        });
        if (live && !settings.Quiet) shell.Error.WriteLine();
        return losses;

        void OnStep(TrainingProgress progress)
        {
            if (settings.Quiet) return;
            double share = (double)(progress.Step - first) / (progress.Steps - first);
            TimeSpan left = (shell.Elapsed() - begun) * (1 / share - 1);
            string line = string.Create(CultureInfo.InvariantCulture,
                $"step {progress.Step} of {progress.Steps}  loss: ordinary {progress.Losses["ordinary"]:0.000}, adversarial {progress.Losses["adversarial"]:0.000}  {UnitProgress.Show(left)} left");
            int width = Math.Max(20, shell.Console.Profile.Width - 1);
            if (live) shell.Error.Write("\r" + line.PadRight(width)[..width]);
            else if (progress.Step * 20L / progress.Steps > said) // twenty plain lines
            {
                said = (int)(progress.Step * 20L / progress.Steps);
                shell.Error.WriteLine("dori: " + line);
            }
        }
    }

    private void Say(MitigateAdversarialSettings settings, string text)
    {
        if (!settings.Quiet) shell.Error.WriteLine("dori: " + text);
    }

    private static string Card(Checkpoint folder, AdversarialFineTuningRecord record)
    {
        string original = Path.Combine(folder.Folder ?? "", "README.md");
        string trained = record.Options.TrainRank > 0 ? $"low-rank updates of rank {record.Options.TrainRank}, merged into the UNet's weights," : "all weights of the UNet";
        string card = string.Create(CultureInfo.InvariantCulture, $"""
            # {record.Model.Name}, after adversarial fine-tuning

            {record.Surrogates.Count} pictures were to be forgotten: in {record.Steps} steps of AdamW (rate {record.Options.LearningRate}) {trained} learned to answer
            the embeddings that still brought them back with other pictures of the same meaning ("Finding DoRI", arXiv 2507.16880). Everything but `unet/` is the original's, byte for byte.
            What was done, with every setting, stands in `mitigation.json`; the original's SHA-256 over all files is `{record.Model.Sha256}`.

            Whether it worked is for an audit with fresh searches and controls to say, and what it cost for an evaluation of quality: neither stands here.

            """);
        return File.Exists(original) ? card + "\n---\n\nThe original's card:\n\n" + InputFile.ReadText(original, InputKind.Card) : card;
    }
}
