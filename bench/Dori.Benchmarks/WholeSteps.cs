using System.Diagnostics;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Models;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Benchmarks;

/// <summary>
/// What a search costs, as ratios within one run: machines differ and drift, ratios do not. PyTorch's figures beside them are those of
/// docs/reference.md, measured on the same kind of machine (2 cores).
/// </summary>
internal static class WholeSteps
{
    /// <summary>Floating point operations of one forward pass at Stable Diffusion 1.x's size, one latent of 64 x 64.</summary>
    private const double ForwardFlops = 0.803e12;
    /// <summary>PyTorch's plainest search of 50 steps, 4.7 s, at the matrix product's rate in that run: 0.803 TFLOP / 5.45 s /
    /// 0.92.</summary>
    private const double ReferenceSearchFlops = 4.7 * ForwardFlops / 5.45 / 0.92;

    public static string BuiltInModel { get; } = Find();

    public static void Run(TextWriter output, string[] args)
    {
        bool small = args.Contains("--built-in-only");
        output.WriteLine($"{Environment.ProcessorCount} processors, {get_num_threads()} threads, libtorch {__version__}");
        double rate = MatrixProduct(ScalarType.Float32);
        output.WriteLine($"2048-cubed matrix product, float32          {rate / 1e9,8:0} GFLOP/s");
        BuiltIn(output, rate);
        if (small) return;
        if (!args.Contains("--bfloat16-only")) FullSize(output, ScalarType.Float32, 0.85);
        FullSize(output, ScalarType.BFloat16, 0.55);
    }

    private static void BuiltIn(TextWriter output, double rate)
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(BuiltInModel);
        RandomSource random = RandomSource.For("bench");
        Tensor z0 = random.Normal([1, .. model.LatentShape]);
        Conditioning y = model.Embed("t shirt"), yNull = model.Embed("");
        Tensor noisy = random.Normal([8, .. model.LatentShape]), t = random.Integers(1000, 8);
        var one = new SearchOptions { Steps = 1, SnapshotSteps = [] };

        int threads = get_num_threads();
        set_num_threads(1); // as the audit runs a small model: one thread a unit, as many units as processors
        double forward = Median(() => { using var _ = no_grad(); model.Predict(noisy, t, y).Dispose(); }, 15);
        double step = Median(() => new DoriSearch(one).Run(model, z0, y, random).Dispose(), 15);
        output.WriteLine($"built-in model, batch 8, one thread: forward {forward * 1e3,7:0.0} ms");
        output.WriteLine(
            $"  search step over forward                  {step / forward,8:0.00}      at most 2.3 (PyTorch 2.19, floor 2.08)");

