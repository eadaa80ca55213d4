using System.Text.Json.Nodes;
using Dori.Diffusion;
using Dori.Models;

namespace Dori.Mitigation;

/// <summary>
/// A way to say which weights of one model a picture's caption, or whatever else brings it, rests on. To prune what is marked is one
/// mitigation (<see cref="Pruning"/>); whether different triggers of a picture have the same marks is one test of locality. One thread at a
/// time.
/// </summary>
public interface IMarking : IDisposable
{
    /// <summary>For people and in files' names, such as <c>Wanda</c>.</summary>
    string Name { get; }

    /// <summary>What decides the marks, besides the model and the condition; known before anything is marked.</summary>
    string Settings { get; }

    /// <summary>For the record, once something has been marked.</summary>
    JsonObject Options { get; }

    /// <summary>The layers that it marks, in the network's order.</summary>
    IReadOnlyList<(string Name, Linear Layer)> Layers { get; }

    /// <summary>Marks weights; the model is left as it is.</summary>
    /// <param name="conditions">
    /// At least one, of one row each; several are marked for together, where the method can, or each for itself.
    /// </param>
    Marked Mark(IReadOnlyList<Conditioning> conditions, CancellationToken cancellation = default);
}

/// <summary>What a method marks.</summary>
/// <param name="Neurons">Of a method that tells neurons first.</param>
public sealed record Marked(WeightMask Mask, PrunedNeurons? Neurons = null)
{
    /// <summary>The method's own test does not call this memorized, so that nothing is marked.</summary>
    public bool Skipped { get; init; }
}
