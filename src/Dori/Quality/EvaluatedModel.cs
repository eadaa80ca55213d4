using Dori.Measures;

namespace Dori.Quality;

/// <summary>A quality run that is whole.</summary>
/// <param name="Folder">Where its pictures lie.</param>
/// <param name="Samples">What the figures were taken from, by set: for the intervals of differences.</param>
public sealed record EvaluatedModel(string Folder, QualitySummary Summary, IReadOnlyDictionary<string, QualitySamples> Samples);
