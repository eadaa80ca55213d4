using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

[Collection(EmojiHooks.Name)]
public class WandaTests
{
    private static readonly string[] s_layers =
    [
        "down_blocks.1.attentions.0", "down_blocks.2.attentions.0", "mid_block.attentions.0",
        "up_blocks.0.attentions.0", "up_blocks.0.attentions.1", "up_blocks.1.attentions.0", "up_blocks.1.attentions.1",
    ];

    [Fact]
    public void Marks_the_top_share_of_each_row_where_the_prompt_exceeds_the_empty_one()
    {
        using var scope = NewDisposeScope();
        // |W| = 1 2 3 / 4 1 0; X = 3 2 1 -> S = 3 4 3 / 12 2 0: tops at columns 1 and 0.
        Tensor weight = tensor([1f, -2, 3, -4, 1, 0], [2, 3]);
        double[] x = [3, 2, 1];
        Assert.Equal([false, true, false, true, false, false], Marked(weight, [x], [[0, 0, 0]], 0.34));
        // X0 as large as X in column 1: the row's top is no longer above S0, and the next in line does not take its place.
        Assert.Equal([false, false, false, true, false, false], Marked(weight, [x], [[0, 2, 0]], 0.34));
        // Two of three a row.
        Assert.Equal([true, true, true, true, true, false],
            Or(Marked(weight, [x], [[0, 0, 0]], 0.67), [true, false, true, false, false, false]));
        // A weight of 0 has a score of 0 on both sides.
        Assert.Equal([true, true, true, true, true, false], Marked(weight, [x], [[0, 0, 0]], 1));
    }

    [Fact]
    public void Marks_of_all_steps_are_united()
    {
        using var scope = NewDisposeScope();
        Tensor weight = tensor([1f, -2, 3, -4, 1, 0], [2, 3]);
        // Second step: X = 0 0 5 -> S = 0 0 15 / 0 0 0: column 2 in row 0, nothing above 0 in row 1.
        Assert.Equal([false, true, true, true, false, false], Marked(weight, [[3, 2, 1], [0, 0, 5]], [[0, 0, 0], [0, 0, 0]], 0.34));
        // A step's S is held against its own S0.
        Assert.Equal([false, true, false, true, false, false], Marked(weight, [[3, 2, 1], [0, 0, 5]], [[0, 0, 0], [0, 0, 6]], 0.34));
    }

    [Theory]
    [InlineData(0.01, 512, 5)]
    [InlineData(0.01, 768, 7)]
    [InlineData(0.01, 50, 1)]
    [InlineData(0.29, 100, 29)]
    [InlineData(1, 8, 8)]
    public void A_row_gives_its_share_rounded_down_and_at_least_one(double sparsity, int columns, int expected)
    {
        using var scope = NewDisposeScope();
        Assert.Equal([3L, expected], Wanda.Top(Golden.Hashed("top", 3, columns), sparsity).shape);
    }

    [Fact]
    public void Norms_are_of_tokens_scaled_to_unit_length()
    {
        using var scope = NewDisposeScope();
        var norms = new WandaNorms([("a", 2)], 2) { Latents = 1 };
        norms.Add(0, 0, tensor([3f, 4, 0, 10, 0, 0], [1, 3, 2])); // (0.6, 0.8), (0, 1), and a token of zeros
        double[] x = norms[0, 0];
        Assert.Equal(0.6, x[0], 6);
        Assert.Equal(Math.Sqrt(0.64 + 1), x[1], 6);
        Assert.Equal([0.0, 0], norms[1, 0]);
        norms.Add(0, 0, tensor([-5f, 0], [1, 1, 2]));
        Assert.Equal(Math.Sqrt(0.36 + 1), norms[0, 0][0], 6);
    }

    [Fact]
    public void Pooled_norms_are_compared_per_latent()
    {
        using var scope = NewDisposeScope();
        WandaNorms Of(float a, float b, int latents)
        {
            var norms = new WandaNorms([("a", 2)], 1) { Latents = latents };
            norms.Add(0, 0, tensor([a, b], [1, 1, 2]));
            return norms;
        }
        WandaNorms pooled = WandaNorms.Pool([Of(1, 0, 1), Of(0, 1, 1), Of(1, 0, 2)]);
        Assert.Equal(4, pooled.Latents);
        Assert.Equal([Math.Sqrt(2), 1], pooled[0, 0]);
        Assert.Equal([Math.Sqrt(0.5), 0.5], pooled.PerLatent(0, 0));
    }

