using TorchSharp;

namespace Dori.Mitigation;

/// <summary>
/// Pieces of work on several threads, their results taken in the order of the pieces: what comes out does not depend on how many threads there are.
/// </summary>
/// <param name="Count">Threads, each with a piece of its own: for a small model one a processor core, for a large one 1.</param>
/// <param name="ThreadsEach">libtorch's threads for each.</param>
public sealed record Workers(int Count, int ThreadsEach)
{
    /// <summary>The calling thread's share of all threads: for work that is not in pieces.</summary>
    public static Workers Single { get; } = new(1, 1);

    /// <param name="compute">Called from the workers; what it returns must belong to no dispose scope.</param>
    /// <param name="take">Called for one result at a time, 0, 1, 2, ...</param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    internal void Run<T>(int pieces, Func<int, T> compute, Action<T> take, CancellationToken cancellation)
    {
        var gate = new object();
        int next = 0, turn = 0;
        Exception? failure = null;
        Thread[] threads = [.. Enumerable.Range(0, Math.Max(1, Math.Min(Count, pieces))).Select(_ => new Thread(Work))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);

        void Work()
        {
            torch.set_num_threads(ThreadsEach); // OpenMP keeps the number per thread
            while (true)
            {
                int piece;
                lock (gate)
                {
                    if (failure is not null || next == pieces) return;
                    piece = next++;
                }
                try
                {
                    cancellation.ThrowIfCancellationRequested();
                    T result = compute(piece);
                    lock (gate)
                    {
                        while (turn != piece && failure is null) Monitor.Wait(gate);
                        if (failure is not null) return;
                        take(result);
                        turn++;
                        Monitor.PulseAll(gate);
                    }
                }
                catch (Exception e)
                {
                    lock (gate)
                    {
                        failure ??= e;
                        Monitor.PulseAll(gate);
                    }
                    return;
                }
            }
        }
    }
}
