namespace Dori.Audit;

/// <summary>A process, named so that another one on the same machine can tell whether it still runs.</summary>
/// <param name="Place">Machine and, on Linux, its boot and the namespace that process numbers are of; no blanks.</param>
/// <param name="Started">In the system's own ticks, which tell two processes of one number apart; empty where it does not say.</param>
internal sealed record ClaimHolder(string Place, int Process, string Started)
{
    private const string BootId = "/proc/sys/kernel/random/boot_id", PidNamespace = "/proc/self/ns/pid";

    public static ClaimHolder Own { get; } = new(OwnPlace(), Environment.ProcessId, StartOf(Environment.ProcessId) ?? "");

    /// <summary>One line, as it stands in a claim's file.</summary>
    public override string ToString() => $"{Place} {Process} {Started}\n";

    /// <returns>Null for what is no holder: a file that is just being written, or somebody else's.</returns>
    public static ClaimHolder? Parse(string line) =>
        line.TrimEnd('\n').Split(' ') is [{ Length: > 0 } place, var process, var started] && int.TryParse(process, out int number)
            ? new ClaimHolder(place, number, started) : null;

    /// <summary>Whether this holder was a process of this machine that has ended. False where that cannot be known from here.</summary>
    public bool IsDead => Place == Own.Place && Started.Length > 0 && StartOf(Process) != Started;

    private static string OwnPlace()
    {
        string machine = new([.. Environment.MachineName.Select(c => char.IsWhiteSpace(c) ? '-' : c)]);
        return OperatingSystem.IsLinux() && SystemText(BootId) is { } boot
            ? $"{machine}/{boot.Trim()}/{new FileInfo(PidNamespace).LinkTarget}" : machine;
    }

    /// <summary>When a process began, the 22nd field of proc(5)'s stat; null where none of this number runs, or the system has no
    /// such file.</summary>
    private static string? StartOf(int process) =>
        SystemText($"/proc/{process}/stat") is { } stat && stat.LastIndexOf(')') is > 0 and var name
        && stat[(name + 2)..].Split(' ') is { Length: > 19 } fields && fields[0] is not ("Z" or "X") ? fields[19] : null;

    private static string? SystemText(string file)
    {
        try { return File.Exists(file) ? string.Concat(InputFile.ReadLines(file, InputKind.System)) : null; }
        catch (DoriException) { return null; } // it has ended meanwhile
    }
}
