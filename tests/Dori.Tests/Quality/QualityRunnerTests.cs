using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;
using Dori.Pictures;
using Dori.Quality;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Quality;

public sealed class QualityRunnerTests : IDisposable
{
    private static readonly string s_ordinary = Path.Combine(Golden.EmojiModel, "ordinary.tar");
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-quality-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static QualityOptions Options =>
        new() { Captions = 3, Related = 2, DiversityCaptions = 1, DiversityGenerations = 2, Chunk = 2, Guidance = 3, Sampler = "ddim",
        SamplerSteps = 2, Resamples = 20 };

    private static QualityManifest Manifest(QualityOptions options) => new()
    {
        Model = new SummaryModel("emoji", "00"), Ordinary = new QualityOrdinary("o", "00", 1500),
            FeatureNetwork = new QualityRuler("f", "00"), Clip = new QualityRuler("c", "00"),
        CopyDetector = new QualityRuler("d", "00"), Options = options, Related = [], Device = "cpu", Dtype = "float32", ThreadsPerChunk = 1,
    };

    [Fact]
    public void Plan_of_captions()
    {
        OrdinaryPictures ordinary = OrdinaryPictures.Load(s_ordinary, 10);
        QualityPlan plan = QualityPlan.Of(ordinary, ["pine decoration and frog"], Options with { Captions = 4, Related = 5 });
        Assert.Equal([0, 1, 2, 3], plan.Ordinary);
        Assert.Equal([1, 9], plan.Related); // "frog and running shoe" is number 9; number 1 is drawn once for both sets
        Assert.Equal([0, 1, 2, 3, 9], plan.Chunks.SelectMany(chunk => chunk));
        Assert.Equal([0, 1], plan.Diverse.Order());
        Assert.Empty(QualityPlan.Of(ordinary, ["nothing alike"], Options).Related);
        OrdinaryPictures one = OrdinaryPictures.Load(s_ordinary, 1);
        Assert.Contains("at least 2", Assert.Throws<DoriException>(() => QualityPlan.Of(one, [], Options)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_is_cut_off_and_resumed_gives_the_same_bytes()
    {
        using var scope = NewDisposeScope();
        int threads = get_num_threads();
        OrdinaryPictures ordinary = OrdinaryPictures.Load(s_ordinary, 60);
        using var detector = TorchScriptCopyDetector.Load(Golden.EmojiModel);
        using ClipScore clip = ClipScore.Load(Path.Combine(Golden.EmojiModel, "clip"));
        using FeatureNetwork network = FeatureNetwork.Of(detector);
        QualityPlan plan = QualityPlan.Of(ordinary, ["frog and cupcake"], Options);
        var runner = new QualityRunner(Emoji.Model, detector, network, clip, ordinary, plan, Options);
        QualityFolder Run(string name) => QualityFolder.Create(Path.Combine(_folder, name), Manifest(Options));

        QualityFolder whole = Run("whole"), cut = Run("cut");
        runner.Draw(whole, new Workers(2, 1));
        using (var stop = new CancellationTokenSource())
            Assert.Throws<OperationCanceledException>(() => runner.Draw(cut, Workers.Single, (_, _) => stop.Cancel(), stop.Token));
        Assert.True(cut.Has(0) && !cut.Has(1));
        runner.Draw(Run("cut"), Workers.Single);
        (QualitySummary summary, IReadOnlyDictionary<string, QualitySamples> samples) = runner.Take(whole, Manifest(Options));
        runner.Take(cut, Manifest(Options));
        string[] Files(string name) =>
            [.. Directory.GetFiles(Path.Combine(_folder, name), "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Path.Combine(_folder, name), file)).Order()];
        Assert.Equal(Files("whole"), Files("cut"));
        Assert.All(Files("whole"),
            file => Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, "whole", file)),
            File.ReadAllBytes(Path.Combine(_folder, "cut", file))));

        Assert.Equal(["ordinary", "related"], summary.Sets.Select(set => set.Name));
        Assert.Equal((3, 2), (summary.Sets[0].Figures.Captions, summary.Sets[1].Figures.Captions));
        Assert.Contains(summary.Warnings, warning => warning.Contains("not of Inception-v3", StringComparison.Ordinal));
        // A picture on disk is what was scored, with its own caption.
        Tensor drawn = stack(plan.Ordinary.Select(index => Dori.Pictures.Picture.Load(whole.PicturePath(index, 0))).ToArray(), 0);
        double[] scores =
            ClipScore.Between(clip.EmbedPictures(drawn), clip.EmbedCaptions([.. plan.Ordinary.Select(index => ordinary.Captions[index])]));
        Assert.All(scores.Zip(samples["ordinary"].ClipScores), pair => Assert.Equal(pair.First, pair.Second, 2)); // 8 bits
        Assert.True(File.Exists(whole.PicturePath(0, 1)) && !File.Exists(whole.PicturePath(2, 1)));
        Assert.Contains("\"captions\": 3 there, \"captions\": 4 here",
            Assert.Throws<DoriException>(() =>
            QualityFolder.Create(Path.Combine(_folder, "whole"), Manifest(Options with { Captions = 4 }))).Message,
            StringComparison.Ordinal);
        set_num_threads(threads);
    }
}
