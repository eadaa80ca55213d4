using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Training;

/// <summary>
/// Exponential moving average of weights: average = decay average + (1 - decay) weight after every step, in float32. It starts at the
/// weights.
/// </summary>
internal sealed class TrainingAverage : IDisposable
{
    private readonly IReadOnlyList<string> _names;
    private readonly IReadOnlyList<Tensor> _weights;
    private readonly Tensor[] _average;
    private readonly double _decay;

    /// <param name="decay">In (0, 1), such as 0.999.</param>
    public TrainingAverage(IReadOnlyList<string> names, IReadOnlyList<Tensor> weights, double decay)
    {
        (_names, _weights, _decay) = (names, weights, decay);
        using var noGrad = no_grad();
        _average = [.. weights.Select(w => w.detach().to(float32, copy: true).DetachFromDisposeScope())];
    }

    /// <summary>After each of the optimiser's steps.</summary>
    public void Update()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        for (int i = 0; i < _average.Length; i++) _average[i].Times_(_decay).Add_(_weights[i].to(float32), 1 - _decay);
    }

    /// <summary>Puts the average in the weights' place.</summary>
    public void CopyToWeights()
    {
        using var noGrad = no_grad();
        for (int i = 0; i < _average.Length; i++) _weights[i].copy_(_average[i]);
    }

    /// <summary>The average in the weights' place until the result is disposed; then the weights are back, bit for bit.</summary>
    public IDisposable InPlace()
    {
        Tensor[] kept = [.. _weights.Select(weight => weight.detach().clone().DetachFromDisposeScope())];
        CopyToWeights();
        return new Kept(_weights, kept);
    }

    /// <summary>The average by name: to be written, not kept.</summary>
    public IReadOnlyList<(string Name, Tensor Tensor)> State() => [.. _names.Select((name, i) => ($"average.{name}", _average[i]))];

    /// <summary>Goes on from a state that was written.</summary>
    /// <param name="read">The tensor of a name that <see cref="State"/> gave; disposed here.</param>
    public void Restore(Func<string, Tensor> read)
    {
        using var noGrad = no_grad();
        foreach ((string name, Tensor tensor) in State())
        {
            using Tensor stored = read(name);
            tensor.copy_(stored);
        }
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _average) tensor.Dispose();
    }

    private sealed class Kept(IReadOnlyList<Tensor> weights, Tensor[] kept) : IDisposable
    {
        public void Dispose()
        {
            using var noGrad = no_grad();
            for (int i = 0; i < kept.Length; i++)
            {
                weights[i].copy_(kept[i]);
                kept[i].Dispose();
            }
        }
    }
}
