using System.Diagnostics;
using TorchSharp;

namespace Dori.Audit;

/// <summary>Runs the units of a plan that a run folder lacks, several at a time.</summary>
public sealed class AuditRunner(UnitRunner runner, RunFolder folder, Func<TimeSpan> clock)
{
    /// <summary>One event of a run.</summary>
    /// <param name="Unit">Which unit.</param>
    /// <param name="Share">How much of it is done, 0 to 1; 1 once its file stands.</param>
    public readonly record struct Progress(AuditUnit Unit, double Share);

    /// <param name="workers">Each has a unit at a time.</param>
    /// <param name="report">Called from the workers.</param>
    /// <param name="cancellation">
    /// Units in work are dropped before their files are written, or finished where they are being written; what stands stays.
    /// </param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Run(IReadOnlyList<AuditUnit> units, Workers workers, Action<Progress>? report = null, CancellationToken cancellation = default)
    {
        IReadOnlyList<AuditUnit> open = folder.Open(units);
        torch.set_num_threads(workers.ThreadsEach);
        workers.Run(open.Count, (piece, stop) =>
        {
            AuditUnit unit = open[piece];
            using var scope = torch.NewDisposeScope();
            TimeSpan begun = clock();
            using UnitResult result = runner.Run(unit, share => report?.Invoke(new Progress(unit, Math.Min(share, 0.999))), stop);
            folder.Write(unit, result, new UnitCost(unit.Id, Math.Round((clock() - begun).TotalSeconds, 3), PeakMemoryMiB()));
            report?.Invoke(new Progress(unit, 1));
        }, cancellation);
    }

    private static long PeakMemoryMiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 >> 20;
    }
}
