using System.Globalization;
using Dori.Diffusion;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Search;

/// <summary>Settings of one search; the defaults are the published ones.</summary>
public sealed record SearchOptions
{
    public int Steps { get; init; } = 50;
    /// <summary>B: (noise, time step) pairs in every step, fresh each time.</summary>
    public int Batch { get; init; } = 8;
    public double LearningRate { get; init; } = 0.1;
    /// <summary>Pairs that go through the UNet at once; fewer than <see cref="Batch"/> accumulate the gradient of the same mean and need
    /// less memory.</summary>
    public int MicroBatch { get; init; } = 8;
    /// <summary>Steps after which y is kept, ascending; 0 is the start.</summary>
    public IReadOnlyList<int> SnapshotSteps { get; init; } = [50];
}

/// <summary>What a search found.</summary>
/// <param name="Losses">Loss of every step, before its update.</param>
/// <param name="Snapshots">y after the wanted numbers of steps: one row each, float32. The caller disposes them.</param>
public sealed record SearchResult(IReadOnlyList<float> Losses, IReadOnlyList<(int Step, Conditioning Y)> Snapshots) : IDisposable
{
    public void Dispose()
    {
        foreach ((int _, Conditioning y) in Snapshots) y.Dispose();
    }
}

/// <summary>(noise, time steps, references) of one step: eps (B, 4, h, w); t (B) int64; which of the targets (B) int64.</summary>
internal readonly record struct SearchDraw(Tensor Noise, Tensor Timesteps, Tensor References);

/// <summary>
/// Discovery of retained images: Adam on a text embedding until the frozen model denoises towards a given picture
/// ("Finding DoRI", arXiv 2507.16880, section on the search; method.md section 2).
/// </summary>
public sealed class DoriSearch(SearchOptions options) : ISearch
{
    private readonly Freedom? _freedom;

    /// <summary>A search over less than the whole embedding.</summary>
    internal DoriSearch(SearchOptions options, Freedom freedom) : this(options) => _freedom = freedom;

    private const double Beta1 = 0.9, Beta2 = 0.999, Epsilon = 1e-8; // Adam's defaults

    public string Description => (_freedom is null ? "" : $"{_freedom.Name}: ")
        + (_freedom?.Radius is { } radius ? string.Create(CultureInfo.InvariantCulture, $"radius {radius}, ") : "")
        + string.Create(CultureInfo.InvariantCulture, $"{options.Steps} steps of Adam at {options.LearningRate}, ")
        + $"{options.Batch} (noise, time step) pairs a step"
        + (options.MicroBatch < options.Batch ? $" in parts of {options.MicroBatch}" : "");

    /// <inheritdoc/>
    public SearchResult Run(DiffusionModel model, Tensor targets, Conditioning start, RandomSource random,
        Action<int, float>? onStep = null, Func<int, Conditioning, bool>? enough = null, CancellationToken cancellation = default)
    {
        int references = (int)targets.shape[0];
        return Run(model, targets, start, Draw, onStep, enough, cancellation);

        SearchDraw Draw(int step)
        {
            RandomSource source = random.Derive("step", step); // one stream a step
            Tensor noise = source.Normal([options.Batch, .. model.LatentShape]);
            Tensor timesteps = source.Integers(model.Schedule.NumTrainTimesteps, options.Batch);
            return new SearchDraw(noise, timesteps,
                references == 1 ? zeros(options.Batch, int64) : source.Integers(references, options.Batch));
        }
    }

    /// <summary>The same with the draws of every step given: for tests against recorded ones.</summary>
    internal SearchResult Run(DiffusionModel model, Tensor targets, Conditioning start, Func<int, SearchDraw> draw,
        Action<int, float>? onStep = null, Func<int, Conditioning, bool>? enough = null, CancellationToken cancellation = default)
    {
        var losses = new List<float>(options.Steps);
        var snapshots = new List<(int, Conditioning)>();
        using var scope = NewDisposeScope();
        Conditioning y = start.Each(part => part.detach().to(float32).clone().to(model.Device));
        Conditioning whole = _freedom?.Fixed(model, y) ?? y;
        Tensor? begin = _freedom?.Begin(model, y);
        Tensor[] free = begin is not null ? [begin.clone()] : y.Pooled is { } pooled ? [y.Tokens, pooled] : [y.Tokens];
        if (_freedom is not null) y = _freedom.Put(whole, free[0]);
        Tensor[] m = [.. free.Select(part => zeros_like(part))], v = [.. free.Select(part => zeros_like(part))];
        bool found = Keep(0);
        for (int step = 1; step <= options.Steps && !found; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var inner = NewDisposeScope();
            (float loss, IReadOnlyList<Tensor> gradients) = Gradient(model, targets, y, draw(step - 1));
            if (_freedom is not null) gradients = [_freedom.Gather(gradients[0])];
            for (int i = 0; i < free.Length; i++) Adam(free[i], gradients[i], m[i], v[i], step, options.LearningRate);
            if (_freedom is not null)
            {
                _freedom.Project(free[0], begin!);
                y = _freedom.Put(whole, free[0]).MoveToOuterDisposeScope();
            }
            losses.Add(loss);
            onStep?.Invoke(step, loss);
            found = Keep(step);
        }
        return new SearchResult(losses, snapshots);

        bool Keep(int step)
        {
            if (!options.SnapshotSteps.Contains(step)) return false;
            Conditioning kept = y.Copy().DetachFromDisposeScope();
            snapshots.Add((step, kept));
            return enough?.Invoke(step, kept) ?? false;
        }
    }

