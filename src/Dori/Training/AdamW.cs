using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Training;

/// <summary>Settings of <see cref="AdamW"/>; the defaults are PyTorch's.</summary>
internal sealed record AdamWOptions
{
    public required double LearningRate { get; init; }
    public double Beta1 { get; init; } = 0.9;
    public double Beta2 { get; init; } = 0.999;
    public double Epsilon { get; init; } = 1e-8;
    /// <summary>Decoupled: each step takes this times the learning rate off every weight. 0 is plain Adam.</summary>
    public double WeightDecay { get; init; } = 0.01;
    /// <summary>Gradients longer than this, as one vector over all weights, are shortened to it.</summary>
    public double? MaxGradientNorm { get; init; }
}

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2, in PyTorch's arrangement), in place on the weights.
/// Moments are float32; weights of another type are kept in float32 beside the network, or steps smaller than their rounding would vanish.
/// </summary>
internal sealed class AdamW : IDisposable
{
    private readonly IReadOnlyList<string> _names;
    private readonly IReadOnlyList<Tensor> _weights;
    private readonly AdamWOptions _options;
    private readonly Tensor[] _m, _v;
    private readonly Tensor?[] _masters;

    /// <param name="names">Distinct; they name the state.</param>
    /// <param name="weights">One a name; not owned.</param>
    public AdamW(IReadOnlyList<string> names, IReadOnlyList<Tensor> weights, AdamWOptions options)
    {
        (_names, _weights, _options) = (names, weights, options);
        using var noGrad = no_grad();
        _m = [.. weights.Select(Zeros)];
        _v = [.. weights.Select(Zeros)];
        _masters = [.. weights.Select(w => w.dtype == float32 ? null : w.detach().to(float32).DetachFromDisposeScope())];

        static Tensor Zeros(Tensor weight) => zeros(weight.shape, float32, weight.device).DetachFromDisposeScope();
    }

    /// <summary>Steps taken.</summary>
    public long Steps { get; private set; }

    /// <summary>One step.</summary>
    /// <param name="gradients">One a weight, in their order; clipping scales them in place.</param>
    /// <param name="share">Of the learning rate, where it follows a schedule: 0 to 1.</param>
    /// <returns>The gradients' norm before clipping.</returns>
    /// <exception cref="DoriException">The gradients are not finite; the weights are as they were.</exception>
    public double Step(IReadOnlyList<Tensor> gradients, double share = 1)
    {
        if (gradients.Count != _weights.Count) throw new ArgumentException($"{gradients.Count} gradients for {_weights.Count} weights",
            nameof(gradients));
        double norm = TrainingGradients.Norm(gradients);
        if (!double.IsFinite(norm))
            throw new DoriException($"training diverged: the gradients of step {Steps + 1} are not finite; choose a lower learning rate");
        using var noGrad = no_grad();
        if (_options.MaxGradientNorm is { } most && norm > most)
        {
            foreach (Tensor gradient in gradients) gradient.Times_(most / (norm + 1e-6)); // PyTorch's guard
        }
        Steps++;
        for (int i = 0; i < gradients.Count; i++) Step(i, gradients[i], share * _options.LearningRate);
        return norm;
    }

    private void Step(int i, Tensor gradient, double rate)
    {
        using var scope = NewDisposeScope();
        double bias1 = 1 - Math.Pow(_options.Beta1, Steps), bias2 = 1 - Math.Pow(_options.Beta2, Steps);
        Tensor g = gradient.to(float32), weight = _masters[i] ?? _weights[i];
        if (_options.WeightDecay != 0) weight.Times_(1 - rate * _options.WeightDecay);
        _m[i].Times_(_options.Beta1).Add_(g, 1 - _options.Beta1);
        _v[i].Times_(_options.Beta2).AddProduct_(g, g, 1 - _options.Beta2);
        Tensor denominator = _v[i].sqrt().Over(Math.Sqrt(bias2)).Add_(_options.Epsilon);
        weight.AddQuotient_(_m[i], denominator, -rate / bias1);
        if (_masters[i] is { } master) _weights[i].copy_(master);
    }

    /// <summary>
    /// Everything that the next step depends on besides the gradients: number of steps, both moments, and the weights in float32.
    /// The tensors are the optimiser's own: to be written, not kept.
    /// </summary>
    public IReadOnlyList<(string Name, Tensor Tensor)> State()
    {
        var state = new List<(string, Tensor)> { ("step", tensor(new[] { Steps })) };
        for (int i = 0; i < _names.Count; i++)
        {
            state.Add(($"weight.{_names[i]}", _masters[i] ?? _weights[i]));
            state.Add(($"m.{_names[i]}", _m[i]));
            state.Add(($"v.{_names[i]}", _v[i]));
        }
        return state;
    }

    /// <summary>Goes on from a state that was written, weights included.</summary>
    /// <param name="read">The tensor of a name that <see cref="State"/> gave; disposed here.</param>
    /// <exception cref="DoriException">A tensor of another shape: the state is of other weights.</exception>
    public void Restore(Func<string, Tensor> read)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach ((string name, Tensor tensor) in State().Skip(1))
        {
            using Tensor stored = read(name);
            if (!stored.shape.SequenceEqual(tensor.shape))
                throw new DoriException($"the training state's tensor {name} has shape ({string.Join(", ", stored.shape)}), the "
                    + $"model's ({string.Join(", ", tensor.shape)}): it is of another model");
            tensor.copy_(stored);
        }
        for (int i = 0; i < _masters.Length; i++)
            if (_masters[i] is { } master) _weights[i].copy_(master);
        using Tensor step = read("step");
        Steps = step.item<long>();
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _m.Concat(_v)) tensor.Dispose();
        foreach (Tensor? master in _masters) master?.Dispose();
    }
}
