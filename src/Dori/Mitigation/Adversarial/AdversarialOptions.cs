using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Dori.Diffusion;
using Dori.Training;

namespace Dori.Mitigation.Adversarial;

/// <summary>
/// Settings of adversarial fine-tuning (method.md section 7). What the paper publishes is the default; the rest is marked "own choice".
/// All of it decides the resulting weights.
/// </summary>
internal sealed record AdversarialOptions
{
    /// <summary>
    /// Passes over the pictures: in each, every picture is searched for once (times <see cref="SearchesPerPicture"/>), on average where
    /// <see cref="SearchGenerations"/> choose. Published: 5.
    /// </summary>
    public int Epochs { get; init; } = 5;
    /// <summary>Outer steps in all; null: as many as the passes come to.</summary>
    public int? Steps { get; init; }
    /// <summary>Pictures whose searches are renewed together and trained against together. Own choice.</summary>
    public int PictureBatch { get; init; } = 4;
    /// <summary>Outer steps for each renewal of the searches. Published: the search is made anew in every step.</summary>
    public int StepsPerSearch { get; init; } = 1;
    /// <summary>Searches for each picture at a renewal, each from a start of its own. Published: "several".</summary>
    public int SearchesPerPicture { get; init; } = 1;
    /// <summary>Steps of the inner search. Published: 50.</summary>
    public int SearchSteps { get; init; } = 50;
    /// <summary>
    /// Steps of the inner search after which y is trained against besides the last: weaker attacks at no cost. Own choice.
    /// </summary>
    public IReadOnlyList<int> SnapshotSteps { get; init; } = [10, 25];
    /// <summary>(noise, time step) pairs in a step of the inner search. Published: 8.</summary>
    public int SearchBatch { get; init; } = 8;
    /// <summary>Adam's rate in the inner search. Published: 0.1.</summary>
    public double SearchLearningRate { get; init; } = 0.1;
    /// <summary>Ordinary pairs in an outer step. Own choice: 3 a picture is Wen's share.</summary>
    public int OrdinaryPairs { get; init; } = 24;
    /// <summary>
    /// Share of a teacher's prediction in what is to be predicted: the original model's for ordinary pairs, for surrogates that of the
    /// model which Wanda pruned to make them. 0 is the published loss, the noise alone. A prediction has none of the noise's variance,
    /// which is most of a small batch's gradient, and it teaches neither ordinary pictures nor surrogates by heart. Own choice; needs a
    /// second UNet in memory.
    /// </summary>
    public double DistillationShare { get; init; }
    /// <summary>
    /// Where above 0, ordinary pairs come in twos, once with the caption and once with the empty prompt, and what the errors of a two
    /// differ by is to be small as well, with this factor: guidance multiplies it. Needs the teacher's predictions: the noise does not tell
    /// a caption from none. Own choice.
    /// </summary>
    public double GuidanceWeight { get; init; }
    /// <summary>
    /// Where above 0, ordinary pairs come in twos as well, and the square of the share of the teacher's guidance that the model lacks on
    /// average counts with this factor: what is fitted by least squares comes out too weak, all of it and in the same direction. Own
    /// choice.
    /// </summary>
    public double GuidanceShortfallWeight { get; init; }
    /// <summary>
    /// Pictures that the original model draws from the ordinary captions, as further ordinary pairs. What it draws is not what it was
    /// shown: where only real pictures hold it, surrogates teach its own to look like them. Own choice.
    /// </summary>
    public int OwnGenerations { get; init; }
    /// <summary>
    /// Probability that an ordinary pair comes with the empty prompt, as in the training of such models (0.1): guidance needs that side
    /// too. Without effect where pairs come in twos: then it is half of them.
    /// </summary>
    public double EmptyCaptionShare { get; init; } = 0.1;
    /// <summary>
    /// Probability that an ordinary pair is drawn from those whose captions share words with the captions to be forgotten: there the
    /// adversarial part does most harm, and a small part of all captions holds it badly. Own choice.
    /// </summary>
    public double RelatedShare { get; init; }
    /// <summary>
    /// (surrogate, noise, time step) draws for each condition (the caption, and every y kept of the searches) of each picture of the batch
    /// in an outer step.
    /// </summary>
    public int DrawsPerCondition { get; init; } = 1;
    /// <summary>
    /// Further draws in an outer step, of pictures outside the batch: their captions and what the last search for them found, so that they
    /// are not learned back. Own choice.
    /// </summary>
    public int ReplayDraws { get; init; } = 8;
    /// <summary>
    /// Pictures generated from what each inner search ends with. Where there are any, half of the searches are for the pictures of which
    /// most was found last, and the rows of L_Adv weigh by what was found, those of which little was the less the further the rate has
    /// fallen, and what they weigh less falls to the others: the full rate removes all, the falling one what is left. Own choice; 0:
    /// pictures in turn, all rows alike.
    /// </summary>
    public int SearchGenerations { get; init; }
    /// <summary>
    /// AdamW's rate before <see cref="CooldownShare"/>. Not published; 1e-5 is what SISS and AdvUnlearn take for Stable Diffusion. A small
    /// model needs more.
    /// </summary>
    public double LearningRate { get; init; } = 1e-5;
    /// <summary>
    /// Share of all steps, the last ones, over which the rate falls to 0 in a straight line. Own choice: 0 is the constant rate of what
    /// others publish.
    /// </summary>
    public double CooldownShare { get; init; }
    /// <summary>
    /// Multiple of the rate that the fall begins with: above 1 a warm restart (Loshchilov and Hutter, arXiv 1608.03983), which shakes the
    /// weights out of what they settled in; what is distilled into them afterwards is what they do, and no longer what they hid. Own
    /// choice.
    /// </summary>
    public double RestartFactor { get; init; } = 1;
    /// <summary>AdamW's decay. Own choice: PyTorch's default.</summary>
    public double WeightDecay { get; init; } = 0.01;
    /// <summary>Decay of the running average of the weights, which is then the result; 0: the last weights are.</summary>
    public double EmaDecay { get; init; }
    /// <summary>
    /// Rank of low-rank updates that are trained instead of all weights, for comparison (published to fail); 0: all weights.
    /// </summary>
    public int TrainRank { get; init; }
    /// <summary>Which linear layers get low-rank updates.</summary>
    public LowRankLayers TrainRankLayers { get; init; } = LowRankLayers.Attention;
    /// <summary>
    /// Rows of a batch that go through the UNet at once: fewer need less memory. Pieces run on several threads, and their sum does not
    /// depend on how many.
    /// </summary>
    public int MicroBatch { get; init; } = 4;
    /// <summary>How surrogates are made.</summary>
    public SurrogateOptions Surrogates { get; init; } = new();
    /// <summary>The check on searches that training never uses.</summary>
    public HeldOutOptions HeldOut { get; init; } = new();
    /// <summary>Every random number follows from it. Recorded apart from the options.</summary>
    [JsonIgnore] public long Seed { get; init; }

