using System.Text.Json.Serialization;
using Dori.Diffusion;
using Dori.Search;

namespace Dori.Audit;

/// <summary>
/// What an audit does to every item. All of it goes into the manifest, and all of it decides the units' bytes: a run folder takes units of one set of options only.
/// In a record none may be left out, but for what older versions did not know: the deserializer would put 0 in its place.
/// </summary>
public sealed record AuditOptions
{
    /// <summary>Where searches begin, in the order of the report: see <see cref="AuditStart"/>.</summary>
    [JsonRequired]
    public IReadOnlyList<string> Starts { get; init; } = AuditStart.All;
    [JsonRequired]
    public long Seed { get; init; }
    /// <summary>Search steps that the verdict rests on.</summary>
    [JsonRequired]
    public int Steps { get; init; } = 50;
    [JsonRequired]
    public int SearchBatch { get; init; } = 8;
    /// <summary>What another search than the published one says of itself; absent for that.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Search { get; init; }
    /// <summary>(noise, time step) pairs that go through the UNet at once; fewer need less memory.</summary>
    [JsonRequired]
    public int MicroBatch { get; init; } = 8;
    [JsonRequired]
    public double LearningRate { get; init; } = 0.1;
    /// <summary>Steps of the dose-response curve besides the last, ascending; may be empty.</summary>
    [JsonRequired]
    public IReadOnlyList<int> CurveSteps { get; init; } = [0, 1, 10, 25];
    /// <summary>n: pictures generated from the embedding after the last step.</summary>
    [JsonRequired]
    public int Generations { get; init; } = 10;
    /// <summary>Pictures generated at each curve step. The curve takes the first so many of the last step too: a maximum over more would be larger by that alone.</summary>
    [JsonRequired]
    public int CurveGenerations { get; init; } = 4;
    /// <summary>Latents that go through the UNet at once when generating.</summary>
    [JsonRequired]
    public int GenerationBatch { get; init; } = 10;
    [JsonRequired]
    public double Guidance { get; init; } = 7.5;
    /// <summary>The sampler's name, or null for the checkpoint's scheduler.</summary>
    [JsonRequired]
    public string? Sampler { get; init; }
    [JsonRequired]
    public int SamplerSteps { get; init; } = 50;
    /// <summary>Similarity above which a generation counts as a copy.</summary>
    [JsonRequired]
    public double Threshold { get; init; } = 0.7;
    /// <summary>
    /// Whether a generation that is the picture's mirror image counts as the picture: trainings flip at random, and copy detectors do not see through a
    /// flip. The similarity is then the larger of both, for audited pictures and controls alike. False is the published protocol.
    /// </summary>
    public bool Mirror { get; init; } = true;
    /// <summary>False discovery rate of the Benjamini-Hochberg list.</summary>
    [JsonRequired]
    public double FalseDiscoveryRate { get; init; } = 0.1;

    /// <summary>Steps after which an embedding is kept: the curve's below the last, then the last.</summary>
    internal IReadOnlyList<int> SnapshotSteps => [.. CurveSteps.Where(step => step < Steps).Order().Distinct(), Steps];

    /// <summary>What a model's folder asks for, else as published.</summary>
    /// <param name="threshold">The copy detector's.</param>
    public static AuditOptions For(ModelDefaults defaults, double threshold) => new()
    {
        Steps = defaults.SearchSteps,
        SearchBatch = defaults.SearchBatch,
        MicroBatch = defaults.SearchBatch,
        LearningRate = defaults.SearchLearningRate,
        Guidance = defaults.Guidance,
        Sampler = defaults.Sampler,
        SamplerSteps = defaults.SamplerSteps,
        Threshold = threshold,
    };

    /// <summary>How a model's pictures are drawn under these options.</summary>
    public GenerationOptions GenerationWith(DiffusionModel model) =>
        new() { Guidance = Guidance, Scheduler = model.SchedulerWith(Sampler), Steps = SamplerSteps, Batch = GenerationBatch };

    /// <summary>The searches' part of these options.</summary>
    internal SearchOptions SearchOptions => new()
    {
        Steps = Steps,
        Batch = SearchBatch,
        MicroBatch = MicroBatch,
        LearningRate = LearningRate,
        SnapshotSteps = SnapshotSteps,
    };

    /// <exception cref="DoriException">The first value out of range, by the name of its option.</exception>
    public void Check()
    {
        foreach (string start in Starts)
            if (!AuditStart.All.Contains(start)) throw new DoriException($"--starts: \"{start}\" is not known; choose from {string.Join(", ", AuditStart.All)}");
        if (Starts.Count == 0 || Starts.Distinct().Count() != Starts.Count) throw new DoriException("--starts: name each start once, at least one");
        In("--steps", Steps, 0, 100_000);
        In("--search-batch", SearchBatch, 1, 4096);
        In("--micro-batch", MicroBatch, 1, SearchBatch);
        In("--generations", Generations, 1, 1000);
        In("--curve-generations", CurveGenerations, 1, Generations);
        In("--sampler-steps", SamplerSteps, 1, 1000);
        In("--generation-batch", GenerationBatch, 1, 1000);
        In("--guidance", Guidance, 0, 100);
        In("--learning-rate", LearningRate, 1e-9, 100);
        In("--threshold", Threshold, -1, 1);
        In("--fdr", FalseDiscoveryRate, 1e-6, 0.999);
        foreach (int step in CurveSteps) In("--curve", step, 0, 100_000);
    }

    private static void In(string option, double value, double low, double high)
    {
        if (!(value >= low && value <= high)) throw new DoriException($"{option}: {value} is out of range; {low} to {high} is possible");
    }
}

/// <summary>Where the search for an item begins.</summary>
public static class AuditStart
{
    /// <summary>No search: the caption itself.</summary>
    public const string Prompt = "prompt";
    /// <summary>The embedding of the item's own caption.</summary>
    public const string Caption = "caption";
    /// <summary>N(0, I).</summary>
    public const string Random = "random";
    /// <summary>The embedding of a control's caption, another one for every item.</summary>
    public const string Other = "other";

    public static IReadOnlyList<string> All { get; } = [Prompt, Caption, Random, Other];

    internal static bool IsPrompt(string start) => start == Prompt;
}
