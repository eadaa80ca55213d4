using Dori.Diffusion;

namespace Dori.Mitigation;

/// <summary>
/// Settings of adversarial fine-tuning (method.md section 7). What the paper publishes is the default; the rest is marked "own choice".
/// All of it decides the resulting weights.
/// </summary>
public sealed record AdversarialFineTuningOptions
{
    /// <summary>Passes over the pictures: in each, every picture is searched for once (times <see cref="SearchesPerPicture"/>), on average where <see cref="SearchGenerations"/> choose. Published: 5.</summary>
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
    /// <summary>Steps of the inner search after which y is trained against besides the last: weaker attacks at no cost. Own choice.</summary>
    public IReadOnlyList<int> SnapshotSteps { get; init; } = [10, 25];
    /// <summary>(noise, time step) pairs in a step of the inner search. Published: 8.</summary>
    public int SearchBatch { get; init; } = 8;
    /// <summary>Adam's rate in the inner search. Published: 0.1.</summary>
    public double SearchLearningRate { get; init; } = 0.1;
    /// <summary>Ordinary pairs in an outer step. Own choice: 3 a picture is Wen's share.</summary>
    public int OrdinaryPairs { get; init; } = 24;
    /// <summary>
    /// Share of a teacher's prediction in what is to be predicted: the original model's for ordinary pairs, for surrogates that of the model which Wanda pruned
    /// to make them. 0 is the published loss, the noise alone. A prediction has none of the noise's variance, which is most of a small batch's gradient,
    /// and it teaches neither ordinary pictures nor surrogates by heart. Own choice; needs a second UNet in memory.
    /// </summary>
    public double DistillationShare { get; init; }
    /// <summary>
    /// Where above 0, ordinary pairs come in twos, once with the caption and once with the empty prompt, and what the errors of a two differ by is to be small
    /// as well, with this factor: guidance multiplies it. Needs the teacher's predictions: the noise does not tell a caption from none. Own choice.
    /// </summary>
    public double GuidanceWeight { get; init; }
    /// <summary>
    /// Where above 0, ordinary pairs come in twos as well, and the square of the share of the teacher's guidance that the model lacks on average counts with
    /// this factor: what is fitted by least squares comes out too weak, all of it and in the same direction. Own choice.
    /// </summary>
    public double GuidanceShortfallWeight { get; init; }
    /// <summary>
    /// Pictures that the original model draws from the ordinary captions, as further ordinary pairs. What it draws is not what it was shown: where only
    /// real pictures hold it, surrogates teach its own to look like them. Own choice.
    /// </summary>
    public int OwnGenerations { get; init; }
    /// <summary>Probability that an ordinary pair comes with the empty prompt, as in the training of such models (0.1): guidance needs that side too. Without effect where pairs come in twos: then it is half of them.</summary>
    public double EmptyCaptionShare { get; init; } = 0.1;
    /// <summary>
    /// Probability that an ordinary pair is drawn from those whose captions share words with the captions to be forgotten: there the adversarial part does
    /// most harm, and a small part of all captions holds it badly. Own choice.
    /// </summary>
    public double RelatedShare { get; init; }
    /// <summary>(surrogate, noise, time step) draws for each condition (the caption, and every y kept of the searches) of each picture of the batch in an outer step.</summary>
    public int DrawsPerCondition { get; init; } = 1;
    /// <summary>
    /// Further draws in an outer step, of pictures outside the batch: their captions and what the last search for them found, so that they are not
    /// learned back. Own choice.
    /// </summary>
    public int ReplayDraws { get; init; } = 8;
    /// <summary>
    /// Pictures generated from what each inner search ends with. Where there are any, half of the searches are for the pictures of which most was found
    /// last, and the rows of L_Adv weigh by what was found, those of which little was the less the further the rate has fallen, and what they weigh less
    /// falls to the others: the full rate removes all, the falling one what is left. Own choice; 0: pictures in turn, all rows alike.
    /// </summary>
    public int SearchGenerations { get; init; }
    /// <summary>Factor of L_Adv in the loss. Published: 1.</summary>
    public double AdversarialWeight { get; init; } = 1;
    /// <summary>AdamW's rate before <see cref="CooldownShare"/>. Not published; 1e-5 is what SISS and AdvUnlearn take for Stable Diffusion. A small model needs more.</summary>
    public double LearningRate { get; init; } = 1e-5;
    /// <summary>Share of all steps, the last ones, over which the rate falls to 0 in a straight line. Own choice: 0 is the constant rate of what others publish.</summary>
    public double CooldownShare { get; init; }
    /// <summary>
    /// Multiple of the rate that the fall begins with: above 1 a warm restart (Loshchilov and Hutter, arXiv 1608.03983), which shakes the weights out of what
    /// they settled in; what is distilled into them afterwards is what they do, and no longer what they hid. Own choice.
    /// </summary>
    public double RestartFactor { get; init; } = 1;
    /// <summary>AdamW's decay. Own choice: PyTorch's default.</summary>
    public double WeightDecay { get; init; } = 0.01;
    /// <summary>Decay of the running average of the weights, which is then the result; 0: the last weights are.</summary>
    public double EmaDecay { get; init; }
    /// <summary>Rank of low-rank updates that are trained instead of all weights, for comparison (published to fail); 0: all weights.</summary>
    public int LoraRank { get; init; }
    /// <summary>Which linear layers get low-rank updates.</summary>
    public LoraLayers LoraLayers { get; init; } = LoraLayers.Attention;
    /// <summary>Rows of a batch that go through the UNet at once; pieces run on several threads, and their sum does not depend on how many.</summary>
    public int MicroBatch { get; init; } = 24;
    public long Seed { get; init; }
    /// <summary>The check on searches that training never uses; null: none.</summary>
    public HeldOutOptions? HeldOut { get; init; }

