namespace Dori.Audit;

/// <param name="Description">Kind, rank, alpha, layers.</param>
/// <param name="Seen">How often its training showed each picture, as its metadata says; null where it does not.</param>
internal sealed record ManifestAdapter(string Path, string Name, double Scale, string Description, string? Seen);
