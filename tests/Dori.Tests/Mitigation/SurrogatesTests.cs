using Dori.Mitigation.Adversarial;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class SurrogatesTests
{
    private static readonly SurrogateOptions s_options = new() { Count = 2, Attempts = 2, Batch = 1, Sparsities = [0.05, 0.2] };

    [Fact]
    public void Only_generations_that_differ_enough_pass()
    {
        Assert.Equal([0, 2], Surrogates.Accepted([0.5f, 0.51f, -0.2f, float.NaN], 0.5));
    }

    [Fact]
    public void They_are_kept_made_again_alike_and_the_model_is_left_as_it_was()
    {
        using var sample = new AdversarialFineTuningSample();
        string folder = Directory.CreateTempSubdirectory("dori").FullName;
        float[] before = sample.Weights();
        var detector = new Script(call => call == 1 ? 0.9f : 0.3f);
        using SurrogateSet made = Make(sample, detector, folder, "a", new Workers(1, 1));
        Assert.Equal(before, sample.Weights());
        Assert.Equal([2, 4, 16, 16], made.Latents.shape);
        Assert.All(made.Similarities, s => Assert.InRange(s, 0.29, 0.31));
        Assert.Equal(2, Directory.GetFiles(folder, "*.png").Length);
        int calls = detector.Calls;
        using SurrogateSet kept = Make(sample, detector, folder, "a", new Workers(1, 1));
        Assert.Equal(calls, detector.Calls);
        Assert.Equal(made.Latents.data<float>().ToArray(), kept.Latents.data<float>().ToArray());
        Assert.Equal(made.Similarities, kept.Similarities);
        Assert.True(made.Mask.Count > 0);
        Assert.All(made.Mask.Agreement(kept.Mask), agreement => Assert.Equal(1, agreement.Value));
        using SurrogateSet again = Make(sample, new Script(call => call == 1 ? 0.9f : 0.3f), folder, "another model", new Workers(1, 1));
        Assert.Equal(made.Latents.data<float>().ToArray(), again.Latents.data<float>().ToArray());
        Assert.Equal(2, made.Latents.flatten(1).sum(1).data<float>().ToArray().Distinct().Count());
    }

    [Fact]
    public void Where_too_few_pass_the_next_sparsity_is_taken_and_where_none_does_it_says_so()
    {
        using var sample = new AdversarialFineTuningSample();
        // Of two tries at the first sparsity the second passes; the next sparsity gives the rest.
        var detector = new Script(call => call == 1 ? 0.8f : 0.1f);
        using SurrogateSet set = Make(sample, detector, null, "", new Workers(1, 1));
        Assert.Equal([0.05, 0.2], set.Sparsities);
        using SurrogateSet first = Make(sample, new Script(_ => 0.1f), null, "", new Workers(1, 1));
        Assert.True(set.Mask.Count > 2 * first.Mask.Count); // that of the next sparsity
        string message =
            Assert.Throws<DoriException>(() =>
            Make(sample, new Script(_ => 0.6f), null, "", new Workers(1, 1),
            s_options with { Count = 1, Attempts = 1, Sparsities = [0.05] })).Message;
        Assert.Contains("verbatim-00: no surrogate", message);
        Assert.Contains("0.60", message);
    }

    private static SurrogateSet Make(AdversarialFineTuningSample sample, ICopyDetector detector, string? folder, string identity,
        Workers workers, SurrogateOptions? options = null)
    {
        using var surrogates = new Surrogates(sample.Model, detector, options ?? s_options, 0, workers, folder);
        MemorizedPicture picture = sample.Pictures[0] with { Descriptors = tensor(new float[] { 1, 0 }, [1, 2]) };
        return surrogates.For(picture, identity);
    }

    /// <summary>Says how similar a batch is to (1, 0) by the number of its call, 1, 2, ...</summary>
    private sealed class Script(Func<int, float> similarity) : ICopyDetector
    {
        private int _calls;
        public int Calls => _calls;
        public CopyDetectorPreset Preset => AdversarialFineTuningSample.Detector.Preset;
        public string Sha256 => "";

        public Tensor Describe(Tensor pictures)
        {
            float s = similarity(Interlocked.Increment(ref _calls));
            return tensor(new[] { s, MathF.Sqrt(1 - s * s) }, [1, 2]).expand(pictures.shape[0], 2);
        }
    }
}
