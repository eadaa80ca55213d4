namespace Dori.Checkpoints;

/// <summary>A checkpoint as records name it.</summary>
/// <param name="Name">Folder's name.</param>
/// <param name="Sha256">One hash over the names and hashes of all its files.</param>
public sealed record SummaryModel(string Name, string Sha256);
