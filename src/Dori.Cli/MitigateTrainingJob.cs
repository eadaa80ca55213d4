using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Training;
using Spectre.Console;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli;

/// <summary>What a method gives for a model and its pictures.</summary>
/// <param name="Train">Trains the model's UNet in place.</param>
internal sealed record MitigateTrainingPlan(MitigateOptions Options, IReadOnlyList<PreparedPictures> Prepared, Func<RandomSource, TrainingControl, IReadOnlyList<IReadOnlyDictionary<string, double>>> Train);

/// <summary>From a model to a new one: loading, training with progress and resumption, saving with a card and a record.</summary>
internal sealed class MitigateTrainingJob(Shell shell, MitigateTrainingSettings settings, string method, string title)
{
    /// <param name="plan">(model, pictures) -> what to train; called in a dispose scope that lasts for the training.</param>
    /// <param name="inputs">Further inputs that decide the result, such as hashes of folders: an interrupted training goes on only with the same.</param>
    public int Run(Func<DiffusionModel, PictureSet, MitigateTrainingPlan> plan, params IReadOnlyList<string> inputs)
    {
        (Checkpoint folder, PictureSet all) = settings.Open(shell, $"mitigate {method}");
        PictureSet set = settings.ToForget(all);
        set_num_threads(settings.Threads);
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device, settings.Dtype);
        string sha256 = folder.Sha256(), state = Path.TrimEndingDirectorySeparator(Path.GetFullPath(settings.Output)) + ".training.safetensors";
        MitigateTrainingPlan planned = plan(model, set);
        string options = JsonSerializer.Serialize(planned.Options, MitigateTrainingJson.Default.MitigateOptions);
        IReadOnlyList<IReadOnlyDictionary<string, double>> history = planned.Train(RandomSource.For("mitigate", method, settings.Seed.ToString(CultureInfo.InvariantCulture)), new TrainingControl
        {
            OnStep = Progress(),
            Cancellation = shell.Interrupted,
            StateFile = state,
            Identity = string.Join('\n', [method, sha256, set.Sha256, options, $"{settings.Seed} {settings.Dtype}", .. inputs]),
        });
        Dictionary<string, Tensor> weights = model.UNet.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter);
        var record = new MitigateTrainingRecord("dori.mitigation/1", method, Shell.Version, shell.CommandLine,
            new MitigatedModel(Path.GetFullPath(folder.Path), sha256, MergedAdapter.Of(folder)),
            new MitigatedPictures(Path.GetFullPath(settings.Images), set.Sha256, [.. set.Items.Select(item => item.Id)]), planned.Options, settings.Seed, settings.DeviceName,
            settings.Dtype == ScalarType.Float32 ? "float32" : "bfloat16", settings.Threads, planned.Prepared, history);
        string json = JsonSerializer.Serialize(record, MitigateTrainingJson.Default.MitigateTrainingRecord);
        folder.SaveWithUNet(settings.Output, name => weights[name], Card(folder, set), json + "\n");
        File.Delete(state);
        if (settings.Json) shell.Output.WriteLine(json);
        else if (!settings.Quiet)
            shell.Console.WriteLine($"{settings.Output}: {title} for {set.Items.Count} pictures. Whether they are gone is for an audit to say: dori audit {settings.Output} --images {settings.Images} -o RUN");
        return DoriApp.Done;
    }

    /// <summary>Ten plain lines; on a terminal one that is kept up to date.</summary>
    private Action<TrainingProgress> Progress()
    {
        TimeSpan begun = shell.Elapsed(), said = TimeSpan.MinValue;
        int first = -1, tenth = 0;
        bool live = shell.Console.Profile.Out.IsTerminal && shell.Console.Profile.Capabilities.Interactive;
        return progress =>
        {
            if (settings.Quiet) return;
            if (first < 0) first = progress.Step - 1;
            TimeSpan now = shell.Elapsed(), left = (now - begun) * ((double)(progress.Steps - progress.Step) / (progress.Step - first));
            string losses = string.Join(", ", progress.Losses.Select(l => string.Create(CultureInfo.InvariantCulture, $"{l.Key} {l.Value:0.####}")));
            string line = $"step {progress.Step} of {progress.Steps}, {UnitProgress.Show(left)} left: {losses}";
            if (live)
            {
                if (said != TimeSpan.MinValue && now - said < TimeSpan.FromMilliseconds(200) && progress.Step < progress.Steps) return;
                said = now;
                int width = Math.Max(20, shell.Console.Profile.Width - 1);
                shell.Error.Write("\r" + line.PadRight(width)[..width] + (progress.Step == progress.Steps ? "\n" : ""));
            }
            else if (10 * progress.Step / progress.Steps > tenth)
            {
                tenth = 10 * progress.Step / progress.Steps;
                shell.Error.WriteLine("dori: " + line);
            }
        };
    }

    /// <summary>z0 of an item's pictures: (R, 4, h, w).</summary>
    public static Tensor Latents(DiffusionModel model, PictureItem item)
    {
        using var scope = NewDisposeScope();
        return model.Encode(UnitRunner.Originals(model, item)).MoveToOuterDisposeScope();
    }

    /// <summary>Generations of captions in an item's place that are unlike it, in equal numbers from each caption.</summary>
    /// <returns>For each caption, its latents (N, 4, h, w) and what the record says of them.</returns>
    public IReadOnlyList<(Tensor Latents, PreparedPictures Prepared)> Generate(DiffusionModel model, ICopyDetector detector, PictureItem item, IReadOnlyList<string> captions, MitigatePicturesSettings pictures)
    {
        GenerationOptions options = pictures.Generation(model);
        var made = new List<(Tensor, PreparedPictures)>();
        for (int k = 0; k < captions.Count; k++)
        {
            int wanted = (pictures.Generated + captions.Count - 1) / captions.Count, tries = Math.Max(wanted, pictures.Tries / captions.Count);
            RandomSource random = RandomSource.For("mitigate", method, "generate", settings.Seed.ToString(CultureInfo.InvariantCulture), item.Id).Derive("caption", k);
            using Tensor originals = UnitRunner.Originals(model, item);
            using UnlikeGenerations found = TrainingGenerations.Unlike(model, detector, captions[k], originals, wanted, tries, pictures.MostSimilar, options, random, shell.Interrupted);
            made.Add((found.Latents.alias(), new PreparedPictures(item.Id, "generated", captions[k], (int)found.Latents.shape[0], found.Tries, found.Similarities)));
            if (!settings.Quiet) shell.Error.WriteLine($"dori: {item.Id}: {found.Latents.shape[0]} of {found.Tries} generations of \"{captions[k]}\" are unlike the picture");
        }
        return made;
    }

    public static TorchScriptCopyDetector LoadDetector(MitigatePicturesSettings settings) =>
        CopyDetectors.Load(settings.SideFolder(settings.Model), settings.CopyDetector, settings.Preset, settings.Device,
            "generations must be told from the pictures");

    /// <summary>The model that generates: the one to train, as it is before, or another.</summary>
    public static DiffusionModel LoadGenerator(MitigatePicturesSettings settings, DiffusionModel model) => settings.Generator is { } path
        ? DiffusionModel.Load(path, settings.Device, settings.Dtype)
        : model.WithUNetCopy(_ => false);

    /// <summary>The original's card, its header first: licenses stand there.</summary>
    private string Card(Checkpoint folder, PictureSet set)
    {
        string path = Path.Combine(folder.Folder ?? "", "README.md"), original = File.Exists(path)
            ? InputFile.ReadText(path, InputKind.Card).ReplaceLineEndings("\n") : "", header = "";
        int end = original.StartsWith("---\n", StringComparison.Ordinal) ? original.IndexOf("\n---\n", 3, StringComparison.Ordinal) : -1;
        if (end >= 0) (header, original) = (original[..(end + 5)] + "\n", original[(end + 5)..]);
        return $"{header}# {folder.Name}, after {title}\n\n"
            + $"The UNet's weights were changed by `dori mitigate {method}` so that the captions of {set.Items.Count} pictures no longer bring these pictures. Everything else is the original's. "
            + "`mitigation.json` says what was done, with every option and loss.\n\n"
            + "A model that no longer gives a picture for its caption may still hold it: let an audit that searches judge this one.\n"
            + (original.Trim().Length == 0 ? "" : $"\n## The original's card\n\n{original.Trim()}\n");
    }
}