    /// <summary>The mean over the batch of L(z0, eps_b, y, t_b) and its gradients with respect to the one y that all share: tokens, then
    /// the pooled vector.</summary>
    private (float Loss, IReadOnlyList<Tensor> Gradients) Gradient(DiffusionModel model, Tensor targets, Conditioning y, SearchDraw draw)
    {
        using var scope = NewDisposeScope();
        var leaf = new Conditioning(y.Tokens.detach().requires_grad_(), y.Pooled?.detach().requires_grad_(), y.TimeIds);
        Tensor[] free = leaf.Pooled is { } pooled ? [leaf.Tokens, pooled] : [leaf.Tokens];
        Tensor noise = draw.Noise.to(model.Device), t = draw.Timesteps.to(model.Device);
        Tensor z0 = targets.index_select(0, draw.References.to(model.Device)); // (B, 4, h, w)
        Tensor noisy = model.Schedule.AddNoise(z0, noise, t), target = model.Schedule.Target(z0, noise, t);
        double scale = model.Dtype == ScalarType.Float16 ? Float16Scale(z0) : 1;
        Tensor[]? sum = null;
        double loss = 0;
        for (long at = 0; at < options.Batch; at += options.MicroBatch)
        {
            long count = Math.Min(options.MicroBatch, options.Batch - at);
            using var inner = NewDisposeScope();
            Tensor output = model.Predict(noisy.narrow(0, at, count), t.narrow(0, at, count), leaf);
            Tensor part = nn.functional.mse_loss(output, target.narrow(0, at, count)).Times((double)count / options.Batch);
            IList<Tensor> gradients = autograd.grad([scale == 1 ? part : part.Times(scale)], free);
            UNetPasses.CountBackward(count);
            loss += part.item<float>();
            sum = sum is null ? [.. gradients] : [.. sum.Zip(gradients, (all, one) => all.Add_(one))];
            foreach (Tensor gradient in sum) gradient.MoveToOuterDisposeScope();
        }
        if (scale != 1) sum = [.. sum!.Select(gradient => Unscaled(gradient, scale))];
        return ((float)loss, [.. sum!.Select(gradient => gradient.MoveToOuterDisposeScope())]);
    }

    /// <summary>
    /// Gradients of a mean over so many elements are smaller than float16's smallest number: they are computed of about the sum, and scaled
    /// back, by a power of two, which rounds nothing (Micikevicius et al. 2018, "Mixed precision training").
    /// </summary>
    private static double Float16Scale(Tensor z0) => Math.Pow(2, Math.Floor(Math.Log2(z0.numel() / 2.0)));

    private static Tensor Unscaled(Tensor gradient, double scale) => gradient.isfinite().all().item<bool>()
        ? gradient.Over(scale)
        : throw new DoriException("the search's gradient is too large for float16; take `Dtype` bfloat16 or float32");

    /// <summary>One step of Adam (Kingma and Ba 2015, algorithm 1, in PyTorch's arrangement), in place on y, m and v.</summary>
    private static void Adam(Tensor y, Tensor gradient, Tensor m, Tensor v, int step, double rate)
    {
        using var noGrad = no_grad();
        m.Times_(Beta1).Add_(gradient, 1 - Beta1);
        v.Times_(Beta2).AddProduct_(gradient, gradient, 1 - Beta2);
        double bias1 = 1 - Math.Pow(Beta1, step), bias2 = 1 - Math.Pow(Beta2, step);
        Tensor denominator = v.sqrt().Times(1 / Math.Sqrt(bias2)).Add_(Epsilon);
        y.AddQuotient_(m, denominator, -rate / bias1);
    }
}
