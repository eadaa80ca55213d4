using Dori.Diffusion;
using Dori.Measures;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>What a search step and a drawn picture take on this machine, with as many workers at it as the run will have.</summary>
/// <param name="PairSeconds">Of one (noise, time step) pair of a search step.</param>
/// <param name="SampleSeconds">Of one picture's sampler step, guidance included.</param>
/// <param name="PictureSeconds">Of decoding and describing one picture.</param>
/// <param name="Resident">Bytes before, the model's weights among them.</param>
/// <param name="Growth">Bytes that a worker adds.</param>
internal sealed record CostTrial(double PairSeconds, double SampleSeconds, double PictureSeconds, long Resident, long Growth)
{
    public static CostTrial Run(DiffusionModel model, ICopyDetector detector, AuditOptions options, Workers workers)
    {
        long resident = ResidentBytes();
        var gate = new Lock();
        double pair = 0, sample = 0, picture = 0;
        int before = get_num_threads();
        workers.Run(workers.Count, (worker, _) =>
        {
            using var scope = NewDisposeScope();
            RandomSource random = RandomSource.For("trial", $"{worker}");
            Tensor z0 = random.Normal([1, .. model.LatentShape]);
            Conditioning y = model.RandomConditioning(random).To(model.Device);
            var search = new DoriSearch(options.SearchOptions with { Steps = 1, Batch = options.MicroBatch, SnapshotSteps = [] });
            double step = Seconds(() => search.Run(model, z0.to(model.Device), y, random).Dispose()) / options.MicroBatch;
            int batch = Math.Min(options.GenerationBatch, options.Generations);
            Tensor noise = Generation.Noise(model, random, batch);
            GenerationOptions once = options.GenerationWith(model) with { Scheduler = model.SchedulerWith("ddim"), Steps = 1 };
            double drawn = Seconds(() => Generation.Latents(model, y, y, noise, once).Dispose()) / batch;
            double shown = Seconds(() =>
            {
                using var inner = NewDisposeScope();
                detector.Describe(model.Decode(noise.to(model.Device)));
            }) / batch;
            lock (gate)
                (pair, sample, picture) =
                    (pair + step / workers.Count, sample + drawn / workers.Count, picture + shown / workers.Count);
        }, CancellationToken.None);
        set_num_threads(before);
        return new CostTrial(pair, sample, picture, resident, Math.Max(ResidentBytes() - resident, 0) / workers.Count);
    }

    /// <summary>Of the second call, since the first prepares kernels; of the first where that is nothing beside the work.</summary>
    private static double Seconds(Action action)
    {
        const double enough = 2;
        return Once() is var first and > enough ? first : Once();

        double Once()
        {
            var watch = System.Diagnostics.Stopwatch.StartNew();
            action();
            return watch.Elapsed.TotalSeconds;
        }
    }

    private static long ResidentBytes()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