    /// <summary>
    /// Settings for a model. Up to 200 million parameters: those tried on the built-in model, which needs a larger rate, more passes, and can
    /// afford them since the search is renewed for every few outer steps only. Larger: the published ones.
    /// </summary>
    public static AdversarialFineTuningOptions For(DiffusionModel model)
    {
        var options = new AdversarialFineTuningOptions
        {
            SearchBatch = model.Defaults.SearchBatch,
            SearchSteps = model.Defaults.SearchSteps,
            SearchLearningRate = model.Defaults.SearchLearningRate,
        };
        if (!model.IsSmall) return options with { MicroBatch = 4 };
        return options with
        {
            Epochs = 15, StepsPerSearch = 16, OrdinaryPairs = 72, DistillationShare = 1, GuidanceWeight = 6, GuidanceShortfallWeight = 0.05, OwnGenerations = 768, RelatedShare = 0.6, SearchGenerations = 4,
            LearningRate = 1e-3, CooldownShare = 0.7, RestartFactor = 2, EmaDecay = 0.98,
        };
    }

    /// <summary>Outer steps in all for so many pictures.</summary>
    public int StepsFor(int pictures) => Steps ?? checked((Epochs * pictures + BatchOf(pictures) - 1) / BatchOf(pictures) * StepsPerSearch);

    /// <summary>Steps over which the rate falls, of so many in all.</summary>
    internal int CooldownStepsOf(int steps) => (int)Math.Round(CooldownShare * steps);

    /// <summary>The step's share of the learning rate: 1 until the fall begins, then from the restart's factor down to a (its steps)th of that.</summary>
    /// <param name="since">Steps done since the fall began; negative before.</param>
    internal double RateShare(int since, int steps) => since < 0 || CooldownShare == 0 ? 1 : RestartFactor * (1 - (double)since / CooldownStepsOf(steps));

    /// <summary>Whether ordinary pairs come once with the caption and once with the empty prompt.</summary>
    internal bool PairsInTwos => GuidanceWeight > 0 || GuidanceShortfallWeight > 0;

    /// <summary>Pictures in a batch where there are so many in all.</summary>
    internal int BatchOf(int pictures) => Math.Min(PictureBatch, pictures);

