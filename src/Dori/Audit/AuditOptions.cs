using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Dori.Diffusion;
using Dori.Search;

namespace Dori.Audit;

/// <summary>
/// What an audit does to every item. All of it goes into the manifest, and all of it decides the units' bytes: a run folder takes units of
/// one set of options only.
/// </summary>
public sealed record AuditOptions
{
    /// <summary>Where searches begin, in the order of the report: see <see cref="AuditStart"/>.</summary>
    [JsonRequired]
    public IReadOnlyList<AuditStart> Starts { get; init; } = Enum.GetValues<AuditStart>();
    [JsonRequired]
    public long Seed { get; init; }
    /// <summary>Search steps that the verdict rests on.</summary>
    [Range(0, 100_000), Display(Name = "SearchSteps"), JsonRequired]
    public int Steps { get; init; } = 50;
    [Range(1, 4096), JsonRequired]
    public int SearchBatch { get; init; } = 8;
    /// <summary>What another search than the published one says of itself; absent for that.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Search { get; init; }
    /// <summary>(noise, time step) pairs that go through the UNet at once; fewer need less memory.</summary>
    [Range(1, 4096), JsonRequired]
    public int MicroBatch { get; init; } = 8;
    [Range(1e-9, 100.0), JsonRequired]
    public double LearningRate { get; init; } = 0.1;
    /// <summary>Steps of the dose-response curve besides the last, ascending; may be empty.</summary>
    [Range(0, 100_000), Display(Name = "Curve"), JsonRequired]
    public IReadOnlyList<int> CurveSteps { get; init; } = [0, 1, 10, 25];
    /// <summary>n: pictures generated from the embedding after the last step.</summary>
    [Range(1, 1000), JsonRequired]
    public int Generations { get; init; } = 10;
    /// <summary>Pictures generated at each curve step. The curve takes the first so many of the last step too: a maximum over more would be
    /// larger by that alone.</summary>
    [Range(1, 1000), JsonRequired]
    public int CurveGenerations { get; init; } = 4;
    /// <summary>Latents that go through the UNet at once when generating.</summary>
    [Range(1, 1000), JsonRequired]
    public int GenerationBatch { get; init; } = 10;
    [Range(0.0, 100.0), JsonRequired]
    public double Guidance { get; init; } = 7.5;
    /// <summary>The sampler's name, or null for the checkpoint's scheduler.</summary>
    [JsonRequired]
    public string? Sampler { get; init; }
    [Range(1, 1000), JsonRequired]
    public int SamplerSteps { get; init; } = 50;
    /// <summary>Similarity above which a generation counts as a copy.</summary>
    [Range(-1.0, 1.0), JsonRequired]
    public double Threshold { get; init; } = 0.7;
    /// <summary>
    /// Whether a generation that is the picture's mirror image counts as the picture: trainings flip at random, and copy detectors do not
    /// see through a flip. The similarity is then the larger of both, for audited pictures and controls alike. False is the published
    /// protocol.
    /// </summary>
    public bool Mirror { get; init; } = true;
    /// <summary>
    /// Whether an audited picture is searched no further once its verdict is certain (<see cref="StopRule"/>). Controls are always searched
    /// to their end. What is left out would only raise similarities.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool StopAtVerdict { get; init; }
    /// <summary>
    /// Whether any search, a control's too, ends with its first copy: of the ladder's rungs, which ask for no more.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool StopAtCopy { get; init; }
    /// <summary>False discovery rate of the Benjamini-Hochberg list.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true), JsonRequired]
    public double FalseDiscoveryRate { get; init; } = 0.1;

    /// <summary>Steps after which an embedding is kept: the curve's below the last, then the last.</summary>
    internal IReadOnlyList<int> SnapshotSteps => [.. CurveSteps.Where(step => step < Steps).Order().Distinct(), Steps];

    /// <summary>What a model's folder asks for; where it names no sampler, the fast one; else as published.</summary>
    /// <param name="threshold">The copy detector's.</param>
    /// <param name="protocol"><c>published</c>, <c>standard</c> or <c>quick</c> (docs/cost.md); null: none of them.</param>
    /// <exception cref="DoriException">There is no protocol of this name.</exception>
    public static AuditOptions For(ModelDefaults defaults, double threshold, string? protocol = null)
    {
        var own = new AuditOptions
        {
            Steps = defaults.SearchSteps,
            SearchBatch = defaults.SearchBatch,
            MicroBatch = defaults.SearchBatch,
            LearningRate = defaults.SearchLearningRate,
            Guidance = defaults.Guidance,
            Sampler = defaults.NamesSampler ? defaults.Sampler : defaults.FastSampler,
            SamplerSteps = defaults.NamesSampler ? defaults.SamplerSteps : defaults.FastSamplerSteps,
            Threshold = threshold,
        };
        return protocol is null ? own : own.Under(Protocols.Of(protocol), defaults);
    }

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

    /// <exception cref="DoriException">All values out of range, by their options' names.</exception>
    public void Check() => Ranges.Check(this,
        (Starts.Count > 0 && Starts.Distinct().Count() == Starts.Count, "`Starts`: name each start once, at least one"),
        (MicroBatch <= SearchBatch, $"`MicroBatch`: {MicroBatch} is out of range; 1 to {SearchBatch}, the batch, is possible"),
        (CurveGenerations <= Generations,
            $"`CurveGenerations`: {CurveGenerations} is out of range; 1 to {Generations}, the last step's, is possible"));
}
