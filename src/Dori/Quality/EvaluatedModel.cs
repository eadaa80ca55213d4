using Dori.Measures;

namespace Dori.Quality;

/// <summary>A quality run that is whole.</summary>
/// <param name="Folder">Where its pictures lie.</param>
public sealed record EvaluatedModel(string Folder, QualitySummary Summary)
{
    /// <summary>What the figures were taken from, by set: for the intervals of differences.</summary>
    internal IReadOnlyDictionary<string, QualitySamples> Samples { get; init; } = new Dictionary<string, QualitySamples>();
}
