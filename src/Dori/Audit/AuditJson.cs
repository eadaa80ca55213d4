using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary>How the run folder's records are written and read: indented, camelCase, no unknown members.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, NewLine = "\n")]
[JsonSerializable(typeof(UnitRecord))]
[JsonSerializable(typeof(UnitCost))]
[JsonSerializable(typeof(LikelihoodRecord))]
[JsonSerializable(typeof(FindBitsRecord))]
[JsonSerializable(typeof(Summary))]
[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(AuditOptions))]
[JsonSerializable(typeof(RunLog))]
internal sealed partial class AuditJson : JsonSerializerContext;
