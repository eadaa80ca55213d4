using System.Globalization;

namespace Dori.Native;

/// <summary>What this process holds of the machine's memory.</summary>
internal static class HostMemory
{
    private const string Status = "/proc/self/status";

    /// <returns>Bytes that the process holds at most while something runs, above what it held before; 0 where the system does not
    /// say.</returns>
    public static long Peak(Action action)
    {
        bool known = Reset();
        long before = known ? Value("VmRSS:") : 0;
        action();
        return known ? Math.Max(0, Value("VmHWM:") - before) : 0;
    }

    /// <summary>The peak begins anew (proc(5), clear_refs).</summary>
    private static bool Reset()
    {
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static long Value(string name)
    {
        string line = InputFile.ReadLines(Status, InputKind.System).First(l => l.StartsWith(name, StringComparison.Ordinal));
        return 1024 * long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
