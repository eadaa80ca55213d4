using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Dori.Checkpoints;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>
/// <c>mitigation.json</c> beside a new model: what was asked, of which model, for which pictures, and what the method has to say of it.
/// </summary>
internal sealed record MitigationRecord
{
    public const string CurrentSchema = "dori.mitigation/2";

    public string Schema { get; init; } = CurrentSchema;
    /// <summary>See <see cref="IMitigation.Name"/>.</summary>
    public required string Method { get; init; }
    public required string Title { get; init; }
    public required string Version { get; init; }
    public required string Command { get; init; }
    /// <summary>The model as it was.</summary>
    public required RecordedSource Model { get; init; }
    /// <summary>Adapters that the new model has taken in: it is whole without them. Absent where there were none.</summary>
    public IReadOnlyList<MergedAdapter>? Adapters { get; init; }
    /// <summary>The pictures to forget.</summary>
    public required RecordedPictures Pictures { get; init; }
    public required long Seed { get; init; }
    /// <summary>cpu or cuda</summary>
    public required string Device { get; init; }
    /// <summary>The UNet's numbers.</summary>
    public required string Dtype { get; init; }
    public required int Threads { get; init; }
    /// <summary>The method's own, as they were in effect.</summary>
    public required JsonObject Options { get; init; }
    /// <summary>Of every step of a training, by name.</summary>
    public required IReadOnlyList<IReadOnlyDictionary<string, double>> Losses { get; init; }
    /// <summary>The method's own.</summary>
    public required JsonObject Details { get; init; }

    public string ToJson() => JsonSerializer.Serialize(this, MitigationJson.Default.MitigationRecord);

    /// <summary>Writes the new model: its UNet's weights as the outcome has them, a card, and this record.</summary>
    /// <remarks>What a method does not change keeps the file's own bits, whatever type the work ran in.</remarks>
    /// <exception cref="DoriException">See <see cref="Checkpoint.SaveWithUNet"/>.</exception>
    public void Save(Checkpoint original, string target, MitigationOutcome outcome)
    {
        string? card = original.Folder is { } folder ? Path.Combine(folder, "README.md") : null;
        using WeightSet weights = original.OpenUNet();
        original.SaveWithUNet(target, key =>
        {
            Tensor stored = weights.Read(key), weight = outcome.Weight(key, stored);
            if (!ReferenceEquals(weight, stored)) stored.Dispose();
            return weight;
        }, MitigationCard.Of(this, outcome, File.Exists(card) ? InputFile.ReadText(card, InputKind.Card) : ""), ToJson() + "\n");
    }
}

/// <param name="Name">Of a folder, a file or a copy detector's preset.</param>
/// <param name="Sha256">Of all its contents.</param>
internal sealed record RecordedSource(string Name, string Sha256);

/// <param name="Items">Ids.</param>
internal sealed record RecordedPictures(string Name, string Sha256, IReadOnlyList<string> Items);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n",
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(MitigationRecord))]
[JsonSerializable(typeof(PruningRecord))]
[JsonSerializable(typeof(FirstPruningRecord))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(WandaSettings))]
[JsonSerializable(typeof(NemoSettings))]
[JsonSerializable(typeof(EsdOptions))]
[JsonSerializable(typeof(SissOptions))]
[JsonSerializable(typeof(ConceptAblationOptions))]
[JsonSerializable(typeof(Replaced))]
internal sealed partial class MitigationJson : JsonSerializerContext
{
    /// <summary>A record as the object that it is in JSON.</summary>
    public static JsonObject Object<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        (JsonObject)JsonSerializer.SerializeToNode(value, type)!;
}
