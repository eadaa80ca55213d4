using System.Text.Json.Serialization;

namespace Dori.Pictures;

/// <summary>What a picture is there for.</summary>
[JsonConverter(typeof(WordConverter<PictureRole>))]
public enum PictureRole
{
    /// <summary>To be looked for.</summary>
    Audit,
    /// <summary>Never seen by the model: tells memory from a strong search.</summary>
    Control,
}
