using System.Text.Json.Serialization;

namespace Dori.Pictures;

/// <summary>How a picture is memorized, where that is known.</summary>
[JsonConverter(typeof(WordConverter<PictureKind>))]
public enum PictureKind
{
    /// <summary>Not said.</summary>
    None,
    /// <summary>The picture itself.</summary>
    Verbatim,
    /// <summary>Parts of it, such as a product before changing backgrounds.</summary>
    Template,
}
