using System.Diagnostics;
using System.Globalization;
using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Audit;

/// <summary>
/// Runs the units of a plan that a run folder lacks, several at a time. Other processes may be at the same folder: each unit is claimed
/// before it is begun (<see cref="RunClaims"/>), and what another holds is waited for, so that all is there at the end.
/// </summary>
/// <param name="clock">For the units' costs; null: one that runs.</param>
/// <param name="say">Told what is known as soon as it is, where pictures stop at their verdict. Called from the workers.</param>
/// <param name="claims">Null: this process's own.</param>
internal sealed class AuditRunner(UnitRunner runner, RunFolder folder, Func<TimeSpan>? clock = null, Action<string>? say = null,
    Func<RunClaims>? claims = null)
{
    private readonly Func<TimeSpan> _clock = clock ?? Running();
    private bool _saidThatItWaits;

    /// <param name="workers">Each has a unit at a time.</param>
    /// <param name="report">Told the share of a unit that is done, 0 to 1; 1 once its file stands. Called from the workers.</param>
    /// <param name="cancellation">
    /// Units in work are dropped before their files are written, or finished where they are being written; what stands stays.
    /// </param>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public void Run(IReadOnlyList<AuditUnit> units, Workers workers, Action<AuditUnit, double>? report = null,
        CancellationToken cancellation = default)
    {
        torch.set_num_threads(workers.ThreadsEach);
        using RunClaims held = claims?.Invoke() ?? new RunClaims(folder.Path);
        if (!folder.Manifest.Options.StopAtVerdict)
        {
            RunAll(Each(folder.Open(units)), folder.Manifest.Options.StopAtCopy ? folder.Manifest.Options.Threshold : null);
            return;
        }
        // What captions alone give back is known first. Then the controls' searches, in full: what passes them all is decided. Then those
        // for each picture, one after the other until it is.
        RunAll(Each(folder.Open([.. units.Where(unit => unit.Start == AuditStart.Prompt)])));
        SayByPrompt();
        RunAll(Each(folder.Open([.. units.Where(unit => unit.Item.Role == PictureRole.Control)])));
        ItemRecords[] known = folder.ReadItems();
        if (StopRule.Obstacle(folder.Manifest, known) is { } obstacle) say?.Invoke(obstacle);
        RunAll([.. folder.Open(units).GroupBy(unit => unit.Item.Id).Select(item => new Chain(item.Key, [.. item]))],
            StopRule.Bar(folder.Manifest, known));

        // Returns once all stand, whoever computed them: what follows rests on them.
        void RunAll(IReadOnlyList<Chain> left, double? bar = null)
        {
            while (left.Count > 0)
            {
                bool[] done = new bool[left.Count];
                workers.Run(left.Count, (piece, stop) => done[piece] = TryRun(left[piece], held, bar, report, stop), cancellation);
                left = [.. left.Where((_, piece) => !done[piece])];
                if (left.Count == 0) return;
                SayThatItWaits(left);
                held.Pause(cancellation);
            }
        }
    }

    /// <returns>Whether all its units stand now, or are not needed; false where another process has it in hand.</returns>
    private bool TryRun(Chain chain, RunClaims held, double? bar, Action<AuditUnit, double>? report, CancellationToken cancellation)
    {
        using IDisposable? claim = held.Take(chain.Name);
        if (claim is null) return false;
        bool decided = false;
        foreach (AuditUnit unit in chain.Units)
        {
            if (!decided)
            {
                // another process may have made it since the folder was read
                Snapshot best = Standing(unit, bar)
                    ?? Compute(unit, bar, share => report?.Invoke(unit, Math.Min(share, 0.999)), cancellation);
                decided = best.Best > bar;
                if (decided) say?.Invoke(Decided(unit, best));
            }
            report?.Invoke(unit, 1);
        }
        return true;
    }

    /// <summary>Units of which one process computes all, in their order.</summary>
    private sealed record Chain(string Name, AuditUnit[] Units);

    private void SayThatItWaits(IReadOnlyList<Chain> left)
    {
        if (_saidThatItWaits) return;
        _saidThatItWaits = true;
        say?.Invoke($"other processes have the rest in hand ({left[0].Name}{(left.Count > 1 ? $" and {left.Count - 1} more" : "")}); "
            + "waits for them, and takes over where one is gone");
    }

    private void SayByPrompt()
    {
        AuditOptions options = folder.Manifest.Options;
        ItemRecords[] asked = [.. folder.ReadItems().Where(item => item.ByStart.ContainsKey(AuditStart.Prompt))];
        if (asked.Length == 0) return;
        (int Back, int All) Of(bool controls)
        {
            ItemRecords[] of = [.. asked.Where(item => item.IsControl == controls)];
            return (of.Count(item => item.Best(start => start == AuditStart.Prompt).Similarity > options.Threshold), of.Length);
        }
        ((int back, int all), (int controls, int allControls)) = (Of(false), Of(true));
        say?.Invoke($"asked by its captions alone, the model gives back {back} of {all} pictures and {controls} of {allControls} controls");
    }

    private static string Decided(AuditUnit unit, Snapshot best) => string.Create(CultureInfo.InvariantCulture,
        $"{unit.Item.Id} comes back ({best.Best:0.00}, above every control) after {best.Step} search steps from {unit.Start.Text()}");

    private static Chain[] Each(IReadOnlyList<AuditUnit> units) => [.. units.Select(unit => new Chain(unit.Id, [unit]))];

    /// <returns>What came nearest; null where the unit is to be computed.</returns>
    private Snapshot? Standing(AuditUnit unit, double? bar) =>
        folder.Whole(unit) is { } record && Nearest(record) is var best
        && (record.StoppedAfter(folder.Manifest.Options) is null || best.Best > bar) ? best : null;

    private static Snapshot Nearest(UnitRecord record) => record.Snapshots.MaxBy(snapshot => snapshot.Best)!;

    /// <returns>What came nearest.</returns>
    private Snapshot Compute(AuditUnit unit, double? bar, Action<double> share, CancellationToken cancellation)
    {
        using var scope = torch.NewDisposeScope();
        (TimeSpan begun, UNetPasses before) = (_clock(), UNetPasses.OfThread);
        using UnitResult result = runner.Run(unit, bar, share, cancellation);
        UNetPasses passes = UNetPasses.OfThread - before;
        // Whoever took it over from a process that was only slow, this one, has written the same bytes.
        if (Standing(unit, bar) is null)
            folder.Write(unit, result, new UnitCost(unit.Id, Math.Round((_clock() - begun).TotalSeconds, 3), PeakMemoryMiB(),
                passes.Forward, passes.Backward));
        return Nearest(result.Record);
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
