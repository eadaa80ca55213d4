using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Native;
using Dori.Pictures;
using Dori.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>A memorized caption, its picture, and pictures that the caption may bring instead.</summary>
/// <param name="Forgotten">z0 of the picture's references: (A, 4, h, w), scaled</param>
/// <param name="Kept">z0 of generations of the same caption that are not the picture, or of ordinary pictures: (X, 4, h, w), scaled</param>
internal sealed record SissTarget(string Caption, Tensor Forgotten, Tensor Kept);

/// <summary>Settings of <see cref="Siss"/>; the defaults are those of the published code for Stable Diffusion.</summary>
internal sealed record SissOptions
{
    public TrainingOptions Training { get; init; } = new() { Steps = 35, LearningRate = 1e-5, MaxGradientNorm = 1,
        Trained = WeightSelection.All };
    /// <summary>Pairs of a kept and a forgotten picture in every step.</summary>
    [Range(1, 4096)]
    public int Batch { get; init; } = 16;
    /// <summary>Pairs that go through the UNet at once; they accumulate the same gradient.</summary>
    [Range(1, 4096)]
    public int MicroBatch { get; init; } = 1;
    /// <summary>The mixture's share of the picture to forget, in (0, 1).</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double Lambda { get; init; } = 0.5;
    /// <summary>Length of the forgetting gradient in lengths of the keeping one.</summary>
    [Range(0.0, 100.0)]
    public double ForgettingShare { get; init; } = 0.1;
    /// <summary>
    /// Time steps are drawn from the last so many: 1 is T - 1 alone, where the caption decides what becomes of the noise.
    /// </summary>
    public int LastTimesteps { get; init; } = 1;

    /// <summary>The published settings, and what the model's <c>dori.json</c> says otherwise.</summary>
    /// <param name="targets">How many pictures are to be forgotten.</param>
    public static SissOptions For(DiffusionModel model, int targets)
    {
        var options = new SissOptions();
        TrainingDefaults own = model.Defaults.Siss;
        return options with { Training = options.Training.For(own, targets), MicroBatch = own.MicroBatch ?? options.MicroBatch };
    }

    /// <exception cref="DoriException">The first value out of range, by the name of its option.</exception>
    public void Check(int trainTimesteps)
    {
        Training.Check();
        Ranges.Check(this, (MicroBatch <= Batch, $"`MicroBatch`: {MicroBatch} is out of range; 1 to {Batch}, the batch, is possible"),
            (LastTimesteps >= 1 && LastTimesteps <= trainTimesteps,
                $"`LastTimesteps`: {LastTimesteps} is out of range; 1 to {trainTimesteps} is possible"));
    }
}

