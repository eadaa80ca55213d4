using System.Globalization;
using Dori.Audit;
using Dori.Mitigation;
using Spectre.Console;

namespace Dori.Cli;

/// <summary>How far a mitigation is: on a terminal one line that is kept up to date, elsewhere ten plain ones.</summary>
internal sealed class MitigateProgress(Shell shell, bool quiet) : IDisposable
{
    private readonly bool _live = shell.Console.Profile.Out.IsTerminal && shell.Console.Profile.Capabilities.Interactive;
    private string _what = "";
    private int _first, _tenth;
    private TimeSpan _begun, _said;
    private bool _open;

    public void Say(string text)
    {
        if (quiet) return;
        Close();
        shell.Error.WriteLine("dori: " + text);
    }

    public void Report(MitigationProgress progress)
    {
        if (quiet) return;
        TimeSpan now = shell.Elapsed();
        if (progress.What != _what || progress.Done <= _first) // the first one: nothing is known of its time
        {
            Close();
            (_what, _first, _begun, _said) = (progress.What, progress.Done, now, TimeSpan.Zero);
            _tenth = 10 * (progress.Done - 1) / progress.All;
        }
        string left = progress.Done == _first ? ""
            : $", {CostEstimate.Show((now - _begun) * ((double)(progress.All - progress.Done) / (progress.Done - _first)))} left";
        string losses = string.Join(", ",
            progress.Losses.Select(loss => string.Create(CultureInfo.InvariantCulture, $"{loss.Key} {loss.Value:0.####}")));
        string line = $"{progress.What} {progress.Done} of {progress.All}{left}{(losses.Length > 0 ? ": " : "")}{losses}";
        if (_live)
        {
            if (now - _said < TimeSpan.FromMilliseconds(200) && progress.Done < progress.All) return;
            int width = Math.Max(20, shell.Console.Profile.Width - 1);
            shell.Error.Write("\r" + line.PadRight(width)[..width]);
            (_said, _open) = (now, true);
        }
        else if (10 * progress.Done / progress.All > _tenth)
        {
            _tenth = 10 * progress.Done / progress.All;
            shell.Error.WriteLine("dori: " + line);
        }
    }

    /// <summary>Ends the line that is kept up to date.</summary>
    private void Close()
    {
        if (_open) shell.Error.WriteLine();
        _open = false;
    }

    public void Dispose() => Close();
}
