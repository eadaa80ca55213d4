using System.Diagnostics;
using System.Runtime.InteropServices;
using Spectre.Console;

namespace Dori.Cli;

/// <summary>What every verb may touch of the world outside: consoles, clock, interruption, the command line as typed.</summary>
internal sealed class Shell(IAnsiConsole console, TextWriter output, TextWriter error, string commandLine, CancellationToken interrupted)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private LiveLine? _live;

    public PrintableConsole Console { get; } = new(console);
    /// <summary>Results for programs: JSON, which escapes what is not ASCII.</summary>
    public TextWriter Output { get; } = output;
    /// <summary>Warnings, and progress where nobody looks at a terminal.</summary>
    public TextWriter Error { get; } = new PrintableWriter(error);
    /// <summary>How far something is; closed before anything else is said on standard error.</summary>
    public LiveLine Live => _live ??= new LiveLine(Error, () => IsTerminal ? Console.Profile.Width : null, Elapsed);
    public CancellationToken Interrupted { get; } = interrupted;
    public string CommandLine { get; } = commandLine;
    public TimeSpan Elapsed() => _clock.Elapsed;
    private bool IsTerminal => Console.Profile.Out.IsTerminal && Console.Profile.Capabilities.Interactive;

    /// <summary>One line on standard error.</summary>
    public void Say(string line)
    {
        Live.Close();
        Error.WriteLine($"dori: {Flags.In(line)}");
    }

    /// <summary>One line each on standard error, whatever <c>--quiet</c> says.</summary>
    public void Warn(IEnumerable<string> sentences)
    {
        foreach (string sentence in sentences) Say($"warning: {sentence}");
    }

    /// <summary>What a run tells is said on standard error: warnings whatever <c>--quiet</c> says.</summary>
    public RunWatch Watch(CommonSettings settings) => new()
    {
        Warn = sentence => Warn([sentence]),
        Say = line => { if (!settings.Quiet) Say(line); },
        Progress = settings.Quiet ? _ => { } : progress => Live.Show(ProgressLine.Of(progress), progress.Share),
        Cancellation = Interrupted,
    };

    /// <summary>The built-in model: beside the program, or in a checkout that the program runs in.</summary>
    public static string BuiltInModel
    {
        get
        {
            string path = Path.Combine(AppContext.BaseDirectory, "models", "emoji");
            return Directory.Exists(path) ? path : throw new DoriException($"{path}: the built-in model is missing from this installation");
        }
    }
}

/// <summary>
/// Ctrl-C, a polite kill and what batch systems send before a time limit (SIGUSR1): the first asks for an end, a second one is not held
/// back.
/// </summary>
internal sealed class Interruption : IDisposable
{
    private const PosixSignal User1OnLinux = (PosixSignal)10, User1OnMac = (PosixSignal)30;
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;

    public Interruption() => _signals =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
        .. OperatingSystem.IsWindows() ? Array.Empty<PosixSignalRegistration>()
            : [PosixSignalRegistration.Create(OperatingSystem.IsMacOS() ? User1OnMac : User1OnLinux, Handle)],
    ];

    public CancellationToken Token => _source.Token;

    private void Handle(PosixSignalContext context)
    {
        if (_source.IsCancellationRequested) return;
        context.Cancel = true;
        _source.Cancel();
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in _signals) signal.Dispose();
        _source.Dispose();
    }
}