    /// <summary>
    /// The published settings, under those of the model's own <c>dori.json</c>, under the ones given, in this record's JSON names.
    /// </summary>
    /// <param name="over">(where it comes from, for messages; some of the members), later ones over earlier ones.</param>
    /// <exception cref="DoriException">A member that is not known or of another type, or a value out of range.</exception>
    public static AdversarialOptions For(DiffusionModel model, params IReadOnlyList<(string Where, JsonObject Members)> over)
    {
        ModelDefaults defaults = model.Defaults;
        var own = new AdversarialOptions { SearchBatch = defaults.SearchBatch, SearchSteps = defaults.SearchSteps,
            SearchLearningRate = defaults.SearchLearningRate };
        IEnumerable<(string, JsonObject)> section = defaults.Adversarial is { } members
            ? [("the model's dori.json, adversarial", members)] : [];
        AdversarialOptions options = JsonOverlay.Merge(own, AdversarialJson.Default.AdversarialOptions, [.. section, .. over]);
        options.Check();
        return options;
    }

    /// <summary>Some of the members: a file of them, or the <c>options</c> of a recorded run.</summary>
    /// <exception cref="DoriException">Not such a file.</exception>
    public static JsonObject Read(string file) => JsonOverlay.Read(file, "adversarial");

    /// <summary>Outer steps in all for so many pictures.</summary>
    public int StepsFor(int pictures) => Steps ?? checked((Epochs * pictures + BatchOf(pictures) - 1) / BatchOf(pictures) * StepsPerSearch);

