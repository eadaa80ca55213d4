using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary>What the embedding after <see cref="Step"/> search steps generates.</summary>
internal sealed record Snapshot
{
    public required int Step { get; init; }
    /// <summary>Per generation: similarity to the item, the maximum over its references and, where they count, their mirror
    /// images.</summary>
    public required IReadOnlyList<float> Similarities { get; init; }
    /// <summary>Numbers of the generations, ascending, that are more similar to a mirror image than to the picture itself.</summary>
    public IReadOnlyList<int> Mirrored { get; init => field = value ?? []; } = [];
    /// <summary>Median pairwise similarity among the generations (lower is more diverse).</summary>
    public required float Diversity { get; init; }
    /// <summary>Generated pictures relative to the run folder, in the order of <see cref="Similarities"/>; empty where not kept.</summary>
    public IReadOnlyList<string> Pictures { get; init => field = value ?? []; } = [];

    [JsonIgnore] public float Best => Similarities.Max();
    /// <summary>Whether the best generation is the picture's mirror image.</summary>
    [JsonIgnore] public bool BestIsMirrored => Mirrored.Any(n => Similarities[n] >= Best);
}
