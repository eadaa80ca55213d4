using System.Diagnostics;
using TorchSharp;

namespace Dori.Audit;

/// <summary>Runs the units of a plan that a run folder lacks, several at a time.</summary>
/// <param name="clock">For the units' costs; null: one that runs.</param>
internal sealed class AuditRunner(UnitRunner runner, RunFolder folder, Func<TimeSpan>? clock = null)
{
    private readonly Func<TimeSpan> _clock = clock ?? Running();

    /// <param name="workers">Each has a unit at a time.</param>
    /// <param name="report">Told the share of a unit that is done, 0 to 1; 1 once its file stands. Called from the workers.</param>
    /// <param name="cancellation">
    /// Units in work are dropped before their files are written, or finished where they are being written; what stands stays.
    /// </param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Run(IReadOnlyList<AuditUnit> units, Workers workers, Action<AuditUnit, double>? report = null,
        CancellationToken cancellation = default)
    {
        IReadOnlyList<AuditUnit> open = folder.Open(units);
        torch.set_num_threads(workers.ThreadsEach);
        workers.Run(open.Count, (piece, stop) =>
        {
            AuditUnit unit = open[piece];
            using var scope = torch.NewDisposeScope();
            TimeSpan begun = _clock();
            using UnitResult result = runner.Run(unit, share => report?.Invoke(unit, Math.Min(share, 0.999)), stop);
            folder.Write(unit, result, new UnitCost(unit.Id, Math.Round((_clock() - begun).TotalSeconds, 3), PeakMemoryMiB()));
            report?.Invoke(unit, 1);
        }, cancellation);
    }

    private static Func<TimeSpan> Running()
    {
        var watch = Stopwatch.StartNew();
        return () => watch.Elapsed;
    }

    private static long PeakMemoryMiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 >> 20;
    }
}
