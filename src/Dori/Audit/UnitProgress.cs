using System.Diagnostics;

namespace Dori.Audit;

/// <summary>How far units are, weighed by what each costs.</summary>
internal sealed class UnitProgress
{
    private readonly RunWatch _watch;
    private readonly string _whose;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, double> _weights, _shares = [];
    private readonly double _total;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int _finished;

    public UnitProgress(IReadOnlyList<AuditUnit> units, AuditOptions options, RunWatch watch, string whose)
    {
        (_watch, _whose) = (watch, whose);
        _weights = units.ToDictionary(unit => unit.Id, unit => CostEstimate.Weight(unit, options));
        _total = _weights.Values.Sum();
    }

    /// <summary>Called from the workers.</summary>
    public void Report(AuditUnit unit, double share)
    {
        lock (_gate)
        {
            _shares[unit.Id] = share;
            if (share >= 1) _finished++;
            double done = _shares.Sum(pair => _weights[pair.Key] * pair.Value) / _total;
            TimeSpan left = _clock.Elapsed * ((1 - done) / Math.Max(done, 1e-6));
            _watch.Progress(new RunProgress(done, left, _finished, _weights.Count, $"{_whose}{unit.Item.Id} {unit.Start.Text()}"));
        }
    }
}
