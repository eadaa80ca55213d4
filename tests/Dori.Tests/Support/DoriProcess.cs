using System.Diagnostics;
using System.Globalization;

namespace Dori.Tests.Support;

/// <summary>The program itself, in a process of its own.</summary>
internal sealed class DoriProcess(string[] args) : IDisposable
{
    private readonly Process _process =
        Process.Start(
        new ProcessStartInfo("dotnet",
        [Path.Combine(AppContext.BaseDirectory, "dori.dll"), .. args]) { RedirectStandardError = true })!;

    public int Wait()
    {
        string error = _process.StandardError.ReadToEnd();
        _process.WaitForExit();
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        return _process.ExitCode;
    }

    public bool HasExited => _process.HasExited;

    /// <returns>Whether it was still running.</returns>
    public bool KillAfter(TimeSpan time)
    {
        if (_process.WaitForExit(time)) return false;
        _process.Kill();
        _process.WaitForExit();
        return true;
    }

    /// <param name="name">As kill(1) has it: KILL, TERM, USR1.</param>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }
}