/// <summary>
/// Subtracted importance-sampled scores (Alberti et al. 2025, "Data Unlearning in Diffusion Models"; method.md section 8): one noisy latent
/// from a mixture serves the loss on a picture to keep, which falls, and that on the picture to forget, which rises.
/// </summary>
/// <param name="keep">Ordinary pictures to keep; null: generations of each caption that are unlike its picture.</param>
/// <param name="adjust">The caller's changes to <see cref="SissOptions.For"/>.</param>
internal sealed class Siss(PictureSet? keep = null, ReplacementOptions? replacements = null, Func<SissOptions, SissOptions>? adjust = null)
    : IMitigation
{
    public string Name => "siss";
    public string Title => "SISS";
    public MitigationNeeds Needs => keep is null ? MitigationNeeds.CopyDetector | MitigationNeeds.Generator : MitigationNeeds.None;

    public MitigationOutcome Apply(DiffusionModel model, MitigationPictures pictures, MitigationControl control)
    {
        IReadOnlyList<PictureItem> items = pictures.Forget.Items;
        var options = SissOptions.For(model, items.Count);
        options = adjust?.Invoke(options) ?? options;
        options.Check(model.Schedule.NumTrainTimesteps);
        ReplacementOptions drawn = replacements ?? new ReplacementOptions();
        (IReadOnlyList<Tensor> kept, IReadOnlyList<PreparedPictures> prepared) = keep is not null ? Given(model, items, keep)
            : Generated(drawn, pictures, control);
        SissTarget[] targets = [.. items.Zip(kept, (item, x) => new SissTarget(item.Caption, Replacements.Latents(model, item), x))];
        JsonObject recorded = MitigationJson.Object(options, MitigationJson.Default.SissOptions);
        TrainingControl training = control.Training(Name, recorded.ToJsonString(), keep?.Sha256 ?? $"{drawn}");
        return new MitigationOutcome
        {
            Losses = Run(model, targets, options, RandomSource.For("mitigate", Name, control.SeedText), training),
            Weight = MitigationOutcome.Of(model),
            Summary = $"in {options.Training.Steps} steps the UNet unlearned the pictures' noise while it kept that of others.",
            Options = recorded,
            Details = MitigationJson.Object(new Replaced(prepared), MitigationJson.Default.Replaced),
        };
    }

    private static (IReadOnlyList<Tensor>, IReadOnlyList<PreparedPictures>) Given(DiffusionModel model, IReadOnlyList<PictureItem> items,
        PictureSet keep)
    {
        PictureItem? both = keep.Items.FirstOrDefault(item => item.Sha256.Intersect(items.SelectMany(forgotten => forgotten.Sha256)).Any());
        if (both is not null)
            throw new DoriException($"{both.Folder}: {both.Files[0]} is to be kept and to be removed; take it out of one of the two");
        Tensor all = cat(keep.Items.Select(item => Replacements.Latents(model, item)).ToArray(), 0);
        return ([.. items.Select(_ => all)],
            [.. items.Select(item => new PreparedPictures(item.Id, keep.Items[0].Folder, item.Caption, (int)all.shape[0], 0, []))]);
    }

    private static (IReadOnlyList<Tensor>, IReadOnlyList<PreparedPictures>) Generated(ReplacementOptions options,
        MitigationPictures pictures,
        MitigationControl control)
    {
        (Tensor Latents, PreparedPictures Prepared)[] made =
            [.. pictures.Forget.Items.SelectMany(item => Replacements.Generate("siss", pictures, item, [item.Caption], options, control))];
        return ([.. made.Select(m => m.Latents)], [.. made.Select(m => m.Prepared)]);
    }

    /// <summary>Trains the model's UNet in place.</summary>
    /// <param name="random">All of the training's randomness; one stream a step.</param>
    /// <returns>
    /// Of every step: <c>kept</c> and <c>forgotten</c>, the weighted losses (mean over elements); <c>keptGradient</c>, the keeping
    /// gradient's norm; <c>factor</c>, c.
    /// </returns>
    public static IReadOnlyList<IReadOnlyDictionary<string, double>> Run(DiffusionModel model, IReadOnlyList<SissTarget> targets,
        SissOptions options,
        RandomSource random, TrainingControl? control = null)
    {
        options.Check(model.Schedule.NumTrainTimesteps);
        if (targets.Count == 0) throw new DoriException("siss: there is no picture to forget");
        foreach (SissTarget target in targets)
            if (target.Forgotten.shape[0] == 0
                || target.Kept.shape[0] == 0)
                throw new DoriException($"siss: \"{target.Caption}\" needs at least one picture to forget and one to keep");
        using var scope = NewDisposeScope();
        Conditioning[] embeddings = [.. targets.Select(target => model.Embed(target.Caption))];
        return WeightTraining.Run(model, options.Training, (weights, step) =>
            Step(model, targets, embeddings, options, weights, random.Derive("step", step)), control);
    }

    internal static TrainingStep Step(DiffusionModel model, IReadOnlyList<SissTarget> targets, IReadOnlyList<Conditioning> embeddings,
        SissOptions options, TrainableWeights weights, RandomSource source)
    {
        SissDraw draw = Draw(model, targets, embeddings, options, source);
        // A tensor, since a plain number's type would win over a loss without dimensions on some devices.
        using Tensor batch = tensor((float)options.Batch).to(model.Device);
        Tensor[]? kept = null, forgotten = null;
        double keptLoss = 0, forgottenLoss = 0;
        for (int at = 0; at < options.Batch; at += options.MicroBatch)
        {
            int count = Math.Min(options.MicroBatch, options.Batch - at);
            using var inner = NewDisposeScope();
            (Tensor x, Tensor a) = Losses(model, draw.Narrow(at, count), options.Lambda);
            (x, a) = (x / batch, a / batch);
            Tensor[] keep = weights.Gradients(x, keepGraph: true), forget = weights.Gradients(a);
            bool first = kept is null;
            kept = TrainingGradients.Accumulate(kept, keep);
            forgotten = TrainingGradients.Accumulate(forgotten, forget);
            if (first) foreach (Tensor gradient in kept.Concat(forgotten)) gradient.MoveToOuterDisposeScope();
            keptLoss += x.item<float>();
            forgottenLoss += a.item<float>();
        }
        (double norm, double factor) = Subtract(kept!, forgotten!, options.ForgettingShare);
        long elements = model.LatentShape.Aggregate(1L, (a, b) => a * b);
        return new TrainingStep(kept!, new Dictionary<string, double>
        {
            ["kept"] = keptLoss / elements, ["forgotten"] = forgottenLoss / elements, ["keptGradient"] = norm, ["factor"] = factor,
        });
    }

    /// <summary>One step's draws, a row each.</summary>
    /// <param name="M">m_t: (B, 4, h, w)</param>
    /// <param name="T">(B) int64</param>
    /// <param name="X">z0 to keep: (B, 4, h, w)</param>
    /// <param name="A">z0 to forget: (B, 4, h, w)</param>
    /// <param name="Y">B rows</param>
    internal readonly record struct SissDraw(Tensor M, Tensor T, Tensor X, Tensor A, Conditioning Y)
    {
        public SissDraw Narrow(long at, long count) =>
            new(M.narrow(0, at, count), T.narrow(0, at, count), X.narrow(0, at, count), A.narrow(0, at, count), Y.Narrow(at, count));
    }

    internal static SissDraw Draw(DiffusionModel model, IReadOnlyList<SissTarget> targets, IReadOnlyList<Conditioning> embeddings,
        SissOptions options, RandomSource source)
    {
        using var scope = NewDisposeScope();
        var rows = new SissDraw[options.Batch];
        for (int i = 0; i < rows.Length; i++)
        {
            int which = source.Next(targets.Count);
            SissTarget target = targets[which];
            Tensor a = target.Forgotten.narrow(0, source.Next(target.Forgotten.shape[0]), 1).to(model.Device),
                x = target.Kept.narrow(0, source.Next(target.Kept.shape[0]), 1).to(model.Device);
            Tensor t = source.Integers(options.LastTimesteps,
                1).Plus(tensor(new[] { (long)model.Schedule.NumTrainTimesteps - options.LastTimesteps })).to(model.Device);
            bool fromForgotten = source.NextDouble() < options.Lambda;
            Tensor m = model.Schedule.AddNoise(fromForgotten ? a : x, source.Normal([1, .. model.LatentShape]).to(model.Device), t);
            rows[i] = new SissDraw(m, t, x, a, embeddings[which]);
        }
        return new SissDraw(All(r => r.M), All(r => r.T), All(r => r.X), All(r => r.A),
            Conditioning.Cat([.. rows.Select(r => r.Y)]).MoveToOuterDisposeScope());

        Tensor All(Func<SissDraw, Tensor> part) => cat(rows.Select(part).ToArray(), 0).MoveToOuterDisposeScope();
    }

    /// <summary>w_x |e - eps_x|^2 and w_a |e - eps_a|^2, each summed over elements and rows; both from one prediction.</summary>
    internal static (Tensor Kept, Tensor Forgotten) Losses(DiffusionModel model, SissDraw draw, double lambda)
    {
        using var scope = NewDisposeScope();
        (Tensor signal, Tensor sigma) = Levels(model.Schedule, draw.T);
        Tensor e = model.Predict(draw.M, draw.T, draw.Y);
        if (model.Schedule.Prediction == PredictionType.Velocity) e = (signal * e).Plus(sigma * draw.M);
        double[] differences = Differences(draw, signal, sigma);
        SissWeights[] weights = [.. differences.Select(d => SissWeights.Of(d, lambda))];
        Tensor kept = Weighted(draw.X, weights.Select(w => (float)w.Kept)),
            forgotten = Weighted(draw.A, weights.Select(w => (float)w.Forgotten));
        return (kept.MoveToOuterDisposeScope(), forgotten.MoveToOuterDisposeScope());

        Tensor Weighted(Tensor z0, IEnumerable<float> w)
        {
            Tensor eps = draw.M.Plus(signal * z0, -1) / sigma;
            Tensor squares = e.Plus(eps, -1).Squared().flatten(1).sum(1); // (B)
            return (squares * tensor(w.ToArray()).to(squares.device)).sum();
        }
    }

    /// <summary>
    /// d_x - d_a of every row, as gamma (a - x) . (2 m - gamma (x + a)) / (2 sigma^2): the difference of the two squares would lose its
    /// digits.
    /// </summary>
    internal static double[] Differences(SissDraw draw, Tensor signal, Tensor sigma)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor m = Exact(draw.M), x = Exact(draw.X), a = Exact(draw.A), g = Exact(signal), s = Exact(sigma);
        Tensor product = g * a.Plus(x, -1) * m.Times(2).Plus(g * x.Plus(a), -1);
        Tensor difference = (product / s.Squared().Times(2)).flatten(1).sum(1);
        return difference.data<double>().ToArray();

        static Tensor Exact(Tensor t) => t.cpu().to(float64); // a few thousand numbers, and not every device has this type
    }

    /// <summary>gamma_t and sigma_t: (B, 1, 1, 1), float32</summary>
    internal static (Tensor Signal, Tensor Sigma) Levels(NoiseSchedule schedule, Tensor t)
    {
        double[] alphas = [.. t.cpu().data<long>().ToArray().Select(k => (double)schedule.AlphasCumprod[(int)k])];
        return (Column(alphas.Select(Math.Sqrt)), Column(alphas.Select(a => Math.Sqrt(1 - a))));

        Tensor Column(IEnumerable<double> values) => tensor(values.Select(v => (float)v).ToArray(), [alphas.Length, 1, 1, 1]).to(t.device);
    }

    /// <summary>kept -= c forgotten, in place, with |c forgotten| = share |kept|.</summary>
    /// <returns>|kept| before, and c.</returns>
    /// <exception cref="DoriException">There is nothing to forget: its gradient is zero.</exception>
    internal static (double KeptNorm, double Factor) Subtract(Tensor[] kept, Tensor[] forgotten, double share)
    {
        double keptNorm = TrainingGradients.Norm(kept), forgottenNorm = TrainingGradients.Norm(forgotten);
        if (forgottenNorm == 0)
            throw new DoriException("siss: the picture to forget gives no gradient at these time steps (every draw is far from it, or "
                + "the schedule ends in pure noise); choose more `LastTimesteps`");
        double factor = share * keptNorm / forgottenNorm;
        TrainingGradients.Accumulate(kept, forgotten, -factor);
        return (keptNorm, factor);
    }
}