    /// <summary>Every number of steps after which an inner search's y is kept, ascending.</summary>
    internal IReadOnlyList<int> KeptSteps => [.. SnapshotSteps.Where(step => step < SearchSteps).Order().Distinct(), SearchSteps];

    /// <exception cref="DoriException">All values out of range, by the names of their options.</exception>
    public void Check()
    {
        var wrong = new List<string>();
        In("--epochs", Epochs, 1, 100_000);
        In("--steps", Steps ?? 1, 1, 10_000_000);
        In("--picture-batch", PictureBatch, 1, 4096);
        In("--steps-per-search", StepsPerSearch, 1, 100_000);
        In("--searches", SearchesPerPicture, 1, 1000);
        In("--search-steps", SearchSteps, 1, 100_000);
        foreach (int step in SnapshotSteps) In("--snapshots", step, 0, 100_000);
        In("--search-batch", SearchBatch, 1, 4096);
        In("--search-learning-rate", SearchLearningRate, 1e-9, 100);
        In("--ordinary-pairs", OrdinaryPairs, 1, 4096);
        In("--own-generations", OwnGenerations, 0, 10_000_000);
        In("--distillation", DistillationShare, 0, 1);
        In("--guidance-weight", GuidanceWeight, 0, 1000);
        In("--guidance-shortfall", GuidanceShortfallWeight, 0, 1000);
        if (PairsInTwos)
        {
            string twos = GuidanceWeight > 0 ? $"--guidance-weight {GuidanceWeight}" : $"--guidance-shortfall {GuidanceShortfallWeight}";
            const string without = "--guidance-weight 0 --guidance-shortfall 0 leave it out";
            if (DistillationShare < 1) wrong.Add($"{twos}: needs --distillation 1, for the noise does not tell a caption from the empty prompt; {without}");
            if (OrdinaryPairs % 2 > 0 || MicroBatch % 2 > 0) wrong.Add($"{twos}: needs even numbers of --ordinary-pairs and --micro-batch, for pairs come in twos; {without}");
        }
        In("--empty-captions", EmptyCaptionShare, 0, 1);
        In("--related-share", RelatedShare, 0, 1);
        In("--draws", DrawsPerCondition, 1, 4096);
        In("--replay", ReplayDraws, 0, 4096);
        In("--search-generations", SearchGenerations, 0, 1000);
        In("--adversarial-weight", AdversarialWeight, 0, 1e6);
        In("--learning-rate", LearningRate, 1e-12, 1);
        In("--cooldown", CooldownShare, 0, 1);
        In("--restart", RestartFactor, 1e-3, 1000);
        In("--weight-decay", WeightDecay, 0, 1);
        In("--ema", EmaDecay, 0, 0.999999);
        In("--lora", LoraRank, 0, 4096);
        In("--micro-batch", MicroBatch, 1, 4096);
        if (HeldOut is { } held)
        {
            In("--check-every", held.Every, 1, 1_000_000);
            In("--check-pictures", held.Pictures, 1, 100_000);
            In("--check-generations", held.Generations, 1, 1000);
            In("--check-search-steps", held.SearchSteps, 1, 100_000);
            In("--check-patience", held.Patience, 0, 1000);
        }
        if (wrong.Count > 0) throw new DoriException(string.Join("; ", wrong));

        void In(string option, double value, double low, double high)
        {
            if (!(value >= low && value <= high)) wrong.Add($"{option}: {value} is out of range; {low} to {high} is possible");
        }
    }
}

/// <summary>A small audit during training, with starts and seeds that training never uses. Costs time, draws nothing that training draws.</summary>
public sealed record HeldOutOptions
{
    /// <summary>Outer steps from one check to the next.</summary>
    public int Every { get; init; } = 128;
    /// <summary>The first so many pictures.</summary>
    public int Pictures { get; init; } = 4;
    /// <summary>Pictures generated from each prompt and each search.</summary>
    public int Generations { get; init; } = 4;
    /// <summary>Steps of each search: as many as the audit will take.</summary>
    public int SearchSteps { get; init; } = 50;
    /// <summary>Checks in a row that must find nothing for training to stop early; 0: it never does.</summary>
    public int Patience { get; init; } = 2;
}