        var options = new SearchOptions { Steps = 50, SnapshotSteps = [] };
        int workers = Environment.ProcessorCount;
        double together =
            Seconds(() =>
            Parallel(workers, () => new DoriSearch(options).Run(model, z0, y, RandomSource.For("bench")).Dispose())) / workers;
        double picture = Seconds(() => Parallel(workers, () =>
        {
            using Tensor noise = RandomSource.For("bench").Normal([5, .. model.LatentShape]);
            Generation.Pictures(model, y, yNull, noise, GenerationOptions.For(model)).Dispose();
        })) / workers;
        output.WriteLine($"  search of 50 steps, {workers} at a time           {together,8:0.00} s    each (PyTorch 4.7 s)");
        output.WriteLine($"  over PyTorch's at equal matrix rate       {together * rate / ReferenceSearchFlops,8:0.00}      at most 1.25");
        output.WriteLine($"  5 generations, {workers} at a time                {picture,8:0.00} s    (PyTorch 1.6 s)");
        Flatness(output, model, z0, y);
        set_num_threads(threads);
    }

    /// <summary>500 steps: tensors alive after each, and the process's memory.</summary>
    private static void Flatness(TextWriter output, DiffusionModel model, Tensor z0, Conditioning y)
    {
        var alive = new List<long>();
        var memory = new List<long>();
        var options = new SearchOptions { Steps = 500, Batch = 1, MicroBatch = 1, SnapshotSteps = [] };
        new DoriSearch(options).Run(model, z0, y, RandomSource.For("flat"), (step, _) =>
        {
            alive.Add(DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            if (step % 50 != 0) return;
            using var process = Process.GetCurrentProcess();
            memory.Add(process.PeakWorkingSet64 >> 20);
        }).Dispose();
        output.WriteLine($"  500 steps: tensors alive after a step     {alive[1],8} to {alive.Skip(1).Max()}");
        output.WriteLine($"  500 steps: peak memory, MiB               {memory[0],8} to {memory[^1]}");
    }

    private static void FullSize(TextWriter output, ScalarType dtype, double wanted)
    {
        using var scope = NewDisposeScope();
        using var unet = new UNet2DConditionModel(StableDiffusion1);
        using (no_grad())
            foreach (TorchSharp.Modules.Parameter p in unet.parameters())
                p.copy_(p.dim() == 1 ? zeros(p.shape) : full(p.shape, 0.01f)); // the time does not depend on the values
        if (dtype != ScalarType.Float32) unet.to(dtype);
        Tensor x = RandomSource.For("x").Normal(1, 4, 64, 64).to(dtype), y = RandomSource.For("y").Normal(1, 77, 768),
            t = tensor(new long[] { 500 });
        double rate = MatrixProduct(dtype);
        double forward = Median(() => { using var _ = no_grad(); unet.call(x, t, y.to(dtype)).Dispose(); }, 3);
        double step = Median(() =>
        {
            using var inner = NewDisposeScope();
            Tensor leaf = y.alias().detach().requires_grad_();
            Tensor loss = nn.functional.mse_loss(unet.call(x, t, leaf.to(dtype)).to(float32), x.to(float32));
            autograd.grad([loss], [leaf]);
        }, 3);
        output.WriteLine(
            $"Stable Diffusion 1.x size, {(dtype == ScalarType.Float32 ? "float32" : "bfloat16")}: forward    {forward,8:0.00} s");
        output.WriteLine(
            $"  share of the matrix product's rate        {ForwardFlops / forward / rate,8:0.00}      at least {wanted} (PyTorch "
            + $"{(dtype == ScalarType.Float32 ? 0.92 : 0.59)}; {rate / 1e9:0} GFLOP/s)");
        output.WriteLine(
            $"  search step over forward                  {step / forward,8:0.00}      (PyTorch "
            + $"{(dtype == ScalarType.Float32 ? 2.19 : 2.35)})");
    }

    private static double MatrixProduct(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor a = RandomSource.For("a").Normal(2048, 2048).to(dtype), b = RandomSource.For("b").Normal(2048, 2048).to(dtype);
        return 2.0 * 2048 * 2048 * 2048 / Median(() => matmul(a, b).Dispose(), 15);
    }

    private static void Parallel(int workers, Action action)
    {
        Thread[] threads = [.. Enumerable.Range(0, workers).Select(_ => new Thread(() => { set_num_threads(1); action(); }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
    }

    private static double Median(Action action, int times)
    {
        action();
        double[] seconds = [.. Enumerable.Range(0, times).Select(_ => Seconds(action)).Order()];
        return seconds[times / 2];
    }

    private static double Seconds(Action action)
    {
        var watch = Stopwatch.StartNew();
        action();
        return watch.Elapsed.TotalSeconds;
    }

    private static UNetConfig StableDiffusion1 { get; } = new()
    {
        InChannels = 4, OutChannels = 4, SampleSize = 64, BlockOutChannels = [320, 640, 1280, 1280],
        DownBlockTypes = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        LayersPerBlock = 2, CrossAttentionDim = 768, NumAttentionHeads = [8, 8, 8, 8], UseLinearProjection = false,
        NormNumGroups = 32, NormEps = 1e-5, FlipSinToCos = true, FreqShift = 0, UpcastAttention = false,
    };

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (Directory.Exists(Path.Combine(folder.FullName, "models", "emoji"))) return Path.Combine(folder.FullName, "models", "emoji");
        throw new DirectoryNotFoundException("models/emoji: run the benchmark inside a checkout");
    }
}
