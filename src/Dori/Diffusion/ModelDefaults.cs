using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Dori.Diffusion;

/// <summary>
/// How a model wants to be sampled and searched: a model folder may say so in <c>dori.json</c>; what it leaves out is as published for
/// Stable Diffusion. Options of the command line win over both.
/// </summary>
public sealed record ModelDefaults
{
    private const int Published = 50;

    /// <summary>w in e_null + w (e_y - e_null).</summary>
    public double Guidance { get; init; } = 7.5;
    /// <summary>One of <see cref="Dori.Diffusion.Sampler.Names"/>; null: the checkpoint's own scheduler.</summary>
    public string? Sampler { get; init; }
    public int SamplerSteps { get; init; } = Published;
    /// <summary>Sampler of the protocols <c>standard</c> and <c>quick</c>: the fastest that gives the verdicts of DDIM.</summary>
    public string FastSampler { get; init; } = "dpm-solver++";
    /// <summary>Its steps; a small network needs fewer than Stable Diffusion's 20.</summary>
    public int FastSamplerSteps { get; init; } = 20;
    public int SearchSteps { get; init; } = 50;
    /// <summary>(noise, time step) pairs a search step.</summary>
    public int SearchBatch { get; init; } = 8;
    public double SearchLearningRate { get; init; } = 0.1;
    /// <summary>Share of each output row that Wanda marks: a small network needs more than Stable Diffusion's 1 %.</summary>
    public double WandaSparsity { get; init; } = 0.01;
    /// <summary>Whether it asks for a sampler or for another number of its steps; if not, audits take the fast one.</summary>
    internal bool NamesSampler => Sampler is not null || SamplerSteps != Published;
    /// <summary>What Erased Stable Diffusion takes for this model.</summary>
    public TrainingDefaults Esd { get; init; } = new();
    /// <summary>What Concept Ablation takes for this model.</summary>
    public TrainingDefaults ConceptAblation { get; init; } = new();
    /// <summary>What SISS takes for this model.</summary>
    public TrainingDefaults Siss { get; init; } = new();
    /// <summary>Options of adversarial fine-tuning, by their names in <c>mitigation.json</c>; read by that.</summary>
    public JsonObject? Adversarial { get; init; }

    /// <summary>Reads <c>dori.json</c> of a model folder, where there is one.</summary>
    /// <exception cref="DoriException">Not JSON, an unknown key, or a value out of range.</exception>
    public static ModelDefaults Read(string folder)
    {
        string path = Path.Combine(folder, "dori.json");
        if (!File.Exists(path)) return new ModelDefaults();
        JsonObject members = InputFile.ReadJsonObject(path, InputKind.Preset);
        ModelDefaults read = JsonOverlay.Merge(new ModelDefaults(), ModelDefaultsJson.Default.ModelDefaults, [(path, members)]);
        foreach (string name in new[] { read.Sampler, read.FastSampler }.OfType<string>())
            if (!Diffusion.Sampler.Names.Contains(name))
            throw new DoriException($"{path}: sampler \"{name}\" is not known; choose one of {string.Join(", ", Diffusion.Sampler.Names)}");
        if (read is not { Guidance: >= 0 and <= 100, SamplerSteps: >= 1 and <= 1000,
            FastSamplerSteps: >= 1 and <= 1000, SearchSteps: >= 1 and <= 100_000,
            SearchBatch: >= 1 and <= 4096, SearchLearningRate: > 0 and <= 100, WandaSparsity: > 0 and <= 1 })
            throw new DoriException(
                $"{path}: a value is out of range (guidance 0..100, samplerSteps and fastSamplerSteps 1..1000, searchSteps 1..100000, "
                + $"searchBatch 1..4096, searchLearningRate above 0, wandaSparsity above 0 to 1)");
        return read;
    }
}

/// <summary>How a model wants to be trained by one of the methods that do so; null: as published.</summary>
public sealed record TrainingDefaults
{
    public double? LearningRate { get; init; }
    /// <summary>Steps for each picture to forget, instead of a number for all.</summary>
    public int? StepsPerPicture { get; init; }
    /// <summary>Where a method samples: steps of that.</summary>
    public int? SamplerSteps { get; init; }
    /// <summary>Pictures that go through the UNet at once.</summary>
    public int? MicroBatch { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ModelDefaults))]
internal sealed partial class ModelDefaultsJson : JsonSerializerContext;
