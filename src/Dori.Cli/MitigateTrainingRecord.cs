using System.Text.Json.Serialization;
using Dori.Checkpoints;
using Dori.Mitigation;

namespace Dori.Cli;

/// <summary><c>mitigation.json</c> of a new model: what was asked, of which model, for which pictures, and how the training went.</summary>
/// <param name="Method">esd, concept-ablation or siss.</param>
/// <param name="Prepared">Pictures that took part besides those to remove, by item.</param>
/// <param name="History">Losses of every step that this command took; a resumed training knows only its own.</param>
internal sealed record MitigateTrainingRecord(string Schema, string Method, string Version, string Command, MitigatedModel Model, MitigatedPictures Pictures,
    MitigateOptions Options, long Seed, string Device, string Dtype, int Threads, IReadOnlyList<PreparedPictures> Prepared, IReadOnlyList<IReadOnlyDictionary<string, double>> History);

/// <param name="Sha256">Of the model as it was, with its adapters.</param>
/// <param name="Adapters">Merged into the new model, which is whole; absent where there were none.</param>
internal sealed record MitigatedModel(string Path, string Sha256, IReadOnlyList<MergedAdapter>? Adapters = null);

internal sealed record MitigatedPictures(string Path, string Sha256, IReadOnlyList<string> Items);

/// <summary>The method's own; the other two are absent.</summary>
internal sealed record MitigateOptions(EsdOptions? Esd = null, ConceptAblationOptions? ConceptAblation = null, SissOptions? Siss = null);

/// <param name="Source">The folder they came from, or <c>generated</c>.</param>
/// <param name="Tries">Generations looked at; 0 where pictures were given.</param>
/// <param name="Similarities">Of the accepted generations to the picture.</param>
internal sealed record PreparedPictures(string Item, string Source, string Caption, int Count, int Tries, IReadOnlyList<float> Similarities);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n", UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MitigateTrainingRecord))]
internal sealed partial class MitigateTrainingJson : JsonSerializerContext;
