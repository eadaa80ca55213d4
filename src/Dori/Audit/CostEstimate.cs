using System.Globalization;
using Dori.Diffusion;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>Time and memory that a run will take, from one trial step and one trial picture on this machine.</summary>
internal sealed record CostEstimate(TimeSpan Time, long MemoryBytes)
{
    public static CostEstimate Measure(DiffusionModel model, AuditOptions options, IReadOnlyCollection<AuditUnit> units,
        Workers workers)
    {
        int before = get_num_threads();
        set_num_threads(workers.ThreadsEach);
        using var scope = NewDisposeScope();
        RandomSource random = RandomSource.For("trial");
        Tensor z0 = random.Normal([1, .. model.LatentShape]).to(model.Device);
        Conditioning y = model.RandomConditioning(random).To(model.Device);
        long resident = ResidentBytes();
        SearchOptions search = options.SearchOptions with { Steps = 1, Batch = options.MicroBatch, SnapshotSteps = [] };
        double step = Seconds(() => new DoriSearch(search).Run(model, z0, y, random).Dispose());
        GenerationOptions generation = options.GenerationWith(model) with { Scheduler = model.Scheduler, Steps = 1, Batch = 1 };
        double picture = Seconds(() => Generation.Latents(model, y, y, z0, generation).Dispose());
        long growth = Math.Max(ResidentBytes() - resident, 0);
        set_num_threads(before);

        double seconds = 0;
        foreach (AuditUnit unit in units)
        {
            (int steps, int pictures) = Work(unit, options);
            seconds += steps * step * Math.Ceiling((double)options.SearchBatch / options.MicroBatch)
                + pictures * (double)options.SamplerSteps * picture;
        }
        return new CostEstimate(TimeSpan.FromSeconds(seconds / workers.Count), resident + workers.Count * growth);
    }

    /// <summary>Search steps and pictures of a unit.</summary>
    private static (int Steps, int Pictures) Work(AuditUnit unit, AuditOptions options)
    {
        if (unit.Start == AuditStart.Prompt) return (0, options.Generations);
        int curve = options.CurveSteps.Count(s => s < options.Steps && !(s == 0 && unit.Start == AuditStart.Caption));
        return (options.Steps, options.Generations + curve * options.CurveGenerations);
    }

    /// <summary>A unit's share of the run's time, in UNet evaluations: a search step costs little more than two forward passes.</summary>
    public static double Weight(AuditUnit unit, AuditOptions options)
    {
        (int steps, int pictures) = Work(unit, options);
        return steps * options.SearchBatch * 2.2 + pictures * options.SamplerSteps * (options.Guidance > 1 ? 2 : 1);
    }

    private static double Seconds(Action action)
    {
        action(); // the first call prepares kernels
        var watch = System.Diagnostics.Stopwatch.StartNew();
        action();
        return watch.Elapsed.TotalSeconds;
    }

    private static long ResidentBytes()
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    /// <summary>What the system says is free for new work; as much as it likes where it does not say.</summary>
    public static long AvailableMemory()
    {
        const string file = "/proc/meminfo";
        string? line = File.Exists(file)
            ? InputFile.ReadLines(file, InputKind.System).FirstOrDefault(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal))
            : null;
        return line is null ? long.MaxValue
            : 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    public override string ToString() => $"about {Show(Time)} and {MemoryBytes >> 20} MiB of memory";

    /// <summary>"40 s", "12 min", "3.5 h", "2.1 days".</summary>
    public static string Show(TimeSpan time) => time.TotalSeconds < 90 ? $"{time.TotalSeconds:0} s"
        : time.TotalMinutes < 90 ? $"{time.TotalMinutes:0} min"
        : time.TotalHours < 48 ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.0} h")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0.0} days");
}
