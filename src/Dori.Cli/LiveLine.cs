namespace Dori.Cli;

/// <summary>
/// How far something is, on standard error: one line that is kept up to date where people look at a terminal, ten plain ones elsewhere.
/// Whoever writes anything else there closes it first.
/// </summary>
/// <param name="width">Of the terminal now; null: there is none.</param>
/// <param name="clock">Time since some moment.</param>
internal sealed class LiveLine(TextWriter error, Func<int?> width, Func<TimeSpan> clock)
{
    private const int Narrowest = 20;
    private static readonly TimeSpan s_between = TimeSpan.FromMilliseconds(200);
    private readonly Lock _gate = new();
    private TimeSpan? _said;
    private int _tenths;

    /// <summary>What is shown next is another work's, of which a share is done.</summary>
    public void Begin(double share)
    {
        lock (_gate)
        {
            End();
            _tenths = Tenths(share);
        }
    }

    /// <param name="share">0 to 1; called from several threads.</param>
    public void Show(string line, double share)
    {
        lock (_gate)
        {
            if (width() is { } columns) Update(line, Math.Max(Narrowest, columns - 1), share >= 1);
            else if (Tenths(share) > _tenths) error.WriteLine("dori: " + line.TrimStart());
            _tenths = share >= 1 ? 0 : Math.Max(_tenths, Tenths(share)); // a finished work's successor begins anew
        }
    }

    /// <summary>Ends the line that is kept up to date.</summary>
    public void Close()
    {
        lock (_gate) End();
    }

    private void Update(string line, int columns, bool done)
    {
        if (_said is { } said && clock() - said < s_between && !done) return;
        _said = clock();
        error.Write("\r" + line.PadRight(columns)[..columns]);
        if (done) End();
    }

    private void End()
    {
        if (_said is not null) error.WriteLine();
        _said = null;
    }

    private static int Tenths(double share) => (int)(share * 10);
}
