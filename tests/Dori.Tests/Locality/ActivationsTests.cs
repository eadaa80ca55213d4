using Dori.Diffusion;
using Dori.Locality;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Locality;

public class ActivationsTests
{
    [Fact]
    public void Distances_are_those_of_what_the_layers_give_and_take()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        DiffusionModel model = DiffusionModel.Load(Golden.EmojiModel); // its own: hooks are not for sharing
        IReadOnlyList<ActivationSite> sites = ActivationSite.Of(model.UNet);
        Assert.Equal(3, sites.Count(s => s.Method == "NeMo"));
        Assert.Equal(7, sites.Count(s => s.Method == "Wanda"));
        RandomSource random = RandomSource.For("activations");
        Tensor noise = random.Derive("noise").Normal([1, .. model.LatentShape]);
        Conditioning y = Conditioning.Cat([.. Enumerable.Range(0, 3).Select(k => model.RandomConditioning(random.Derive("y", k)))]);
        IReadOnlyList<DistanceMatrix> once = Activations.Distances(model, sites, y, noise, 960, 2);
        // A value projection sees the embedding alone.
        Linear first = sites[0].Layer;
        Tensor values = first.call(y.Tokens);
        double expected = (values[0] - values[1]).norm().item<float>();
        Assert.Equal(expected, once[0][0, 1], expected * 1e-4);
        Assert.All(once, d => Assert.True(d[0, 1] > 0 && d[1, 2] > 0));
        // In as many passes as there are layers, and one embedding at a time: the same but for rounding.
        IReadOnlyList<DistanceMatrix> parts =
            Activations.Distances(model, sites, y, noise, 960, 1, mostBytes: 1, null, CancellationToken.None);
        for (int s = 0; s < sites.Count; s++) Assert.Equal(once[s][0, 2], parts[s][0, 2], once[s][0, 2] * 1e-3);
        Assert.All(sites, s => Assert.Null(s.Layer.Hook));
        model.Dispose();
    }
}
