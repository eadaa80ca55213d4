using System.Text.Json.Serialization;
using Dori.Checkpoints;

namespace Dori.Audit;

/// <param name="Name">"base", or "base + adapter" where adapters are merged into it.</param>
/// <param name="Files">SHA-256 by path, the adapters' with their place and scale.</param>
/// <param name="Adapters">In the order of their merging; absent where there are none.</param>
internal sealed record ManifestModel(string Path, string Name, string Sha256, IReadOnlyDictionary<string, string> Files,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ManifestAdapter>? Adapters = null)
{
    internal static ManifestModel Of(Checkpoint checkpoint)
    {
        IReadOnlyList<(string File, string Sha256)> hashes = checkpoint.FileHashes(); // read once: a checkpoint is gigabytes
        ManifestAdapter[] adapters = [.. checkpoint.Adapters.Select(a =>
            new ManifestAdapter(System.IO.Path.GetFullPath(a.Path), a.Name, a.Scale, a.Description, a.Training?.Seen()))];
        return new ManifestModel(System.IO.Path.GetFullPath(checkpoint.Path), checkpoint.Name, Checkpoint.Sha256Of(hashes),
            hashes.ToDictionary(f => f.File, f => f.Sha256), adapters.Length == 0 ? null : adapters);
    }
}
