using System.Runtime.ExceptionServices;
using TorchSharp;

namespace Dori;

/// <summary>
/// Pieces of work on several threads. Results are taken in the order of the pieces: what comes out does not depend on how many threads
/// there are.
/// </summary>
/// <param name="Count">Threads, each with a piece of its own: for a small model one a processor core, for a large one 1.</param>
/// <param name="ThreadsEach">libtorch's threads for each.</param>
internal sealed record Workers(int Count, int ThreadsEach)
{
    /// <summary>The calling thread's share of all threads: for work that is not in pieces.</summary>
    public static Workers Single { get; } = new(1, 1);

    /// <param name="compute">Called from the workers; what it returns must belong to no dispose scope.</param>
    /// <param name="take">Called for one result at a time, 0, 1, 2, ...</param>
    /// <inheritdoc cref="Run(int, Action{int, CancellationToken}, CancellationToken)"/>
    internal void Run<T>(int pieces, Func<int, T> compute, Action<T> take, CancellationToken cancellation)
    {
        object gate = new();
        int turn = 0;
        bool failed = false;
        Run(pieces, (piece, _) =>
        {
            try
            {
                T result = compute(piece);
                lock (gate)
                {
                    while (turn != piece && !failed) Monitor.Wait(gate); // all pieces before this one have begun
                    if (failed) return;
                    take(result);
                    turn++;
                    Monitor.PulseAll(gate);
                }
            }
            catch
            {
                lock (gate)
                {
                    failed = true;
                    Monitor.PulseAll(gate);
                }
                throw;
            }
        }, cancellation);
    }

    /// <summary>Works on all pieces, begun in their order. The first failure ends it: no piece is begun after it.</summary>
    /// <param name="work">(piece, token) called from the workers; the token is cancelled as soon as another piece has failed, too.</param>
    /// <exception cref="OperationCanceledException">Cancelled, and no piece has failed.</exception>
    internal void Run(int pieces, Action<int, CancellationToken> work, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        int next = -1;
        Exception? failure = null;
        var gate = new Lock();
        Thread[] threads = [.. Enumerable.Range(0, Math.Max(1, Math.Min(Count, pieces))).Select(_ => new Thread(Work))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
        cancellation.ThrowIfCancellationRequested();

        void Work()
        {
            torch.set_num_threads(ThreadsEach); // OpenMP keeps the number per thread
            while (!stop.IsCancellationRequested && Interlocked.Increment(ref next) is var piece && piece < pieces)
            {
                try
                {
                    work(piece, stop.Token);
                }
                catch (Exception e)
                {
                    lock (gate)
                        if (failure is null or OperationCanceledException) failure = e;
                    stop.Cancel();
                }
            }
        }
    }
}
