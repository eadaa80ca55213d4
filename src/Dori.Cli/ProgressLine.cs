using Dori.Audit;

namespace Dori.Cli;

/// <summary>How far a run is and how long the rest will take: a live line on a terminal, ten plain lines elsewhere.</summary>
internal sealed class ProgressLine(Shell shell)
{
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(200);
    private readonly Lock _gate = new();
    private int _tenths;
    private TimeSpan? _said;

    /// <summary>Called from the workers.</summary>
    public void Report(RunProgress progress)
    {
        lock (_gate)
        {
            string line = $"{progress.Share * 100,3:0} %  {progress.Finished} of {progress.Pieces}  "
                + $"{(progress.Share < 0.005 ? "" : $"{CostEstimate.Show(progress.Left)} left")}  {progress.Piece}";
            if (shell.Console.Profile.Out.IsTerminal && shell.Console.Profile.Capabilities.Interactive) Live(line, progress.Share >= 1);
            else if (Tenths(progress.Share)) shell.Error.WriteLine("dori: " + line.TrimStart());
        }
    }

    /// <summary>Whether a further tenth is done; a share that has fallen is another run's.</summary>
    private bool Tenths(double share)
    {
        int tenths = (int)(share * 10), before = _tenths;
        _tenths = share >= 1 ? 0 : tenths;
        return tenths > before;
    }

    private void Live(string line, bool done)
    {
        TimeSpan now = shell.Elapsed();
        if (_said is { } said && now - said < s_between && !done) return;
        _said = done ? null : now;
        int width = Math.Max(20, shell.Console.Profile.Width - 1);
        shell.Error.Write("\r" + line.PadRight(width)[..width] + (done ? "\n" : ""));
    }
}