    /// <summary>Whether ordinary pairs come once with the caption and once with the empty prompt.</summary>
    internal bool PairsInTwos => GuidanceWeight > 0 || GuidanceShortfallWeight > 0;

    /// <summary>Pictures in a batch where there are so many in all.</summary>
    internal int BatchOf(int pictures) => Math.Min(PictureBatch, pictures);

    /// <summary>Every number of steps after which an inner search's y is kept, ascending.</summary>
    internal IReadOnlyList<int> KeptSteps => [.. SnapshotSteps.Where(step => step < SearchSteps).Order().Distinct(), SearchSteps];

    /// <exception cref="DoriException">All values out of range, by their JSON names.</exception>
    public void Check()
    {
        var wrong = new List<string>();
        foreach ((string name, double value, double low, double high) in Ranges().Concat(HeldOut.Every == 0 ? [] : HeldOut.Ranges()))
            if (!(value >= low && value <= high)) wrong.Add($"{name}: {value} is out of range; {low} to {high} is possible");
        if (PairsInTwos)
        {
            string twos = GuidanceWeight > 0 ? $"guidanceWeight {GuidanceWeight}" : $"guidanceShortfallWeight {GuidanceShortfallWeight}";
            const string without = "guidanceWeight 0 and guidanceShortfallWeight 0 leave it out";
            if (DistillationShare < 1)
                wrong.Add($"{twos}: needs distillationShare 1, for the noise does not tell a caption from the empty prompt; {without}");
            if (OrdinaryPairs % 2 > 0 || MicroBatch % 2 > 0)
                wrong.Add($"{twos}: needs even numbers of ordinaryPairs and microBatch, for pairs come in twos; {without}");
        }
        if (wrong.Count > 0) throw new DoriException($"adversarial fine-tuning: {string.Join("; ", wrong)}");
        Surrogates.Check();
    }

    private IEnumerable<(string Name, double Value, double Low, double High)> Ranges() =>
    [
        ("epochs", Epochs, 1, 100_000), ("steps", Steps ?? 1, 1, 10_000_000), ("pictureBatch", PictureBatch, 1, 4096),
        ("stepsPerSearch", StepsPerSearch, 1, 100_000), ("searchesPerPicture", SearchesPerPicture, 1, 1000),
        ("searchSteps", SearchSteps, 1, 100_000), .. SnapshotSteps.Select(step => ("snapshotSteps", (double)step, 0d, 100_000d)),
        ("searchBatch", SearchBatch, 1, 4096), ("searchLearningRate", SearchLearningRate, 1e-9, 100),
            ("ordinaryPairs", OrdinaryPairs, 1, 4096),
        ("ownGenerations", OwnGenerations, 0, 10_000_000), ("distillationShare", DistillationShare, 0, 1),
        ("guidanceWeight", GuidanceWeight, 0, 1000), ("guidanceShortfallWeight", GuidanceShortfallWeight, 0, 1000),
        ("emptyCaptionShare", EmptyCaptionShare, 0, 1), ("relatedShare", RelatedShare, 0, 1),
            ("drawsPerCondition", DrawsPerCondition, 1, 4096),
        ("replayDraws", ReplayDraws, 0, 4096), ("searchGenerations", SearchGenerations, 0, 1000), ("learningRate", LearningRate, 1e-12, 1),
        ("cooldownShare", CooldownShare, 0, 1), ("restartFactor", RestartFactor, 1e-3, 1000), ("weightDecay", WeightDecay, 0, 1),
        ("emaDecay", EmaDecay, 0, 0.999999), ("trainRank", TrainRank, 0, 4096), ("microBatch", MicroBatch, 1, 4096),
    ];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(AdversarialOptions))]
[JsonSerializable(typeof(AdversarialDetails))]
internal sealed partial class AdversarialJson : JsonSerializerContext;
