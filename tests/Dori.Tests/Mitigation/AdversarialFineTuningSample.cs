using Dori.Training;
using Dori.Mitigation.Adversarial;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

/// <summary>The smallest fine-tuning of the built-in model: two pictures, searches of two steps, four ordinary pairs.</summary>
internal sealed class AdversarialFineTuningSample : IDisposable
{
    public static AdversarialOptions Options { get; } = new()
    {
        Epochs = 2, PictureBatch = 1, StepsPerSearch = 1, SearchSteps = 2, SnapshotSteps = [1], SearchBatch = 1, OrdinaryPairs = 2,
            ReplayDraws = 1, MicroBatch = 3, LearningRate = 1e-4,
    };

    private static readonly Lazy<TorchScriptCopyDetector> s_detector = new(() => TorchScriptCopyDetector.Load(Golden.EmojiModel));

    public static TorchScriptCopyDetector Detector => s_detector.Value;

    public AdversarialFineTuningSample()
    {
        Model = Emoji.Model.WithUNetCopy();
        Pictures = [Picture("verbatim-00.png", "t shirt"), Picture("verbatim-01.png", "two cats")];
        // The first picture's pruned model answers otherwise than the second's: alternate rows and columns of every layer that Wanda prunes
        // are cut.
        Surrogates =
            [Surrogate(Golden.Rand("surrogates.0", 2, 4, 16, 16), (row, _) => row % 2 == 0),
            Surrogate(Golden.Rand("surrogates.1", 3, 4, 16, 16), (_, column) => column % 2 == 0)];
        Ordinary = new OrdinaryPairs(Golden.Rand("ordinary", 5, 4, 16, 16), ["a dog", "a sun", "a tree and a car", "a hat", "two fish"]);
    }

    public DiffusionModel Model { get; }
    public IReadOnlyList<MemorizedPicture> Pictures { get; }
    public IReadOnlyList<SurrogateSet> Surrogates { get; }
    public OrdinaryPairs Ordinary { get; }

    public AdversarialFineTuning Create(AdversarialOptions? options = null, Workers? workers = null) => new(Inputs(options, workers));

    public AdversarialInputs Inputs(AdversarialOptions? options = null, Workers? workers = null) =>
        new(Model, Detector, Pictures, Surrogates, Ordinary, options ?? Options, workers ?? new Workers(2, 1));

    public MemorizedPicture Picture(string file, string caption)
    {
        using var scope = NewDisposeScope();
        return MemorizedPicture.Of(Model, Detector, Path.GetFileNameWithoutExtension(file), caption, Emoji.Load(file));
    }

    /// <summary>Two ordinary rows and three adversarial ones, with the factors of L_DM + weight L_Adv.</summary>
    public static TrainingRows Rows(float weight) =>
        new(Golden.Rand("rows.z0", 5, 4, 16, 16), Golden.Rand("rows.eps", 5, 4, 16, 16), tensor(new long[] { 10, 500, 999, 250, 730 }),
        new Conditioning(Golden.Rand("rows.y", 5, 32, 128)), tensor(new[] { 1f / 2, 1f / 2, weight / 3, weight / 3, weight / 3 }));

    /// <summary>All elements, one tensor after the other.</summary>
    public static Tensor Flat(IReadOnlyList<Tensor> tensors) => cat([.. tensors.Select(t => t.flatten())], 0);

    private SurrogateSet Surrogate(Tensor latents, Func<int, int, bool> marked)
    {
        float[] similarities = [.. Enumerable.Repeat(0.1f, (int)latents.shape[0])];
        return new SurrogateSet(latents, similarities, [.. similarities.Select(_ => 0.5)],
            new WeightMask([.. Wanda.Layers(Model.UNet).Select(layer => Mask(layer.Name, layer.Layer.weight))]));

        LayerMask Mask(string name, Tensor weight)
        {
            (int rows, int columns) = ((int)weight.shape[0], (int)weight.shape[1]);
            using Tensor all =
                tensor([.. Enumerable.Range(0, rows * columns).Select(i => marked(i / columns, i % columns))], [rows, columns]);
            return LayerMask.Of(name, all);
        }
    }

    /// <summary>All weights of the UNet, one after the other.</summary>
    public float[] Weights()
    {
        using var scope = NewDisposeScope();
        return cat([.. Model.UNet.parameters().Select(p => p.detach().flatten())], 0).data<float>().ToArray();
    }

    public void Dispose()
    {
        Model.Dispose();
        foreach (MemorizedPicture picture in Pictures) picture.Dispose();
        foreach (SurrogateSet set in Surrogates) set.Dispose();
        Ordinary.Dispose();
    }
}

internal static class AdversarialFineTuningRuns
{
    /// <returns>The losses of every step.</returns>
    public static IReadOnlyList<IReadOnlyDictionary<string, double>> Run(this AdversarialFineTuning training,
        TrainingControl? control = null) =>
        TrainingLoop.Run(training, control);
}
