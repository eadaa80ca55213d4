using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Pictures;
using Dori.Tests.House;
using Dori.Tests.Support;
using Dori.Training;
using Spectre.Console.Testing;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

/// <summary>Canaries with real models, in minutes: <c>--explicit only --filter-class '*.CanariesMeasurements'</c>.</summary>
public sealed class CanariesMeasurements : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-canaries-real-").FullName;

    /// <summary>
    /// A sealed file whose coins fell on the built-in model's 16 verbatim pictures, of which each stands in a pair with a control: its
    /// planted ones come nearer in every pair. In the reference, which saw neither, they are a coin's.
    /// </summary>
    [Fact(Explicit = true), Trait("Category", "Slow")]
    public void Pictures_that_were_planted_are_told_from_the_others_at_the_smallest_p_and_in_the_reference_not()
    {
        const int pairs = 16;
        PictureSet set = PictureSet.Load(Emoji.Pictures);
        PictureItem Item(string id) => set.Items.Single(item => item.Id == id);
        CanaryPair[] all = [.. Enumerable.Range(0, pairs).Select(k =>
            new CanaryPair(Of(Item($"v{k:00}"), k, true), Of(Item($"c{k:00}"), k, false)))];
        var protocol = new CanaryProtocol("standard", [AuditStart.Prompt, AuditStart.Caption], 50, 4, 0, pairs);
        SealedCanaries canaries = Enumerable.Range(0, 4_000_000).Select(n => new SealedCanaries(SealedCanaries.Current,
            Sha256Text.Of($"seed {n}"), [1800], all, protocol))
            .First(sealedOne => Enumerable.Range(0, pairs).All(sealedOne.PlantsA)).WithDigest();
        string file = CanaryMaker.Write(Path.Combine(_folder, "made"), set, canaries, copies: false);
        CanariesSummary emoji = Judge(Golden.EmojiModel, file, "emoji"),
            reference = Judge(Path.Combine(Sources.Root, "models", "emoji-reference"), file, "reference");
        CanaryTest prompt = emoji.Tests[0], search = emoji.Tests[1];
        Assert.Equal((pairs, Math.Pow(0.5, pairs)), (search.Wins, search.PValue));
        Assert.InRange(prompt.PValue, 0, 0.001);
        double right = Math.Pow(0.05, 1.0 / pairs);
        Assert.Equal(pairs, emoji.RightGuesses);
        Assert.Equal(Math.Log(right / (1 - right)), emoji.Epsilon, 6);
        Assert.All(reference.Tests, test => Assert.InRange(test.PValue, 0.05, 1));
        Assert.Equal(0, reference.Doses[0].Retained.Count);
    }

    private static Canary Of(PictureItem item, int pair, bool a)
    {
        using var scope = NewDisposeScope();
        return new Canary($"{SealedCanaries.IdOf(pair, a)}.png", Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(
            Picture.EncodePng(item.Picture(0)))), item.Caption);
    }

    /// <summary>What `make` wrote is shown to the built-in model for some hundred steps, and nothing else; then it is judged.</summary>
    [Fact(Explicit = true), Trait("Category", "Slow")]
    public void What_a_training_was_shown_is_found_after_it()
    {
        string made = Path.Combine(_folder, "made"), trained = Path.Combine(_folder, "trained");
        string pictures = Path.Combine(Sources.Root, "models", "emoji-controls.tar");
        Assert.Equal(0, DoriApp.Run(["canaries", "make", "--images", pictures, "--pairs", "8", "--doses", "20,300",
            "--search-steps", "25", "-n", "4", "-o", made], new TestConsole(), TextWriter.Null, TextWriter.Null));
        PictureItem[] planted = [.. PictureSet.Load(Path.Combine(made, "planted")).Items];
        string[] rows = File.ReadAllLines(Path.Combine(made, "planted", "metadata.csv"))[1..];
        int[] shown = [.. rows.SelectMany((row, i) => Enumerable.Repeat(i, int.Parse(row.Split(',')[^1])))];
        SealedCanaries.Shuffle(shown, RandomSource.For("showings"));
        Train(planted, shown, trained);
        CanariesSummary judged = Judge(trained, Path.Combine(made, "sealed", "sealed.json"), "judged");
        Assert.True(judged.Tests[^1].Wins >= 7, judged.ToJson());
        Assert.True(judged.Doses[^1].Retained.Count >= judged.Doses[0].Retained.Count, judged.ToJson());
    }

    private static void Train(PictureItem[] planted, int[] shown, string target)
    {
        const int batch = 8;
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(Golden.EmojiModel);
        Tensor latents = cat([.. planted.Select(item => model.Encode(item.Originals(model.PictureSize)))], 0);
        Conditioning captions = model.Embed([.. planted.Select(item => item.Caption)]);
        WeightTraining.Run(model, new TrainingOptions { Steps = shown.Length / batch, LearningRate = 5e-4, Trained = WeightSelection.All },
            (weights, step) =>
        {
            long[] which = [.. shown.Skip(step * batch).Take(batch).Select(i => (long)i)];
            RandomSource random = RandomSource.For("training", $"{step}");
            Tensor z0 = latents.index_select(0, tensor(which)), noise = random.Normal([batch, .. model.LatentShape]),
                t = random.Integers(model.Schedule.NumTrainTimesteps, batch);
            Tensor loss = nn.functional.mse_loss(model.Predict(model.Schedule.AddNoise(z0, noise, t), t, captions.Rows(which)),
                model.Schedule.Target(z0, noise, t));
            return new TrainingStep(weights.Gradients(loss), new Dictionary<string, double> { ["loss"] = loss.item<float>() });
        });
        Dictionary<string, Tensor> trained = model.UNet.state_dict();
        Checkpoint.Open(Golden.EmojiModel).SaveWithUNet(target, key => trained[key].to(float16), null);
    }

    private CanariesSummary Judge(string model, string file, string name)
    {
        string run = Path.Combine(_folder, name);
        var error = new StringWriter();
        Assert.True(DoriApp.Run(["canaries", "judge", model, "--sealed", file, "--copy-detector",
            Path.Combine(Golden.EmojiModel, "copy_detector"), "-o", run], new TestConsole(), TextWriter.Null, error) == 0, $"{error}");
        string json = File.ReadAllText(Path.Combine(run, "canaries.json"));
        TestContext.Current.TestOutputHelper?.WriteLine(json);
        return JsonSerializer.Deserialize(json, CanariesJson.Default.CanariesSummary)!;
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
