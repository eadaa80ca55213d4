using System.ComponentModel;
using System.Text.Json;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Training;
using Spectre.Console.Cli;
using static TorchSharp.torch;

namespace Dori.Cli.Commands;

internal sealed class MitigateConceptAblationSettings : MitigatePicturesSettings
{
    [CommandOption("--anchors <DIR>"), Description("An imagefolder of pictures in the memorized ones' place with paraphrases as their text; item names the picture that they replace")]
    public string? Anchors { get; init; }

    [CommandOption("--paraphrases <FILE>"), Description("JSON lines of item and text: captions to generate anchors from (default: the captions themselves)")]
    public string? Paraphrases { get; init; }

    [CommandOption("--loss <KIND>"), Description("model: match the old model under the anchor's caption; noise: learn the anchor's picture (default: model where there are paraphrases)")]
    public string? LossName { get; init; }

    [CommandOption("--trained <PART>"), Description("all or cross-attention"), DefaultValue("all")]
    public string TrainedName { get; init; } = "all";

    [CommandOption("--ordinary-weight <W>"), Description("Weight of the ordinary loss on anchors (default: 1)")]
    public double? OrdinaryWeight { get; init; }

    public AblationLoss Loss => (LossName ?? (Anchors is null && Paraphrases is null ? "noise" : "model")) switch
    {
        "model" => AblationLoss.Model,
        "noise" => AblationLoss.Noise,
        string other => throw new DoriException($"--loss {other}: not known; model and noise are possible"),
    };

    public WeightSelection Trained => TrainedName switch
    {
        "all" => WeightSelection.All,
        "cross-attention" => WeightSelection.CrossAttention,
        string other => throw new DoriException($"--trained {other}: not known; all and cross-attention are possible"),
    };
}

internal sealed class MitigateConceptAblationCommand(Shell shell) : Command<MitigateConceptAblationSettings>
{
    protected override int Execute(CommandContext context, MitigateConceptAblationSettings settings, CancellationToken cancellation)
    {
        if (settings.Anchors is not null && settings.Paraphrases is not null) throw new DoriException("--anchors and --paraphrases: give pictures with their captions, or captions to generate from, not both");
        PictureSet? anchors = settings.Anchors is { } folder ? PictureSet.Load(folder) : null;
        Dictionary<string, List<string>>? paraphrases = settings.Paraphrases is { } file ? ReadParaphrases(file) : null;
        var job = new MitigateTrainingJob(shell, settings, "concept-ablation", "Concept Ablation");
        string[] inputs = [anchors?.Sha256 ?? $"{settings.Generated} {settings.Tries} {settings.MostSimilar} {settings.Guidance} {settings.Generator}", .. paraphrases?.Select(p => $"{p.Key} {string.Join('|', p.Value)}") ?? []];
        return job.Run((model, set) =>
        {
            ConceptAblationOptions options = Options(settings, ConceptAblationOptions.For(model, set.Items.Count));
            options.Check();
            (AblationTarget[] targets, PreparedPictures[] prepared) = anchors is not null ? Given(model, set, anchors, settings.Anchors!) : Generated(job, settings, model, set, paraphrases);
            return new MitigateTrainingPlan(new MitigateOptions(ConceptAblation: options), prepared, (random, control) => ConceptAblation.Run(model, targets, options, random, control));
        }, inputs);
    }

    private static ConceptAblationOptions Options(MitigateConceptAblationSettings settings, ConceptAblationOptions preset)
    {
        int batch = settings.Batch ?? preset.Batch;
        return preset with
        {
            Training = preset.Training with { Trained = settings.Trained, Steps = settings.Iterations ?? preset.Training.Steps, LearningRate = settings.LearningRate ?? preset.Training.LearningRate },
            Batch = batch,
            MicroBatch = settings.MicroBatch ?? batch,
            Loss = settings.Loss,
            OrdinaryWeight = settings.OrdinaryWeight ?? preset.OrdinaryWeight,
        };
    }

    private static (AblationTarget[], PreparedPictures[]) Given(DiffusionModel model, PictureSet set, PictureSet anchors, string folder)
    {
        Dictionary<string, PictureItem> byId = anchors.Items.ToDictionary(item => item.Id);
        var targets = new List<AblationTarget>();
        var prepared = new List<PreparedPictures>();
        foreach (PictureItem item in set.Items)
        {
            if (!byId.TryGetValue(item.Id, out PictureItem? own)) throw new DoriException($"{folder}: holds no anchor of {item.Id}; its rows need the item {item.Id}");
            Tensor latents = MitigateTrainingJob.Latents(model, own);
            targets.Add(new AblationTarget(item.Caption, [.. Rows(latents).Select(z0 => new AblationAnchor(own.Caption, z0))]));
            prepared.Add(new PreparedPictures(item.Id, folder, own.Caption, own.Files.Count, 0, []));
        }
        return ([.. targets], [.. prepared]);
    }

    private static (AblationTarget[], PreparedPictures[]) Generated(MitigateTrainingJob job, MitigateConceptAblationSettings settings, DiffusionModel model, PictureSet set, Dictionary<string, List<string>>? paraphrases)
    {
        using TorchScriptCopyDetector detector = MitigateTrainingJob.LoadDetector(settings);
        using DiffusionModel generator = MitigateTrainingJob.LoadGenerator(settings, model);
        var targets = new List<AblationTarget>();
        var prepared = new List<PreparedPictures>();
        foreach (PictureItem item in set.Items)
        {
            if (paraphrases is not null && !paraphrases.ContainsKey(item.Id)) throw new DoriException($"{settings.Paraphrases}: holds no paraphrase of {item.Id}");
            var made = job.Generate(generator, detector, item, paraphrases?[item.Id] ?? [item.Caption], settings);
            targets.Add(new AblationTarget(item.Caption, [.. made.SelectMany(m => Rows(m.Latents).Select(z0 => new AblationAnchor(m.Prepared.Caption, z0)))]));
            prepared.AddRange(made.Select(m => m.Prepared));
        }
        return ([.. targets], [.. prepared]);
    }

    private static IEnumerable<Tensor> Rows(Tensor latents) => Enumerable.Range(0, (int)latents.shape[0]).Select(i => latents.narrow(0, i, 1));

    private static Dictionary<string, List<string>> ReadParaphrases(string file)
    {
        if (!File.Exists(file)) throw new DoriException($"{file}: no such file of paraphrases");
        var read = new Dictionary<string, List<string>>();
        int number = 0;
        foreach (string line in InputFile.ReadLines(file, InputKind.Metadata))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            try
            {
                using JsonDocument json = JsonDocument.Parse(line);
                string item = json.RootElement.GetProperty("item").GetString()!, text = json.RootElement.GetProperty("text").GetString()!;
                if (!read.TryGetValue(item, out List<string>? texts)) read[item] = texts = [];
                texts.Add(text);
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentNullException)
            {
                throw new DoriException($"{file}: line {number}: wanted is {{\"item\": \"v00\", \"text\": \"a paraphrase\"}}", e);
            }
        }
        return read;
    }
}
