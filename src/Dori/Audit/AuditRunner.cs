using System.Diagnostics;
using System.Globalization;
using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Audit;

/// <summary>Runs the units of a plan that a run folder lacks, several at a time.</summary>
/// <param name="clock">For the units' costs; null: one that runs.</param>
/// <param name="say">Told what is known as soon as it is, where pictures stop at their verdict. Called from the workers.</param>
internal sealed class AuditRunner(UnitRunner runner, RunFolder folder, Func<TimeSpan>? clock = null, Action<string>? say = null)
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
        torch.set_num_threads(workers.ThreadsEach);
        if (!folder.Manifest.Options.StopAtVerdict)
        {
            Run(Each(folder.Open(units)), folder.Manifest.Options.StopAtCopy ? folder.Manifest.Options.Threshold : null);
            return;
        }
        // What captions alone give back is known first. Then the controls' searches, in full: what passes them all is decided. Then those
        // for each picture, one after the other until it is.
        Run(Each(folder.Open([.. units.Where(unit => unit.Start == AuditStart.Prompt)])));
        SayByPrompt();
        Run(Each(folder.Open([.. units.Where(unit => unit.Item.Role == PictureRole.Control)])));
        ItemRecords[] known = folder.ReadItems();
        if (StopRule.Obstacle(folder.Manifest, known) is { } obstacle) say?.Invoke(obstacle);
        Run([.. folder.Open(units).GroupBy(unit => unit.Item.Id).Select(item => item.ToArray())], StopRule.Bar(folder.Manifest, known));

        void Run(IReadOnlyList<AuditUnit[]> chains, double? bar = null) => workers.Run(chains.Count, (piece, stop) =>
        {
            bool decided = false;
            foreach (AuditUnit unit in chains[piece])
            {
                if (!decided)
                {
                    Snapshot best = Compute(unit, bar, share => report?.Invoke(unit, Math.Min(share, 0.999)), stop);
                    decided = best.Best > bar;
                    if (decided) say?.Invoke(Decided(unit, best));
                }
                report?.Invoke(unit, 1);
            }
        }, cancellation);
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

    private static AuditUnit[][] Each(IReadOnlyList<AuditUnit> units) => [.. units.Select(unit => new[] { unit })];

    /// <returns>What came nearest.</returns>
    private Snapshot Compute(AuditUnit unit, double? bar, Action<double> share, CancellationToken cancellation)
    {
        using var scope = torch.NewDisposeScope();
        (TimeSpan begun, UNetPasses before) = (_clock(), UNetPasses.OfThread);
        using UnitResult result = runner.Run(unit, bar, share, cancellation);
        UNetPasses passes = UNetPasses.OfThread - before;
        folder.Write(unit, result, new UnitCost(unit.Id, Math.Round((_clock() - begun).TotalSeconds, 3), PeakMemoryMiB(),
            passes.Forward, passes.Backward));
        return result.Record.Snapshots.MaxBy(snapshot => snapshot.Best)!;
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