    [Fact]
    public void Norms_and_tops_agree_with_the_reference()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        DiffusionModel model = Emoji.Model;
        Dictionary<string, Tensor> golden = GoldenFile.Read("emoji_wanda"), text = GoldenFile.Read("emoji_pipeline");
        Assert.Equal(s_layers.Select(name => $"{name}.transformer_blocks.0.ff.net.2"),
            Wanda.Layers(model.UNet).Select(layer => layer.Name));
        var norms =
            new WandaNorms([.. Wanda.Layers(model.UNet).Select(layer => (layer.Name, (int)layer.Layer.weight.shape[1]))],
            1) { Latents = 4 };
        using (new WandaRecorder(model.UNet, norms, 4))
            // the first caption
            model.Predict(Golden.Rand("wanda.z", 4, 4, 16, 16), tensor([981f]), new Conditioning(text["text"].narrow(0, 0, 1)));
        for (int i = 0; i < norms.Layers.Count; i++)
        {
            string name = norms.Layers[i];
            Assert.InRange(Golden.RelativeError(tensor(norms[0, i]).to(float32), golden["norm." + name]), 0, 1e-5);
            Tensor scores = Wanda.Layers(model.UNet)[i].Layer.weight.abs() * tensor(norms[0, i]).to(float32);
            Tensor top = Wanda.Top(scores, 0.01).sort(1).Values, expected = golden["top1pct." + name].sort(1).Values;
            Assert.Equal(expected.data<long>().ToArray(), top.data<long>().ToArray());
        }
    }

    [Fact]
    public void Only_the_prompts_own_half_counts_and_sampling_ends_with_the_last_recorded_step()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Conditioning y = model.Embed("t shirt"), yNull = model.Embed("");
        Tensor noise = Golden.Rand("wanda.noise", 2, 4, 16, 16);
        var options = new WandaOptions { Steps = 1, Latents = 2, Generation = GenerationOptions.For(model, batch: 2) };
        float first = Sampler.Timesteps(options.Generation.Scheduler, options.Generation.Steps)[0];
        WandaNorms guided = Wanda.Record(model, y, yNull, noise, options);
        Assert.All(Wanda.Layers(model.UNet), layer => Assert.Null(layer.Layer.Hook));
        // At the first step guidance has moved nothing yet: the prompt's half is what the prompt alone gives.
        int calls = 0;
        var alone =
            new WandaNorms([.. Wanda.Layers(model.UNet).Select(layer => (layer.Name, (int)layer.Layer.weight.shape[1]))],
            1) { Latents = 2 };
        using (no_grad())
        using (new WandaRecorder(model.UNet, alone, 2, () => calls++))
        {
            model.Predict(noise, tensor([first]), y);
            model.Predict(noise, tensor([first]), yNull); // past the recorded steps
        }
        Assert.Equal(1, calls);
        for (int i = 0; i < alone.Layers.Count; i++)
            Assert.InRange(Golden.RelativeError(tensor(guided[0, i]), tensor(alone[0, i])), 0, 1e-5);
        WandaNorms split = Wanda.Record(model, y, yNull, noise, options with { Generation = options.Generation with { Batch = 1 } });
        Assert.Equal(2, split.Latents);
        Assert.InRange(Golden.RelativeError(tensor(split[0, 2]), tensor(guided[0, 2])), 0, 1e-5);
    }

    [Fact]
    public void An_interruption_is_not_taken_for_the_end()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        using var interrupted = new CancellationTokenSource();
        interrupted.Cancel();
        var options = new WandaOptions { Latents = 1, Generation = GenerationOptions.For(model) };
        using var marking = new WandaMarking(model, options);
        Assert.ThrowsAny<OperationCanceledException>(() => marking.Mark([model.Embed("t shirt")], interrupted.Token));
        Assert.All(Wanda.Layers(model.UNet), layer => Assert.Null(layer.Layer.Hook));
    }

    [Fact]
    public void Wrong_options_are_refused()
    {
        var good = new WandaOptions { Generation = GenerationOptions.For(Emoji.Model) };
        good.Check();
        Assert.Throws<DoriException>((good with { Sparsity = 0 }).Check);
        Assert.Throws<DoriException>((good with { Sparsity = 1.01 }).Check);
        Assert.Throws<DoriException>((good with { Sparsity = double.NaN }).Check);
        Assert.Throws<DoriException>((good with { Pool = 0 }).Check);
        Assert.Throws<DoriException>((good with { Latents = 0 }).Check);
        Assert.Contains("25", Assert.Throws<DoriException>((good with { Steps = 26 }).Check).Message);
        Assert.Throws<DoriException>(() => new WandaMarking(Emoji.Model, good with { Pool = 0 }));
        using var marking = new WandaMarking(Emoji.Model, good);
        Assert.Throws<DoriException>(() => marking.Mark([]));
    }

    /// <summary>reference.md: median similarity by prompt falls from 0.92 to 0.15 at 5 %.</summary>
    [Fact]
    public void At_5_percent_a_verbatim_picture_falls_silent_and_comes_back_with_its_weights()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        using TorchScriptCopyDetector detector = TorchScriptCopyDetector.Load(Golden.EmojiModel);
        Conditioning y = model.Embed("t shirt"), yNull = model.Embed(""); // verbatim-02
        Tensor reference = detector.Describe(Emoji.Load("verbatim-02.png")), noise = Golden.Rand("wanda.test", 2, 4, 16, 16);
        GenerationOptions generation = GenerationOptions.For(model) with { Steps = 15 };
        double Median() =>
            Statistics.Median(
            [.. Similarity.ToReferences(detector.Describe(Generation.Pictures(model, y, yNull, noise, generation)), reference)
            .Select(s => (double)s)]);

        Assert.InRange(Median(), 0.7, 1);
        byte[] weights = Wanda.Layers(model.UNet)[3].Layer.weight.detach().bytes.ToArray();
        using var marking = new WandaMarking(model, new WandaOptions { Sparsity = 0.05, Latents = 2, Generation = generation });
        Marked found = marking.Mark([y]);
        // 10 steps of 5 % at most
        foreach (LayerMarks layer in found.Mask.Marks) Assert.InRange(layer.Marked, 1, layer.Rows * layer.Columns / 2);
        using (found.Mask.PruneForNow(model.UNet)) Assert.InRange(Median(), -1, 0.5);
        Assert.Equal(weights, Wanda.Layers(model.UNet)[3].Layer.weight.detach().bytes.ToArray());
    }

    private static bool[] Marked(Tensor weight, double[][] x, double[][] x0, double sparsity) =>
        Wanda.Mark(weight, x, x0, sparsity).data<bool>().ToArray();
    private static bool[] Or(bool[] a, bool[] b) => [.. a.Zip(b, (p, q) => p || q)];
}

/// <summary>A hooked or pruned network serves one thread: tests that do either to the shared model run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class EmojiHooks
{
    public const string Name = "hooks on the built-in model";
}
