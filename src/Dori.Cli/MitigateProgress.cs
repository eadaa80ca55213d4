using System.Globalization;
using Dori.Audit;
using Dori.Mitigation;

namespace Dori.Cli;

/// <summary>How far a mitigation is, with its losses, and how long the rest of what is counted will take.</summary>
internal sealed class MitigateProgress(Shell shell, bool quiet)
{
    private string _what = "";
    private int _first;
    private TimeSpan _begun;

    public void Say(string text)
    {
        if (!quiet) shell.Say(text);
    }

    public void Report(MitigationProgress progress)
    {
        if (quiet) return;
        TimeSpan now = shell.Elapsed();
        if (progress.What != _what || progress.Done <= _first) // the first one: nothing is known of its time
        {
            (_what, _first, _begun) = (progress.What, progress.Done, now);
            shell.Live.Begin((progress.Done - 1.0) / progress.All);
        }
        string left = progress.Done == _first ? ""
            : $", {CostEstimate.Show((now - _begun) * ((double)(progress.All - progress.Done) / (progress.Done - _first)))} left";
        string losses = string.Join(", ",
            progress.Losses.Select(loss => string.Create(CultureInfo.InvariantCulture, $"{loss.Key} {loss.Value:0.####}")));
        shell.Live.Show($"{progress.What} {progress.Done} of {progress.All}{left}{(losses.Length > 0 ? ": " : "")}{losses}",
            (double)progress.Done / progress.All);
    }
}
