using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, NewLine = "\n",
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(LocalitySummary))]
[JsonSerializable(typeof(WeightPicture))]
internal sealed partial class LocalityJson : JsonSerializerContext;
