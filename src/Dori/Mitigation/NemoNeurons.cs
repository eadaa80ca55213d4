namespace Dori.Mitigation;

/// <summary>Neurons, that is output columns, of NeMo's value layers: for each layer by number their indices, ascending.
/// Immutable.</summary>
internal sealed class NemoNeurons
{
    /// <param name="layers">In the network's order; indices in any order.</param>
    public NemoNeurons(IEnumerable<IEnumerable<int>> layers) =>
        Layers = [.. layers.Select(layer => (IReadOnlyList<int>)[.. layer.Distinct().Order()])];

    public IReadOnlyList<IReadOnlyList<int>> Layers { get; }
    /// <summary>Of all layers.</summary>
    public int Count => Layers.Sum(layer => layer.Count);

    public static NemoNeurons None(int layers) => new(Enumerable.Repeat(Array.Empty<int>(), layers));

    public NemoNeurons Without(int layer) => new(Layers.Select((neurons, l) => l == layer ? [] : neurons));

    public NemoNeurons Without(int layer, int neuron) =>
        new(Layers.Select((neurons, l) => l == layer ? neurons.Where(n => n != neuron) : neurons));

    public NemoNeurons Union(NemoNeurons other) => new(Layers.Zip(other.Layers, (a, b) => a.Concat(b)));

    public bool SameAs(NemoNeurons other) => Layers.Zip(other.Layers, (a, b) => a.SequenceEqual(b)).All(same => same);
}
