using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary>Where the search for an item begins.</summary>
[JsonConverter(typeof(WordConverter<AuditStart>))]
public enum AuditStart
{
    /// <summary>No search: the caption itself.</summary>
    Prompt,
    /// <summary>The embedding of the item's own caption.</summary>
    Caption,
    /// <summary>N(0, I).</summary>
    Random,
    /// <summary>The embedding of a control's caption, another one for every item.</summary>
    Other,
}
