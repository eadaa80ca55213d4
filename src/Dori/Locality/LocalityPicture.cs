using System.Text.Json.Serialization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;

namespace Dori.Locality;

/// <summary>How a picture's searches ended.</summary>
/// <param name="Triggers">Searches whose embedding generates the picture: a similarity above the threshold.</param>
/// <param name="Similarity">Over searches, of the best generation from the end.</param>
/// <param name="StartSimilarity">The same from the start, before any search: the null.</param>
/// <param name="Other">Searched once, only to see triggers of different pictures.</param>
internal sealed record LocalityPicture(string Item, string File, string Caption, string Kind, int Searches, int Triggers, Spread Similarity,
    Spread StartSimilarity, bool Other);
