using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>
/// X[t, l] of method.md section 5: how strongly each input column of each <c>ff.net.2</c> is used at each call of the UNet, as the L2 norm
/// of the column over tokens, latents and prompts, after every token's vector has been scaled to unit length.
/// </summary>
internal sealed class WandaNorms
{
    private readonly double[][][] _squares; // [step][layer][column]

    internal WandaNorms(IReadOnlyList<(string Name, int Width)> layers, int steps)
    {
        Layers = [.. layers.Select(layer => layer.Name)];
        _squares = [.. Enumerable.Range(0, steps).Select(_ => layers.Select(layer => new double[layer.Width]).ToArray())];
    }

    public IReadOnlyList<string> Layers { get; }
    /// <summary>Calls of the UNet that were recorded, from the first on.</summary>
    public int Steps => _squares.Length;
    /// <summary>Latents that were sampled, over all prompts.</summary>
    public int Latents { get; internal set; }

    /// <summary>The norms of a layer's columns.</summary>
    public double[] this[int step, int layer] => [.. _squares[step][layer].Select(Math.Sqrt)];

    /// <summary>
    /// The same per latent. Published runs sample the empty prompt as often as they have prompts; dividing by the number of latents says
    /// the same of one pass of the empty prompt, and S > S0 then compares like with like.
    /// </summary>
    internal double[] PerLatent(int step, int layer) => [.. _squares[step][layer].Select(square => Math.Sqrt(square / Latents))];

    /// <summary>Norms over the prompts of all.</summary>
    /// <param name="norms">At least one; of the same model, with as many steps.</param>
    public static WandaNorms Pool(IReadOnlyList<WandaNorms> norms)
    {
        WandaNorms first = norms[0];
        if (norms.Any(other => other.Steps != first.Steps || !other.Layers.SequenceEqual(first.Layers)))
            throw new ArgumentException("norms of different layers or steps", nameof(norms));
        var pooled =
            new WandaNorms([.. first.Layers.Zip(first._squares[0], (name, columns) => (name, columns.Length))],
            first.Steps) { Latents = norms.Sum(other => other.Latents) };
        foreach (WandaNorms other in norms)
            for (int step = 0; step < first.Steps; step++)
                for (int layer = 0; layer < first.Layers.Count; layer++)
                    for (int j = 0; j < pooled._squares[step][layer].Length; j++)
                        pooled._squares[step][layer][j] += other._squares[step][layer][j];
        return pooled;
    }

    /// <param name="input">(rows, tokens, width): what a layer was given</param>
    internal void Add(int step, int layer, Tensor input)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor tokens = input.reshape(-1, input.shape[^1]).to(float32); // (rows x tokens, width)
        Tensor squares = tokens.Squared();
        Tensor length = squares.sum([1L], keepdim: true).clamp_min(TensorMath.Kept(1e-24)); // a token of zeros stays one
        double[] sums = (squares / length).sum([0L]).to(float64).cpu().data<double>().ToArray();
        for (int j = 0; j < sums.Length; j++) _squares[step][layer][j] += sums[j];
    }
}

/// <summary>Records a network's calls into <see cref="WandaNorms"/> for as long as it is not disposed.</summary>
internal sealed class WandaRecorder : IDisposable
{
    private readonly LayerHooks _hooks = new();
    private readonly int[] _calls;

    /// <param name="rows">
    /// Latents of a call. Under guidance the UNet sees twice as many rows, the empty prompt's half first: only the second half, the
    /// prompt's own, counts. The published code hooks the whole call; but the empty prompt's half is what S0 stands for, and in X it would
    /// lift both sides of S > S0 alike and blur which columns are the prompt's.
    /// </param>
    /// <param name="onFull">Told once all steps are recorded, during the call of the last layer.</param>
    public WandaRecorder(UNet2DConditionModel unet, WandaNorms norms, long rows, Action? onFull = null)
    {
        IReadOnlyList<(string Name, Linear Layer)> layers = Wanda.Layers(unet);
        _calls = new int[layers.Count];
        for (int i = 0; i < layers.Count; i++)
        {
            int index = i;
            _hooks.Add(layers[i].Layer, (_, input, forward) =>
            {
                int step = _calls[index]++;
                if (step < norms.Steps)
                {
                    using Tensor own = input.narrow(0, input.shape[0] - rows, rows);
                    norms.Add(step, index, own);
                }
                if (index == _calls.Length - 1 && _calls[index] == norms.Steps) onFull?.Invoke();
                return forward(input);
            });
        }
    }

    public void Dispose() => _hooks.Dispose();
}
