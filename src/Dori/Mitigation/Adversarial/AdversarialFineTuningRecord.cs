using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Checkpoints;

namespace Dori.Mitigation.Adversarial;

/// <summary>What was done to a model, beside it as <c>mitigation.json</c>. Holds no times: the same training writes the same bytes.</summary>
public sealed record AdversarialFineTuningRecord
{
    public string Schema { get; init; } = "dori.mitigation/1";
    public string Method { get; init; } = "adversarial";
    public required string Version { get; init; }
    /// <summary>The original model's name and hash.</summary>
    public required RecordedSource Model { get; init; }
    /// <summary>Adapters that the new model has taken in: it is whole without them. Absent where there were none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public IReadOnlyList<MergedAdapter>? Adapters { get; init; }
    public required RecordedSource Pictures { get; init; }
    /// <summary>Where the ordinary pairs come from; below, how many were used, and how many left out as copies.</summary>
    public required IReadOnlyList<RecordedSource> Ordinary { get; init; }
    public required int OrdinaryPairs { get; init; }
    public required int OrdinaryDropped { get; init; }
    public required RecordedSource CopyDetector { get; init; }
    /// <summary>float32's last bits depend on it.</summary>
    public required int ThreadsEach { get; init; }
    public required AdversarialOptions Options { get; init; }
    public required IReadOnlyList<RecordedSurrogates> Surrogates { get; init; }
    /// <summary>Outer steps: done, and planned.</summary>
    public int Steps { get; init; }
    public int PlannedSteps { get; init; }
    public IReadOnlyList<HeldOutCheck> Checks { get; init; } = [];
    /// <summary>Of every outer step, by name.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, double>> Losses { get; init; } = [];

    public string ToJson() => JsonSerializer.Serialize(this, AdversarialFineTuningJson.Default.AdversarialFineTuningRecord) + "\n";
}

/// <param name="Name">Of a folder, a file or a copy detector's preset.</param>
/// <param name="Sha256">Of all its contents.</param>
public sealed record RecordedSource(string Name, string Sha256);

/// <param name="Id">The picture's.</param>
public sealed record RecordedSurrogates(string Id, string Caption, IReadOnlyList<float> Similarities, IReadOnlyList<double> Sparsities);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n", UseStringEnumConverter = true)]
[JsonSerializable(typeof(AdversarialFineTuningRecord))]
internal sealed partial class AdversarialFineTuningJson : JsonSerializerContext;
