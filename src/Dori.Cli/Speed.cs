using System.Diagnostics;
using System.Globalization;
using Dori.Diffusion;
using Dori.Native;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli;

/// <summary>What a model of Stable Diffusion 1.x's size takes on a device: time, its share of what the device can do, and memory.</summary>
/// <param name="dtype">The UNet's.</param>
internal sealed class Speed(Device device, ScalarType dtype)
{
    private const double Gibi = 1L << 30;
    private readonly bool _onGpu = device.type != DeviceType.CPU;
    private readonly string _where = $"{Devices.KindOf(device)}, {dtype.ToString().ToLowerInvariant()}";

    public IEnumerable<Finding> Measure()
    {
        using var scope = NewDisposeScope();
        double rate = MatrixProduct();
        yield return Of("matrix product", $"4096-cubed on {_where}: {rate / 1e12:0.00} TFLOP/s");
        (DiffusionModel model, double weights) = Grown(() => StableDiffusionSize.Model(device, dtype));
        using (model)
        {
            Tensor z0 = RandomSource.For("speed").Normal([1, .. model.LatentShape]).to(device), t = tensor(new[] { 500L }).to(device);
            Conditioning y = model.RandomConditioning(RandomSource.For("y")).To(device);
            double forward = Median(() => { using var _ = no_grad(); model.Predict(z0, t, y).Dispose(); });
            double share = StableDiffusionSize.ForwardFlops / forward / rate;
            yield return Of("forward", $"{forward * 1e3:0.0} ms, {share:0.00} of the matrix product's rate; weights {weights:0.0} GiB");
            int pairs = _onGpu ? 8 : 1;
            var search = new DoriSearch(new SearchOptions { Steps = 1, Batch = pairs, MicroBatch = pairs, SnapshotSteps = [] });
            (double step, double memory) = Grown(() => Median(() => search.Run(model, z0, y, RandomSource.For("step")).Dispose()));
            double each = step / pairs / forward;
            yield return Of("search step", $"{step * 1e3:0.0} ms for {pairs} pairs, {each:0.00} forwards a pair; {memory:0.0} GiB more");
            int count = _onGpu ? 10 : 1, steps = _onGpu ? 20 : 1;
            GenerationOptions options = new()
            {
                Guidance = 7.5, Scheduler = model.SchedulerWith("dpm-solver++"), Steps = steps, Batch = count,
            };
            Tensor noise = Generation.Noise(model, RandomSource.For("noise"), count);
            (double pictures, memory) = Grown(() => Once(() => Generation.Pictures(model, y, y, noise, options).cpu().Dispose()));
            yield return Of("pictures", $"{pictures:0.00} s for {count} of 512 x 512 in {steps} steps, decoded; {memory:0.0} GiB more");
        }
    }

    private double MatrixProduct()
    {
        const long n = 4096;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor a = RandomSource.For("a").Normal(n, n).to(device).to(dtype);
        return 2.0 * n * n * n / Median(() => a.mm(a).Dispose());
    }

    /// <returns>Seconds: the median of three after one.</returns>
    private double Median(Action action)
    {
        Once(action);
        return new[] { Once(action), Once(action), Once(action) }.Order().ElementAt(1);
    }

    private double Once(Action action)
    {
        Wait();
        var watch = Stopwatch.StartNew();
        action();
        Wait();
        return watch.Elapsed.TotalSeconds;
    }

    private void Wait()
    {
        if (device.type == DeviceType.CUDA) cuda.synchronize();
    }

    /// <summary>What comes of something, and by how many GiB the memory in use grew at most meanwhile.</summary>
    private (T Result, double Gibibytes) Grown<T>(Func<T> action)
    {
        T result = default!;
        long Free() => device.type == DeviceType.CUDA ? Gpu.Of(Math.Max(device.index, 0))?.FreeBytes ?? 0 : 0;
        long before = Free(), host = HostMemory.Peak(() => result = action());
        return (result, (device.type == DeviceType.CUDA ? before - Free() : host) / Gibi);
    }

    private static Finding Of(string what, FormattableString found) => new(what, Finding.Ok, found.ToString(CultureInfo.InvariantCulture));
}
