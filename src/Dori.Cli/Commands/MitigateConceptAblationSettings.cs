using System.ComponentModel;
using System.Text.Json;
using Dori.Audit;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Training;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class MitigateConceptAblationSettings : MitigatePicturesSettings
{
    [CommandOption("--anchors <DIR>"),
        Description("An imagefolder of pictures in the memorized ones' place with paraphrases as their text; item names the picture "
            + "that they replace")]
    public string? Anchors { get; init; }

    [CommandOption("--paraphrases <FILE>"),
        Description("JSON lines of item and text: captions to generate anchors from (default: the captions themselves)")]
    public string? Paraphrases { get; init; }

    [CommandOption("--loss <KIND>"),
        Description("model: match the old model under the anchor's caption; noise: learn the anchor's picture (default: model where "
            + "there are paraphrases)")]
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

    public override IMitigation Mitigation()
    {
        if (Anchors is not null && Paraphrases is not null)
            throw new DoriException("--anchors and --paraphrases: give pictures with their captions, or captions to generate from, "
                + "not both");
        (AblationLoss loss, WeightSelection trained) = (Loss, Trained);
        return new ConceptAblation(Anchors is { } folder ? PictureSet.Load(folder, Reading) : null,
            Paraphrases is { } file ? ReadParaphrases(file)
            : null, Replacements, own =>
        {
            int batch = Batch ?? own.Batch;
            return own with
            {
                Training = Training(own.Training) with { Trained = trained },
                Batch = batch,
                MicroBatch = MicroBatch ?? batch,
                Loss = loss,
                OrdinaryWeight = OrdinaryWeight ?? own.OrdinaryWeight,
            };
        });
    }

    private static Dictionary<string, IReadOnlyList<string>> ReadParaphrases(string file)
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
        return read.ToDictionary(pair => pair.Key, pair => (IReadOnlyList<string>)pair.Value);
    }
}
