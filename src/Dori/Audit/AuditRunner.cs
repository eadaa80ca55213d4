using System.Collections.Concurrent;
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

    /// <param name="workers">Units in work at a time, each on a thread of its own.</param>
    /// <param name="threadsPerUnit">libtorch's threads for each.</param>
    /// <param name="report">Called from the workers.</param>
    /// <param name="cancellation">
    /// Units in work are dropped before their files are written, or finished where they are being written; what stands stays.
    /// </param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Run(IReadOnlyList<AuditUnit> units, int workers, int threadsPerUnit, Action<Progress>? report = null, CancellationToken cancellation = default)
    {
        var queue = new ConcurrentQueue<AuditUnit>(units.Where(unit => !folder.Has(unit.Id)));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var failures = new ConcurrentQueue<Exception>();
        torch.set_num_threads(threadsPerUnit);
        Thread[] threads = [.. Enumerable.Range(0, Math.Max(1, Math.Min(workers, queue.Count))).Select(_ => new Thread(Work))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        if (failures.FirstOrDefault(e => e is not OperationCanceledException) is { } failure)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        cancellation.ThrowIfCancellationRequested();

        void Work()
        {
            torch.set_num_threads(threadsPerUnit); // OpenMP keeps the number per thread
            while (!stop.IsCancellationRequested && queue.TryDequeue(out AuditUnit? unit))
            {
                try
                {
                    using var scope = torch.NewDisposeScope();
                    TimeSpan begun = clock();
                    using UnitResult result = runner.Run(unit, share => report?.Invoke(new Progress(unit, Math.Min(share, 0.999))), stop.Token);
                    folder.Write(result, new UnitCost(unit.Id, Math.Round((clock() - begun).TotalSeconds, 3), PeakMemoryMiB()));
                    report?.Invoke(new Progress(unit, 1));
                }
                catch (Exception e)
                {
                    failures.Enqueue(e);
                    stop.Cancel();
                }
            }
        }
    }

    private static long PeakMemoryMiB()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 >> 20;
    }
}
