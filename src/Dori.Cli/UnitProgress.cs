using Dori.Audit;
using Spectre.Console;

namespace Dori.Cli;

/// <summary>How far the units are and how long the rest will take: a live line on a terminal, a plain line now and then elsewhere.</summary>
internal sealed class UnitProgress : IDisposable
{
    private readonly Shell _shell;
    private readonly bool _quiet;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, double> _weights, _shares = [];
    private readonly double _total;
    private readonly TimeSpan _begun;
    private int _finished, _saidPercent;
    private TimeSpan _said = TimeSpan.MinValue;

    public UnitProgress(Shell shell, bool quiet, IReadOnlyList<double> weights, IReadOnlyList<AuditUnit> units)
    {
        (_shell, _quiet) = (shell, quiet);
        _weights = units.Zip(weights).ToDictionary(pair => pair.First.Id, pair => pair.Second);
        _total = weights.Sum();
        _begun = shell.Elapsed();
    }

    /// <summary>Before every line.</summary>
    public string Whose { get; init; } = "";

    /// <summary>Called from the workers.</summary>
    public void Report(AuditRunner.Progress progress)
    {
        if (_quiet) return;
        lock (_gate)
        {
            _shares[progress.Unit.Id] = progress.Share;
            if (progress.Share >= 1) _finished++;
            TimeSpan now = _shell.Elapsed();
            double done = _shares.Sum(pair => _weights[pair.Key] * pair.Value) / _total;
            TimeSpan left = (now - _begun) * ((1 - done) / Math.Max(done, 1e-6));
            string line = $"{Whose}{done * 100,3:0} %  {_finished} of {_weights.Count} units  "
                + $"{(done < 0.005 ? "" : $"{Show(left)} left")}  {progress.Unit.Item.Id} {progress.Unit.Start}";
            if (_shell.Console.Profile.Out.IsTerminal && _shell.Console.Profile.Capabilities.Interactive)
            {
                if (_said != TimeSpan.MinValue && now - _said < TimeSpan.FromMilliseconds(200) && done < 1) return;
                _said = now;
                int width = Math.Max(20, _shell.Console.Profile.Width - 1);
                _shell.Error.Write("\r" + line.PadRight(width)[..width]);
            }
            else if ((int)(done * 10) > _saidPercent) // ten plain lines
            {
                _saidPercent = (int)(done * 10);
                _shell.Error.WriteLine("dori: " + line.TrimStart());
            }
        }
    }

    public void Dispose()
    {
        if (!_quiet && _said != TimeSpan.MinValue) _shell.Error.WriteLine();
    }

    public static string Show(TimeSpan time) => time.TotalSeconds < 90 ? $"{time.TotalSeconds:0} s"
        : time.TotalMinutes < 90 ? $"{time.TotalMinutes:0} min"
        : time.TotalHours < 48 ? $"{time.TotalHours:0.0} h" : $"{time.TotalDays:0.0} days";
}
