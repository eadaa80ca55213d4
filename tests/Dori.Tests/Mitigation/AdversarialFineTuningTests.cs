using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation.Adversarial;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Tests.Support;
using Dori.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class AdversarialFineTuningTests
{
    private static readonly AdversarialOptions s_options = AdversarialFineTuningSample.Options;
    private static readonly HeldOutOptions s_heldOut = new() { Every = 2, Pictures = 1, Generations = 1, SearchSteps = 1, Patience = 0 };

    [Fact]
    public void Killed_and_resumed_it_ends_in_the_same_bits_whatever_the_number_of_workers()
    {
        AdversarialOptions options =
            s_options
            with { StepsPerSearch = 2, EmaDecay = 0.5, CooldownShare = 0.5, DistillationShare = 1, GuidanceWeight = 1,
            GuidanceShortfallWeight = 1, MicroBatch = 4, SearchGenerations = 1, HeldOut = s_heldOut with { Every = 4 } };
        float[] whole, resumed;
        double[] losses, resumedLosses;
        float[] checks, resumedChecks;
        using (var sample = new AdversarialFineTuningSample())
        {
            using AdversarialFineTuning training = sample.Create(options);
            Assert.Equal(8, training.Steps);
            losses = Losses(training.Run());
            (whole, checks) = (sample.Weights(), Checks(training));
        }
        string file = Path.Combine(Directory.CreateTempSubdirectory("dori").FullName, "state.safetensors");
        // Cancelled within a round and at its end, and once killed without a word: the state is then that of step 6, two steps back.
        Assert.Equal(3, Interrupted(3, kill: false));
        Assert.Equal(6, Interrupted(6, kill: false));
        Assert.Equal(7, Interrupted(7, kill: true));
        using (var sample = new AdversarialFineTuningSample())
        {
            using AdversarialFineTuning training = sample.Create(options);
            var seen = new List<int>();
            resumedLosses = Losses(training.Run(new TrainingControl { StateFile = file, Identity = "a", OnStep = p => seen.Add(p.Step) }));
            Assert.Equal([7, 8], seen);
            (resumed, resumedChecks) = (sample.Weights(), Checks(training));
        }
        Assert.Equal(whole, resumed);
        Assert.Equal(losses, resumedLosses);
        Assert.Equal(checks, resumedChecks);
        Assert.Equal(2 * 3, checks.Length);

        int Interrupted(int at, bool kill)
        {
            using var sample = new AdversarialFineTuningSample();
            using AdversarialFineTuning training = sample.Create(options, new Workers(1, 1));
            using var source = new CancellationTokenSource();
            void OnStep(TrainingProgress progress)
            {
                if (progress.Step != at) return;
                if (kill) throw new InvalidOperationException("killed");
                source.Cancel();
            }
            var control =
                new TrainingControl { StateFile = file, Identity = "a", Cancellation = source.Token, OnStep = OnStep, SaveEvery = 100 };
            Assert.ThrowsAny<Exception>(() => training.Run(control));
            return training.Step;
        }

        static double[] Losses(IReadOnlyList<IReadOnlyDictionary<string, double>> history) =>
            [.. history.SelectMany(losses => losses.Values)];
        static float[] Checks(AdversarialFineTuning training) =>
            [.. training.Checks.SelectMany(c => c.Prompt.Concat(c.Search).Concat(c.Random))];
    }

    [Fact]
    public void A_state_of_another_training_is_refused()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("dori").FullName, "state.safetensors");
        using var sample = new AdversarialFineTuningSample();
        using (AdversarialFineTuning training = sample.Create(s_options with { Epochs = 1, PictureBatch = 2 }))
            training.Run(new TrainingControl { StateFile = file, Identity = "a" });
        using AdversarialFineTuning other = sample.Create(s_options with { Epochs = 1, PictureBatch = 2 });
        Assert.Contains("another training",
            Assert.Throws<DoriException>(() => other.Run(new TrainingControl { StateFile = file, Identity = "b" })).Message);
    }

    [Fact]
    public void The_result_is_the_average_where_asked_and_checks_do_not_touch_the_training()
    {
        float[] before, last, average;
        AdversarialOptions options = s_options with { Epochs = 1, PictureBatch = 2 }; // one step
        using (var sample = new AdversarialFineTuningSample())
        {
            before = sample.Weights();
            using AdversarialFineTuning training = sample.Create(options);
            training.Run();
            last = sample.Weights();
        }
        using (var sample = new AdversarialFineTuningSample())
        {
            using AdversarialFineTuning training = sample.Create(options with { EmaDecay = 0.75, HeldOut = s_heldOut });
            training.Run();
            Assert.Single(training.Checks);
            average = sample.Weights();
        }
        Assert.NotEqual(before, last);
        for (int i = 0; i < before.Length; i++)
            if (Math.Abs(0.75 * before[i] + 0.25 * last[i] - average[i]) > 1e-6) Assert.Fail($"{before[i]} {last[i]} {average[i]}");
    }

    [Fact]
    public void All_weights_move_and_ask_for_no_gradients_afterwards()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        var before = sample.Model.UNet.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());
        using (AdversarialFineTuning training = sample.Create(s_options with { Epochs = 1, PictureBatch = 2 })) training.Run();
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in sample.Model.UNet.named_parameters())
        {
            Assert.True((parameter - before[name]).abs().max().item<float>() > 0, name);
            Assert.False(parameter.requires_grad);
        }
    }

    [Fact]
    public void A_batch_holds_ordinary_pairs_then_the_caption_and_every_find_then_replays()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        using AdversarialFineTuning training = sample.Create(s_options with { StepsPerSearch = 1, Epochs = 1, DrawsPerCondition = 2 });
        var found = new List<int>();
        training.Run(new TrainingControl { OnStep = p => found.Add(p.Step) });
        Assert.Equal([1, 2], found);
        (TrainingRows rows, IReadOnlyList<int> surrogateOf) = training.Batch(RandomSource.For("batch"));
        // Two ordinary pairs; (caption, y after 1 step, y after 2) twice each of the picture searched for last; one replay of the other.
        Assert.Equal(2 + 6 + 1, rows.Count);
        Assert.Equal([0.5f, 0.5f, .. Enumerable.Repeat(1f / 7, 7)], rows.Factors.data<float>().ToArray());
        bool Same(int row, Conditioning y) => rows.Y.Tokens[row].equal(y.Tokens[0]).all().item<bool>();
        int last = sample.Pictures.Select((picture, i) => (picture, i)).Single(p => Same(2, p.picture.Y)).i;
        Assert.True(Same(3, sample.Pictures[last].Y));
        Assert.False(Same(4, sample.Pictures[last].Y));
        Assert.True(Same(4, rows.Y.Narrow(5, 1)));
        Assert.False(Same(4, rows.Y.Narrow(6, 1)));
        // Every adversarial row aims at a surrogate of its own picture; noise and time steps are fresh in every row.
        for (int row = 2; row < 9; row++)
        {
            Tensor surrogates = sample.Surrogates[row < 8 ? last : 1 - last].Latents;
            Assert.True((surrogates - rows.Latents[row]).abs().amax([1L, 2L, 3L]).min().item<float>() == 0);
        }
        Assert.Equal([last, last, last, last, last, last, 1 - last], surrogateOf);
        Assert.Equal(9, rows.Noise.flatten(1).sum(1).data<float>().ToArray().Distinct().Count());
        Assert.True(rows.Timesteps.min().item<long>() >= 0 && rows.Timesteps.max().item<long>() < 1000
            && rows.Timesteps.data<long>().ToArray().Distinct().Count() > 5);
        Assert.Equal(rows.Noise.data<float>().ToArray(), training.Batch(RandomSource.For("batch")).Rows.Noise.data<float>().ToArray());
    }

    [Fact]
    public void Where_guidance_counts_ordinary_pairs_come_with_and_without_their_caption()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        AdversarialOptions options =
            s_options
            with { Epochs = 1, OrdinaryPairs = 4, MicroBatch = 4, DistillationShare = 1, GuidanceWeight = 3, GuidanceShortfallWeight = 2 };
        using AdversarialFineTuning training = sample.Create(options);
        IReadOnlyList<IReadOnlyDictionary<string, double>> history = training.Run();
        TrainingRows rows = training.Batch(RandomSource.For("batch")).Rows;
        Assert.Equal((2, 3, 2), (rows.Twos, rows.GuidanceWeight, rows.ShortfallWeight));
        double[] shortfalls = [.. history.Select(step => step["guidanceShortfall"])];
        Assert.InRange(Math.Abs(shortfalls[0]), 0, 1e-4); // before the first step the model is its own teacher
        Assert.All(shortfalls[1..], lost => Assert.InRange(Math.Abs(lost), 1e-4, 1));
        Assert.Equal(4 + 3 + 1, rows.Count);
        Tensor empty = sample.Model.Embed("").Tokens[0];
        foreach (int row in new[] { 0, 2 })
        {
            foreach (Tensor alike in new[] { rows.Latents, rows.Noise, rows.Timesteps })
                Assert.True(alike[row].equal(alike[row + 1]).all().item<bool>());
            Assert.False(rows.Y.Tokens[row].equal(empty).all().item<bool>());
            Assert.True(rows.Y.Tokens[row + 1].equal(empty).all().item<bool>());
        }
        Assert.Equal(6, rows.Noise.flatten(1).sum(1).data<float>().ToArray().Distinct().Count());
    }

    [Theory, InlineData(0.5, 4, 4, "distillationShare 1"), InlineData(1, 3, 4, "even"), InlineData(1, 4, 3, "even")]
    public void Guidance_counts_only_with_a_teacher_and_pairs_in_twos(double share, int pairs, int micro, string expected)
    {
        AdversarialOptions options = s_options with { DistillationShare = share, OrdinaryPairs = pairs, MicroBatch = micro };
        foreach (
            (AdversarialOptions asked, string option) in new[] { (options with { GuidanceWeight = 1 }, "guidanceWeight 1:"),
            (options with { GuidanceShortfallWeight = 1 }, "guidanceShortfallWeight 1:") })
        {
            string message = Assert.Throws<DoriException>(asked.Check).Message;
            Assert.Contains(option, message);
            Assert.Contains(expected, message);
        }
    }

    [Fact]
    public void A_training_that_collapses_is_an_error_and_no_model()
    {
        using var sample = new AdversarialFineTuningSample();
        using AdversarialFineTuning training = sample.Create(s_options with { Steps = 40, LearningRate = 0.02 });
        string message = Assert.Throws<DoriException>(() => training.Run()).Message;
        Assert.Contains("diverged", message);
        Assert.Contains("learningRate", message);
        Assert.InRange(training.Step, 16, 39);
    }

    [Fact]
    public void One_bad_step_is_no_divergence()
    {
        double[] usual = [.. Enumerable.Repeat(0.1, 30)];
        Assert.False(StepLosses.HaveDiverged([.. usual, 5]));
        Assert.False(StepLosses.HaveDiverged([.. Enumerable.Repeat(0.9, 15)])); // too few to tell
        Assert.False(StepLosses.HaveDiverged([.. Enumerable.Repeat(0.9, 16), .. usual]));
        Assert.True(StepLosses.HaveDiverged([.. usual, .. Enumerable.Repeat(0.9, 16)]));
    }

    [Fact]
    public void It_ends_early_once_the_checks_find_nothing()
    {
        using var sample = new AdversarialFineTuningSample();
        // The caption is not the picture's, and one search step finds nothing: the first check is clean.
        var checks = new List<HeldOutCheck>();
        using var training =
            new AdversarialFineTuning(sample.Inputs(s_options with { HeldOut = s_heldOut with { Every = 1, Patience = 1 } })) { OnCheck =
            checks.Add };
        training.Run();
        Assert.Equal((1, 4), (training.Step, training.PlannedSteps));
        Assert.Equal(0, Assert.Single(checks).Retained(0.7));
    }

    [Fact]
    public void A_stop_by_the_checks_still_lets_the_rate_fall()
    {
        using var sample = new AdversarialFineTuningSample();
        using AdversarialFineTuning training =
            sample.Create(s_options with { CooldownShare = 0.5, HeldOut = s_heldOut with { Every = 1, Patience = 1 } });
        Assert.Equal(4, training.Steps);
        var seen = new List<(int, int)>();
        training.Run(new TrainingControl { OnStep = p => seen.Add((p.Step, p.Steps)) });
        Assert.Equal([(1, 4), (2, 3), (3, 3)], seen); // clean at 1, then the fall's two steps
        Assert.Equal((3, 4), (training.Steps, training.PlannedSteps));
        Assert.Equal([1, 2, 3], training.Checks.Select(check => check.Step));
    }

    [Fact]
    public void The_rate_falls_in_a_straight_line_over_the_last_steps()
    {
        AdversarialOptions options = s_options with { CooldownShare = 0.4 };
        var schedule = new AdversarialSchedule(options, 10, 0.7);
        Assert.Equal(4, schedule.FallSteps);
        Assert.Equal([1, 1, 1, 0.75, 0.5, 0.25], Enumerable.Range(-2, 6).Select(schedule.RateShare));
        Assert.Equal(1, new AdversarialSchedule(s_options, 10, 0.7).RateShare(0));
        Assert.Equal([1, 1, 2, 1.5, 1, 0.5],
            Enumerable.Range(-2, 6).Select(new AdversarialSchedule(options with { RestartFactor = 2 }, 10, 0.7).RateShare));
        // Four steps, the third at the full rate, the fourth at half of it: as far as the constant rate's fourth, by half.
        AdversarialOptions half = s_options with { CooldownShare = 0.5, WeightDecay = 0 };
        float[] third = After(3, half with { CooldownShare = 0 }), whole = After(4, half with { CooldownShare = 0 }),
            falling = After(4, half);
        Assert.Equal(third, After(3, half));
        Assert.NotEqual(whole, falling);
        for (int i = 0; i < third.Length; i++)
            if (Math.Abs((third[i] + whole[i]) / 2 - falling[i]) > 1e-6) Assert.Fail($"{third[i]} {whole[i]} {falling[i]}");

        static float[] After(int step, AdversarialOptions options)
        {
            using var sample = new AdversarialFineTuningSample();
            using AdversarialFineTuning training = sample.Create(options);
            float[]? weights = null;
            training.Run(new TrainingControl { OnStep = p => weights = p.Step == step ? sample.Weights() : weights });
            return weights!;
        }
    }

    [Fact]
    public void A_picture_is_retained_where_any_of_the_three_ways_brings_it_back()
    {
        var check = new HeldOutCheck(1, [0.1f, 0.9f, 0.2f, 0.1f], [0.2f, 0.1f, 0.8f, 0.7f], [0.71f, 0f, 0.8f, 0.1f]);
        Assert.Equal(3, check.Retained(0.7));
    }

    [Fact]
    public void Each_pass_searches_for_every_picture_once_in_an_order_of_its_own()
    {
        RandomSource random = RandomSource.For("order");
        AdversarialOptions options = s_options with { PictureBatch = 4, SearchesPerPicture = 2 };
        int[] places = [.. Enumerable.Range(0, 8).SelectMany(round => AdversarialSearch.Pictures(options, 8, round, random, []))];
        Assert.Equal(64, places.Length);
        int[] once = [.. places.Where((_, i) => i % 2 == 0)];
        Assert.Equal(once, places.Where((_, i) => i % 2 == 1)); // two searches for each
        int[][] passes = [.. once.Chunk(8)];
        Assert.All(passes, pass => Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], pass.Order()));
        Assert.True(passes.Select(pass => string.Join(',', pass)).Distinct().Count() > 2);
        Assert.Equal(2 * 3, AdversarialSearch.Pictures(options, 3, 0, random, []).Count); // no more than there are
        Assert.Equal(10, (options with { Epochs = 5, StepsPerSearch = 1 }).StepsFor(8));
        Assert.Equal(3 * 2, (options with { Epochs = 2, StepsPerSearch = 2 }).StepsFor(6));
    }

    [Fact]
    public void Where_finds_are_looked_at_half_of_the_searches_are_for_those_of_which_most_was_found()
    {
        RandomSource random = RandomSource.For("order");
        AdversarialOptions options = s_options with { PictureBatch = 4, SearchGenerations = 1 };
        IReadOnlyList<int> Of(int round, IReadOnlyList<FoundEmbeddings> found) =>
            AdversarialSearch.Pictures(options, 8, round, random, found);
        // Pictures in turn come as without looking, two a round; those never searched for come before all others.
        int[] turns = [.. Enumerable.Range(0, 4).SelectMany(round => Of(round, []).Take(2))];
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], turns.Order());
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7], Of(0, []).Concat(Of(1, [.. Of(0, []).Select(picture => Found(0, picture, 1))])).Order());
        // Else those of which most was found, though not twice in a row, and none twice in a round.
        float[] similarities = [0.3f, 0.1f, 0.1f, 0.1f, 0.9f, 0.8f, 0.95f, 0.1f];
        FoundEmbeddings[] found = [.. turns.Select((picture, turn) => Found(turn == 4 ? 2 : 1, picture, similarities[turn]))];
        Assert.Equal([turns[6], turns[7], turns[5], turns[0]], Of(3, found));

        static FoundEmbeddings Found(int round, int picture, float similarity) =>
            new(round, 0, picture, new Conditioning(zeros(0)), 0, similarity);
    }

    [Theory]
    [InlineData(0.7f, 1)]
    [InlineData(0.35f, 0.25)]
    [InlineData(1.4f, 4)]
    [InlineData(0.07f, 0.1)] // the least
    [InlineData(-0.9f, 0.1)]
    [InlineData(float.NaN, 1)] // nobody looked
    public void A_find_weighs_by_the_square_of_its_similarity(float similarity, double weight)
    {
        Assert.Equal(weight, new FoundEmbeddings(0, 0, 0, new Conditioning(zeros(0)), 0, similarity).Weight(0.7, 0.1), 1e-6);
    }

    [Theory]
    [InlineData(0.2f, 0.8f, 0.64f)] // one search may miss
    [InlineData(0.7f, 0.8f, 0.7f)]
    [InlineData(0.9f, 0.8f, 0.9f)]
    [InlineData(0.2f, -0.5f, 0.2f)]
    public void What_was_found_before_counts_on_and_fades(float now, float before, float counted)
    {
        FoundEmbeddings[] earlier = [new(0, 0, 1, new Conditioning(zeros(0)), 0, before), new(0, 1, 2, new Conditioning(zeros(0)), 0, 1)];
        Assert.Equal(counted, new FoundEmbeddings(1, 0, 1, new Conditioning(zeros(0)), 0, now).After(earlier).Similarity, 1e-6f);
        Assert.True(
            float.IsNaN(new FoundEmbeddings(1, 0, 1, new Conditioning(zeros(0)), 0, float.NaN)
            .After([new FoundEmbeddings(0, 0, 1, new Conditioning(zeros(0)), 0, float.NaN)]).Similarity));
    }

    [Fact]
    public void Where_finds_are_looked_at_they_weigh_their_rows()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        // A picture under its own caption, with which the search finds it at once, and one under a foreign caption, with which it does not.
        MemorizedPicture[] pictures =
            [sample.Picture("verbatim-01.png", "tangerine and peanuts"), sample.Picture("verbatim-00.png", "t shirt")];
        AdversarialOptions options = s_options with { Epochs = 1, SearchGenerations = 2, CooldownShare = 1, Seed = 2 };
        using var training = new AdversarialFineTuning(sample.Inputs(options) with { Pictures = pictures });
        training.Run();
        (TrainingRows rows, IReadOnlyList<int> surrogateOf) = training.Batch(RandomSource.For("batch"));
        float[] factors = rows.Factors.data<float>().ToArray();
        // two ordinary pairs; then three rows of the picture searched for last and one replay of the other
        Assert.Equal([0.5f, 0.5f], factors[..2]);
        // What is found weighs 1 to 2.1, what is not 0.1 to 0.2, and what the one lacks to 1 the other gets.
        int found = surrogateOf.Count(picture => picture == 0), missed = 4 - found;
        foreach ((int picture, float factor) in surrogateOf.Zip(factors[2..]))
            Assert.InRange(factor, (picture == 0 ? 1f : 0.1f) / (found + 0.2f * missed) - 1e-6f,
                (picture == 0 ? 2.1f : 0.2f) / (found + 0.1f * missed));
    }

    [Fact]
    public void A_picture_found_once_still_weighs_when_the_next_search_misses_it()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        var detector = new FoundTwiceDetector();
        MemorizedPicture[] pictures = [.. sample.Pictures.Select(picture => picture with { Descriptors = detector.Describe(true) })];
        AdversarialOptions options = s_options with { Epochs = 2, SearchGenerations = 1, CooldownShare = 1 };
        using var training = new AdversarialFineTuning(sample.Inputs(options) with { Pictures = pictures, Detector = detector });
        training.Run(); // each picture is searched for twice, one at a time: found first, missed then
        Assert.Equal(4, detector.Calls);
        float weight = 0.8f * 0.8f / (0.7f * 0.7f);
        Assert.All(training.Batch(RandomSource.For("batch")).Rows.Factors.data<float>().ToArray()[2..],
            factor => Assert.Equal(weight / 4, factor, 1e-5f));
    }

    /// <summary>Sees the picture to be forgotten in the first two calls, and never again.</summary>
    private sealed class FoundTwiceDetector : ICopyDetector
    {
        public int Calls { get; private set; }
        public CopyDetectorPreset Preset => AdversarialFineTuningSample.Detector.Preset;
        public string Sha256 => "";
        public Tensor Describe(bool found) => tensor(found ? new[] { 1f, 0f } : [0f, 1f], [1, 2]);
        public Tensor Describe(Tensor pictures) => Describe(Calls++ < 2);
    }

    [Fact]
    public void All_wrong_options_are_named_at_once()
    {
        string message =
            Assert.Throws<DoriException>(() =>
            (s_options with { Epochs = 0, LearningRate = double.NaN, HeldOut = s_heldOut with { Generations = 0 } }).Check()).Message;
        Assert.Contains("epochs: 0", message);
        Assert.Contains("learningRate", message);
        Assert.Contains("heldOut.generations", message);
    }

    [Fact]
    public void Pieces_are_taken_in_their_order_and_a_failure_ends_the_rest()
    {
        var taken = new List<int>();
        new Workers(3, 1).Run(20, piece => { Thread.SpinWait((20 - piece) * 1000); return piece; }, taken.Add, CancellationToken.None);
        Assert.Equal(Enumerable.Range(0, 20), taken);
        taken.Clear();
        Assert.Throws<InvalidOperationException>(() =>
            new Workers(3, 1)
            .Run(1000, piece => piece == 5 ? throw new InvalidOperationException() : piece, taken.Add, CancellationToken.None));
        Assert.Equal(Enumerable.Range(0, taken.Count), taken);
        Assert.True(taken.Count <= 5);
        Assert.ThrowsAny<OperationCanceledException>(() =>
            new Workers(2, 1).Run(3, piece => piece, taken.Add, new CancellationToken(true)));
    }

    [Fact]
    public void Low_rank_training_leaves_a_network_of_plain_weights()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        var before = sample.Model.UNet.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());
        using (AdversarialFineTuning training =
            sample.Create(
            s_options with { Epochs = 1, PictureBatch = 1, TrainRank = 2, TrainRankLayers = LowRankLayers.Attention })) training.Run();
        foreach ((string name, TorchSharp.Modules.Parameter parameter) in sample.Model.UNet.named_parameters())
        {
            bool attention = name.Contains(".attn", StringComparison.Ordinal) && name.EndsWith("weight", StringComparison.Ordinal);
            Assert.Equal(attention, (parameter - before[name]).abs().max().item<float>() > 0);
        }
    }

    /// <summary>The whole method on one picture, in about three minutes: the prompt must fall silent, and the search must find less than
    /// before.</summary>
    [Fact(Explicit = true), Trait("Category", "Slow")]
    public void A_picture_is_forgotten()
    {
        using var scope = NewDisposeScope();
        using var sample = new AdversarialFineTuningSample();
        MemorizedPicture picture = sample.Picture("verbatim-00.png", "pea pod and pinched fingers on a wavy brown background");
        using var surrogates =
            new Surrogates(sample.Model, AdversarialFineTuningSample.Detector, AdversarialOptions.For(sample.Model).Surrogates, 0,
            new Workers(2, 1), null);
        using SurrogateSet made = surrogates.For(picture, "");
        OrdinaryPictures ordinary = OrdinaryPictures.Load(Path.Combine(Golden.EmojiModel, "ordinary.tar"), 200);
        using OrdinaryPairs pairs =
            OrdinaryPairs.Encode(sample.Model, AdversarialFineTuningSample.Detector,
            Enumerable.Range(0, ordinary.Count).Select(i => (ordinary.Picture(i, 64), ordinary.Captions[i])), [picture]);
        AdversarialOptions options = AdversarialOptions.For(sample.Model) with
        {
            Steps = 96, OrdinaryPairs = 12, EmaDecay = 0,
                HeldOut = new HeldOutOptions { Every = 96, Pictures = 1, Generations = 4, Patience = 0 },
        };
        AdversarialInputs inputs = sample.Inputs(options) with { Pictures = [picture], Surrogates = [made], Ordinary = pairs };
        HeldOutCheck before = HeldOutAudit.Run(inputs, 0, RandomSource.For("before"), CancellationToken.None);
        Assert.Equal(1, before.Retained(0.7));
        using var training = new AdversarialFineTuning(inputs);
        training.Run();
        HeldOutCheck after = training.Checks[^1];
        TestContext.Current.SendDiagnosticMessage(
            $"before {before.Prompt[0]:0.00} {before.Search[0]:0.00} {before.Random[0]:0.00}, after {after.Prompt[0]:0.00} "
            + $"{after.Search[0]:0.00} {after.Random[0]:0.00}");
        Assert.InRange(after.Prompt[0], -1, 0.7);
        Assert.True(after.Search[0] < before.Search[0] - 0.1 && after.Random[0] < before.Random[0] - 0.1);
    }
}
