using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary>What an audit says of a picture (docs/verdicts.md).</summary>
[JsonConverter(typeof(WordConverter<Verdict>))]
public enum Verdict
{
    /// <summary>It comes back, and hardly any control does.</summary>
    Retained,
    /// <summary>It passes the threshold, but so do controls.</summary>
    Undecided,
    /// <summary>Nothing from any start passes the threshold.</summary>
    NotFound,
    /// <summary>Something that a verdict rests on is missing.</summary>
    NotJudged,
}
