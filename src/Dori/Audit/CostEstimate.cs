using System.Globalization;
using Dori.Diffusion;
using Dori.Pictures;

namespace Dori.Audit;

/// <summary>What a run will cost, from a trial on this machine (<see cref="CostTrial"/>).</summary>
/// <param name="Least">Where every picture stops as early as it can; the same as <paramref name="Most"/> where none stops.</param>
/// <param name="Most">Where every unit runs to its end.</param>
/// <param name="DiskBytes">Of embeddings and pictures.</param>
internal sealed record CostEstimate(UnitWork Least, UnitWork Most, TimeSpan LeastTime, TimeSpan Time, long MemoryBytes, long DiskBytes)
{
    public static CostEstimate Of(CostTrial trial, DiffusionModel model, AuditOptions options, IReadOnlyCollection<AuditUnit> units,
        Workers workers)
    {
        IReadOnlyCollection<AuditUnit> needed = !options.StopAtVerdict ? units
            : [.. units.Where(unit => unit.Item.Role == PictureRole.Control || unit.Start == AuditStart.Prompt)];
        (UnitWork least, UnitWork most) = (UnitWork.Of(needed, options), UnitWork.Of(units, options));
        long pixels = 3L * model.PictureSize * model.PictureSize;
        long embedding = 4L * model.Tokenizer.MaxLength * model.UNet.Config.CrossAttentionDim;
        long disk = units.Sum(unit => options.Generations * pixels / 2
            + (unit.Start == AuditStart.Prompt ? 0 : unit.Snapshots(options).Count * embedding));
        return new CostEstimate(least, most, Time(least), Time(most), trial.Resident + workers.Count * trial.Growth, disk);

        TimeSpan Time(UnitWork work) => TimeSpan.FromSeconds((work.Backward * trial.PairSeconds + work.Sampled * trial.SampleSeconds
            + work.Pictures * trial.PictureSeconds) / workers.Count);
    }

    /// <summary>A unit's share of the run's time, in UNet evaluations.</summary>
    public static double Weight(AuditUnit unit, AuditOptions options) => UnitWork.Of([unit], options).Weight;

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

    public override string ToString() => $"about {TimeText} and {MemoryBytes >> 20} MiB of memory";

    /// <summary>"40 s", or "20 s to 40 s" where pictures may stop.</summary>
    public string TimeText => Range(Show(LeastTime), Show(Time));

    /// <summary>Latents through the UNet, forwards and backwards.</summary>
    public string PassesText => Range(Passes(Least), Passes(Most));

    private static string Range(string least, string most) => least == most ? most : $"{least} to {most}";

    private static string Passes(UnitWork work) => (work.Forward + work.Backward).ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>"40 s", "12 min", "3.5 h", "2.1 days".</summary>
    public static string Show(TimeSpan time) => time.TotalSeconds < 90 ? $"{time.TotalSeconds:0} s"
        : time.TotalMinutes < 90 ? $"{time.TotalMinutes:0} min"
        : time.TotalHours < 48 ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.0} h")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0.0} days");
}
