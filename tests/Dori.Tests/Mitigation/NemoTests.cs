using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

[Collection(EmojiHooks.Name)]
public class NemoTests
{
    [Fact]
    public void Value_activations_agree_with_the_reference()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> golden = GoldenFile.Read("emoji_nemo_values"), text = GoldenFile.Read("emoji_pipeline");
        string[] layers = [.. Nemo.Layers(Emoji.Model.UNet).Select(layer => layer.Name)];
        Assert.Equal(["down_blocks.1.attentions.0", "down_blocks.2.attentions.0", "mid_block.attentions.0"],
            layers.Select(name => name.Split(".transformer")[0]));
        for (int i = 0; i < 6; i++)
        {
            double[][] activations = Nemo.Activations(Emoji.Model, new Conditioning(text["text"].narrow(0, i, 1)));
            for (int l = 0; l < layers.Length; l++)
                Assert.InRange(Golden.RelativeError(tensor(activations[l]).to(float32), golden[layers[l]][i]), 0, 1e-5);
        }
    }

    [Fact]
    public void Outliers_are_distances_from_the_mean_in_deviations()
    {
        // Neuron 0: 1, 2, 6 -> mean 3, deviation sqrt((4 + 1 + 9) / 2) = sqrt 7. Neuron 1 never varies. A second layer of one neuron.
        NemoStatistics statistics = NemoStatistics.Of([[[1, 5], [0]], [[2, 5], [2]], [[6, 5], [4]]]);
        Assert.Equal(3, statistics.Captions);
        Assert.Equal([3.0, 5], statistics.Mean[0]);
        Assert.Equal(Math.Sqrt(7), statistics.Deviation[0][0], 12);
        Assert.Equal(2, statistics.Deviation[1][0], 12);
        double[][] outliers = statistics.Outliers([[10, 5.5], [-3]]);
        Assert.Equal(Math.Sqrt(7), outliers[0][0], 12);
        Assert.Equal(double.PositiveInfinity, outliers[0][1]);
        Assert.Equal(2.5, outliers[1][0], 12);
        Assert.True(double.IsNaN(statistics.Outliers([[3, 5], [2]])[0][1]));
        Assert.Throws<DoriException>(() => NemoStatistics.Of([[[1.0]]]));
    }

    [Fact]
    public void Differences_are_scaled_by_channel_and_a_constant_channel_stays_finite()
    {
        using var scope = NewDisposeScope();
        Tensor d = tensor([-2f, 0, 2, 6, 3, 3, 3, 3], [1, 2, 2, 2]);
        Assert.Equal([0, 0.25f, 0.5f, 1, 0, 0, 0, 0], NemoProbe.Scaled(d).data<float>().ToArray());
    }

    [Theory]
    [InlineData(64, 64, 11, 3)]
    [InlineData(96, 64, 11, 3)]
    [InlineData(44, 44, 11, 3)]
    [InlineData(43, 64, 7, 3)]
    [InlineData(32, 32, 5, 3)]
    [InlineData(16, 16, 3, 3)]
    [InlineData(8, 8, 3, 2)]
    [InlineData(4, 4, 3, 1)]
    public void The_window_shrinks_with_the_latents(int height, int width, int kernel, int scales)
    {
        (Dori.Measures.Ssim ssim, IReadOnlyList<double> betas) = NemoProbe.Measure(height, width);
        Assert.Equal((kernel, scales), (ssim.KernelSize, betas.Count));
        using var scope = NewDisposeScope();
        Tensor a = Golden.Hashed("a", 2, 4, height, width);
        Assert.All(ssim.MultiScale(a, a, betas).data<float>().ToArray(), s => Assert.Equal(1, s, 5));
    }

    [Fact]
    public void Latents_without_room_for_any_window_are_refused() => Assert.Throws<DoriException>(() => NemoProbe.Measure(2, 64));

    [Fact]
    public void A_difference_is_the_prediction_at_the_second_time_step_minus_the_first_latents()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        DiffusionModel model = Emoji.Model;
        Tensor noise = Golden.Rand("nemo.z", 3, 4, 16, 16);
        Conditioning y = model.Embed("t shirt");
        using var probe = new NemoProbe(model, noise);
        Tensor all = probe.Differences(y);
        Tensor expected = NemoProbe.Scaled(model.Predict(noise, tensor([961L]), y) - noise);
        Assert.InRange(Golden.RelativeError(all, expected), 0, 1e-5);
        Assert.Equal(0, all.amin([2L, 3]).abs().max().item<float>());
        Assert.Equal(1, all.amax([2L, 3]).min().item<float>());
        Assert.InRange(Golden.RelativeError(probe.Differences(y, seeds: [2, 0]), expected.index_select(0, tensor([2L, 0]))), 0, 1e-5);
        Assert.Equal(1, probe.Similarities(all, all).Min(), 5);
    }

    [Fact]
    public void Each_seed_takes_its_largest_similarity_to_another()
    {
        using var scope = NewDisposeScope();
        using var probe = new NemoProbe(Emoji.Model, Golden.Rand("nemo.z", 2, 4, 16, 16));
        Tensor a = Golden.Hashed("a", 1, 4, 16, 16) / 2 + 0.5, b = (a + 0.05 * Golden.Hashed("b", 1, 4, 16, 16)).clamp(0, 1),
            c = Golden.Hashed("c", 1, 4, 16, 16) / 2 + 0.5;
        double[] largest = probe.LargestPairwise(cat([a, c, b], 0));
        Assert.Equal(probe.Similarities(a, b)[0], largest[0], 6);
        Assert.Equal(largest[0], largest[2], 6);
        Assert.Equal(Math.Max(probe.Similarities(a, c)[0], probe.Similarities(c, b)[0]), largest[1], 6);
        Assert.True(largest[0] > largest[1]);
    }

    [Fact]
    public void Pruning_neurons_does_what_blocking_them_did_and_blocking_leaves_nothing_behind()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        using var probe = new NemoProbe(model, Golden.Rand("nemo.z", 2, 4, 16, 16));
        Conditioning y = model.Embed("t shirt");
        Tensor unblocked = probe.Differences(y);
        var neurons = new NemoNeurons([[0, 5, 127], [], [3, 191]]);
        Tensor blocked = probe.Differences(y, neurons);
        Assert.All(LayerHooks.LinearLayers(model.UNet), layer => Assert.Null(layer.Layer.Hook));
        Assert.NotEqual(0, (blocked - unblocked).abs().max().item<float>());
        WeightMask mask = Nemo.Mask(model.UNet, neurons);
        Assert.Equal([3L * 128, 0, 2 * 128], mask.Layers.Select(layer => layer.Count));
        using (mask.PruneForNow(model.UNet)) Assert.Equal(0, (probe.Differences(y) - blocked).abs().max().item<float>());
        Assert.Equal(0, (probe.Differences(y) - unblocked).abs().max().item<float>());
        Assert.Equal(0, (probe.Differences(y, NemoNeurons.None(3)) - unblocked).abs().max().item<float>());
    }

    [Fact]
    public void Selection_stops_at_the_first_theta_that_suffices()
    {
        // Outliers 4.6 and 3.0 in layer 0, 4.4 in layer 1. theta 5 marks none; 4.75 with k = 1 marks the most active of each layer;
        // 4.5 adds the first outlier, k = 2 its neighbour.
        double[][] activations = [[1, 2, 9, 3], [7, 1, 2]], outliers = [[4.6, 0, 0, 3.0], [0, 4.4, 0]];
        var tried = new List<string>();
        NemoSelected found =
            new NemoSelection(activations, outliers,
            (blocked, _) => { tried.Add(Show(blocked)); return blocked.Layers[0].Contains(0) ? 0.1 : 0.9; }, 0.428).Run();
        Assert.Equal(4.5, found.Theta);
        Assert.Equal(2, found.TopK);
        Assert.Equal("0 2 3|0 2", Show(found.Initial));
        Assert.Equal(0.1, found.InitialSimilarity);
        Assert.Equal(0.428, found.Threshold);
        // Last layer is not needed and goes whole; layer 0 is; of it only neuron 0.
        Assert.Equal("0|", Show(found.Refined));
        // 4.75; 4.5; without the last layer; without the first as well is empty and needs no try; without 0, 2, 3 in turn.
        Assert.Equal(["2|0", "0 2 3|0 2", "0 2 3|", "2 3|", "0 3|", "0|"], tried);
        Assert.Equal(tried.Count, found.Evaluations);
    }

    [Fact]
    public void Where_nothing_suffices_the_best_reached_becomes_the_threshold()
    {
        double[][] activations = [[3, 2, 1]], outliers = [[6, 1.3, 0]];
        var counts = new List<int>();
        // Every blocked neuron lowers the similarity, but never below 0.7.
        NemoSelected found =
            new NemoSelection(activations, outliers, (blocked, _) => { counts.Add(blocked.Count); return 1 - 0.1 * blocked.Count; }, 0.428)
            .Run();
        Assert.Equal(1.25, found.Theta);
        Assert.Equal(15, found.TopK);
        Assert.Equal("0 1 2", Show(found.Initial));
        Assert.Equal(0.7, found.InitialSimilarity, 12);
        Assert.Equal(found.InitialSimilarity, found.Threshold);
        Assert.Equal("0 1 2", Show(found.Refined)); // fewer would be above what was reached
        Assert.Equal([1, 2, 3, 2, 2, 2], counts); // a set is not tried twice in the descent, and the only layer's absence needs no try
    }

    [Theory]
    [InlineData(0.428)] // reached
    [InlineData(0.05)] // not reached: the refinement is then held against the best reached
    public void A_similarity_that_stops_counting_where_it_is_enough_keeps_the_same_neurons(double threshold)
    {
        double[][] activations = [[3, 2, 1, 5], [4, 1, 2, 2]], outliers = [[6, 1.3, 2, 4.8], [0, 4.9, 3.1, 1.4]];
        // Neuron 0 of layer 1 raises the similarity, all others lower it.
        double Exact(NemoNeurons blocked) => 0.9 - 0.11 * blocked.Count + (blocked.Layers[1].Contains(0) ? 0.3 : 0);
        NemoSelected exact = new NemoSelection(activations, outliers, (blocked, _) => Exact(blocked), threshold).Run();
        NemoSelected bounded = new NemoSelection(activations, outliers, (blocked, enough) => Math.Min(Exact(blocked), enough), threshold)
            .Run();
        Assert.Equal(Show(exact.Refined), Show(bounded.Refined));
        Assert.Equal((exact.RefinedSimilarity, exact.Threshold, exact.Evaluations),
            (bounded.RefinedSimilarity, bounded.Threshold, bounded.Evaluations));
        Assert.NotEqual(Show(exact.Initial), Show(exact.Refined));
    }

    [Fact]
    public void A_refinement_gives_back_layers_from_the_last_to_the_first()
    {
        // Either layer alone suffices: the last one goes, so the first must stay.
        double[][] activations = [[1, 0], [1, 0]], outliers = [[9, 0], [9, 0]];
        NemoSelected found = new NemoSelection(activations, outliers, (blocked, _) => blocked.Count > 0 ? 0.2 : 1, 0.428).Run();
        Assert.Equal("0|0", Show(found.Initial));
        Assert.Equal("0|", Show(found.Refined));
        Assert.Equal(5, found.Theta);
    }

    [Fact]
    public void The_whole_method_runs_on_the_built_in_model()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Conditioning[] heldOut =
            [.. new[] { "a red car", "two green apples", "a cat on a yellow background", "house" }.Select(caption => model.Embed(caption))];
        using var nemo = new Nemo(model, heldOut, new NemoOptions { Latents = 4 });
        Assert.True(nemo.ThresholdMeasured);
        Assert.InRange(nemo.Threshold, 0.01, 0.999);
        Assert.Equal(4, nemo.Statistics.Captions);

        // With a threshold between its own extremes the prompt is kept, and what is found holds under a fresh evaluation.
        Conditioning y = model.Embed("t shirt");
        using var probing = new Nemo(model, heldOut, new NemoOptions { Latents = 4, Threshold = 0.999 });
        NemoFinding skipped = probing.Find(y);
        Assert.Null(skipped.Selected);
        Assert.Empty(skipped.PairwiseAfter);
        Assert.Equal(4, skipped.Pairwise.Count);
        using var keeping = new Nemo(model, heldOut, new NemoOptions { Latents = 4, Threshold = 0.99 * skipped.Pairwise.Max() });
        NemoFinding found = keeping.Find(y);
        NemoSelected selected = Assert.IsType<NemoSelected>(found.Selected);
        Assert.True(selected.Initial.Count > 0);
        Assert.True(selected.Refined.Count <= selected.Initial.Count);
        Assert.All(selected.Refined.Layers.Zip(selected.Initial.Layers),
            pair => Assert.Subset(pair.Second.ToHashSet(), pair.First.ToHashSet()));
        Assert.True(selected.RefinedSimilarity <= selected.Threshold);
        Assert.Equal(4, found.PairwiseAfter.Count);
        Assert.All(LayerHooks.LinearLayers(model.UNet), layer => Assert.Null(layer.Layer.Hook));
    }

    private static string Show(NemoNeurons neurons) => string.Join('|', neurons.Layers.Select(layer => string.Join(' ', layer)));
}
