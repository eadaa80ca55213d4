using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>A layer whose activations are compared.</summary>
/// <param name="Method">NeMo: the outputs of a value projection; Wanda: the inputs of a feed-forward block's second layer.</param>
internal sealed record ActivationSite(string Method, string Name, Linear Layer)
{
    /// <summary>NeMo's sites, then Wanda's, each in the network's order.</summary>
    public static IReadOnlyList<ActivationSite> Of(UNet2DConditionModel unet) =>
        [.. Nemo.Layers(unet).Select(l => new ActivationSite("NeMo", l.Name, l.Layer)),
            .. Wanda.Layers(unet).Select(l => new ActivationSite("Wanda", l.Name, l.Layer))];
}

/// <summary>Distances of embeddings as a network's layers see them. The network is hooked meanwhile: one thread at a time.</summary>
internal static class Activations
{
    /// <summary>Activations are held for as many layers at once as fit; the network runs again for the others.</summary>
    private const long MostBytes = 2L << 30;

    /// <param name="embeddings">E rows</param>
    /// <param name="noise">(1, 4, h, w): the same for all</param>
    /// <param name="timestep">0 .. T-1</param>
    /// <param name="batch">Embeddings that go through the UNet at once</param>
    /// <param name="onBatch">Told the share that is done.</param>
    /// <returns>By site, in their order</returns>
    public static IReadOnlyList<DistanceMatrix> Distances(DiffusionModel model, IReadOnlyList<ActivationSite> sites,
        Conditioning embeddings, Tensor noise, float timestep, int batch,
        Action<double>? onBatch = null, CancellationToken cancellation = default) =>
        Distances(model, sites, embeddings, noise, timestep, batch, MostBytes, onBatch, cancellation);

    /// <param name="mostBytes">Memory for activations, where one layer's fit.</param>
    /// <inheritdoc cref="Distances(DiffusionModel, IReadOnlyList{ActivationSite}, Conditioning, Tensor, float, int, Action{double}?,
    /// CancellationToken)"/>
    internal static IReadOnlyList<DistanceMatrix> Distances(DiffusionModel model, IReadOnlyList<ActivationSite> sites,
        Conditioning embeddings, Tensor noise, float timestep, int batch, long mostBytes,
        Action<double>? onBatch, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor t = tensor(new[] { timestep }).to(model.Device), z = noise.to(model.Device);
        long count = embeddings.Count;
        Tensor[] one = Record(model, sites, z, t, embeddings.Narrow(0, 1).To(model.Device));
        var passes = new List<List<int>>();
        long held = long.MaxValue;
        for (int s = 0; s < sites.Count; s++)
        {
            long bytes = 4 * count * one[s].numel();
            if (held > mostBytes - bytes || passes.Count == 0)
            {
                passes.Add([]);
                held = 0;
            }
            passes[^1].Add(s);
            held += bytes;
        }
        var matrices = new DistanceMatrix[sites.Count];
        for (int pass = 0; pass < passes.Count; pass++)
        {
            using var inner = NewDisposeScope();
            ActivationSite[] some = [.. passes[pass].Select(s => sites[s])];
            Tensor[] rows = [.. passes[pass].Select(s => empty(count, one[s].numel()))];
            for (long at = 0; at < count; at += batch)
            {
                cancellation.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                long size = Math.Min(batch, count - at);
                Tensor[] seen = Record(model, some, z.expand(size, -1, -1, -1), t, embeddings.Narrow(at, size).To(model.Device));
                for (int s = 0; s < some.Length; s++) rows[s].narrow(0, at, size).copy_(seen[s].reshape(size, -1));
                onBatch?.Invoke((pass + (double)(at + size) / count) / passes.Count);
            }
            for (int s = 0; s < some.Length; s++) matrices[passes[pass][s]] = DistanceMatrix.Of(rows[s]);
        }
        return matrices;
    }

    /// <summary>Activations at the sites, (E, tokens, width) float32 each, owned by the caller's scope.</summary>
    private static Tensor[] Record(DiffusionModel model, IReadOnlyList<ActivationSite> sites, Tensor noise, Tensor timestep,
        Conditioning embeddings)
    {
        using var scope = NewDisposeScope();
        var seen = new Tensor[sites.Count];
        using (var hooks = new LayerHooks())
        {
            for (int s = 0; s < sites.Count; s++)
            {
                int index = s;
                hooks.Add(sites[s].Layer, (_, input, forward) =>
                {
                    Tensor output = forward(input);
                    // A copy of its own: the network's scopes end before the call returns.
                    seen[index] = (sites[index].Method == "NeMo" ? output : input).detach().to(float32).clone().DetachFromDisposeScope();
                    return output;
                });
            }
            model.Predict(noise, timestep, embeddings);
        }
        foreach (Tensor tensor in seen) scope.Attach(tensor);
        foreach (Tensor tensor in seen) tensor.MoveToOuterDisposeScope();
        return seen;
    }
}
