using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;

#pragma warning disable RS0030 // claims are made exclusively and renewed in place, which no other file is

namespace Dori.Audit;

/// <summary>
/// Who works at what in a run folder that several processes share. A claim is a file in <c>claims/</c> that only one of them can make; its
/// holder writes it again and again, and who finds one that was not written for the time of a lease takes its work over by making the
/// file of the next number, which again only one can. Time is the file system's: the clocks of machines may differ. Who takes over from a
/// holder that was only slow computes a unit twice, to the same bytes.
/// </summary>
internal sealed class RunClaims : IDisposable
{
    internal const string Folder = "claims";
    private const int RenewalsInALease = 6, PausesInALease = 120;
    private readonly string _folder;
    private readonly TimeSpan _lease;
    private readonly byte[] _holder;
    private readonly ConcurrentDictionary<string, byte> _held = new();
    private readonly Timer _renewal;
    private readonly Lock _gate = new();
    private DateTime _read;
    private Stopwatch? _since;

    /// <param name="lease">Longer than any pause of a process or its file system that is to be overlooked.</param>
    /// <param name="holder">Null: this process.</param>
    public RunClaims(string run, TimeSpan? lease = null, ClaimHolder? holder = null)
    {
        _folder = Path.Combine(run, Folder);
        _lease = lease ?? TimeSpan.FromMinutes(2);
        _holder = Encoding.UTF8.GetBytes((holder ?? ClaimHolder.Own).ToString());
        _renewal = new Timer(_ => Renew(), null, _lease / RenewalsInALease, _lease / RenewalsInALease);
    }

    /// <summary>Claims something that nobody holds, or whose holder is gone.</summary>
    /// <param name="name">A plain file name.</param>
    /// <returns>To be disposed of when it is done, or dropped; null where another holds it.</returns>
    /// <exception cref="DoriException">Nothing can be written there.</exception>
    public IDisposable? Take(string name)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                AtomicFile.MakeFolder(_folder);
                int last = Numbers(name).DefaultIfEmpty(0).Max();
                if (last > 0 && !IsAbandoned(PathOf(name, last))) return null;
                string own = PathOf(name, last + 1);
                if (!TryCreate(own)) return null;
                if (last > 0) TryDelete(PathOf(name, last));
                _held[own] = 0;
                return new Claim(this, own);
            }
            catch (DirectoryNotFoundException) when (attempt < 100) { } // another process tidied up between two lines here
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new DoriException($"cannot write {_folder}: {e.Message}", e);
            }
        }
    }

    /// <summary>Waits until a claim is to be had.</summary>
    /// <inheritdoc cref="Take"/>
    public IDisposable Wait(string name, CancellationToken cancellation)
    {
        while (true)
        {
            if (Take(name) is { } claim) return claim;
            Pause(cancellation);
        }
    }

    /// <summary>The time between two looks at what others hold.</summary>
    /// <exception cref="OperationCanceledException">An end was asked for.</exception>
    public void Pause(CancellationToken cancellation)
    {
        cancellation.WaitHandle.WaitOne(_lease / PausesInALease);
        cancellation.ThrowIfCancellationRequested();
    }

    private string PathOf(string name, int number) => Path.Combine(_folder, $"{name}~{number.ToString(CultureInfo.InvariantCulture)}");

    private IEnumerable<int> Numbers(string name) => Directory.EnumerateFiles(_folder, $"{name}~*")
        .Select(file => int.TryParse(file[(file.LastIndexOf('~') + 1)..], CultureInfo.InvariantCulture, out int number) ? number : 0);

    /// <summary>Whether a claim's holder is a process of this machine that has ended, or has not renewed it for a lease.</summary>
    private bool IsAbandoned(string path)
    {
        try
        {
            // Opened, since only then a network file system asks its server for the time.
            using FileStream stream = InputFile.Open(path, InputKind.Reference);
            using var reader = new StreamReader(stream);
            return ClaimHolder.Parse(reader.ReadToEnd()) is { IsDead: true }
                || Now() - File.GetLastWriteTimeUtc(stream.SafeFileHandle) > _lease;
        }
        catch (DoriException) { return false; } // given back meanwhile
    }

    /// <summary>The file system's clock: of a file that was written just now, or a little earlier and the time since.</summary>
    private DateTime Now()
    {
        lock (_gate)
        {
            if (_since is null || _since.Elapsed > _lease / RenewalsInALease)
            {
                string probe = Path.Combine(_folder, AtomicFile.TemporaryName());
                using (FileStream stream = Opened(probe, FileMode.CreateNew))
                {
                    WriteHolder(stream);
                    _read = File.GetLastWriteTimeUtc(stream.SafeFileHandle);
                }
                TryDelete(probe);
                _since = Stopwatch.StartNew();
            }
            return _read + _since.Elapsed;
        }
    }

    private bool TryCreate(string path)
    {
        const int exists = 17, existsOnWindows = 80; // EEXIST, ERROR_FILE_EXISTS
        try
        {
            using FileStream stream = Opened(path, FileMode.CreateNew);
            WriteHolder(stream);
            return true;
        }
        catch (IOException e) when ((e.HResult & 0xFFFF) is exists or existsOnWindows)
        {
            return false;
        }
    }

    private void Renew()
    {
        foreach (string path in _held.Keys)
        {
            try
            {
                using FileStream stream = Opened(path, FileMode.Open);
                WriteHolder(stream); // written, not touched: so the server sets the time and not this machine
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // taken over, or the next time will do
        }
    }

    private void WriteHolder(FileStream stream)
    {
        stream.Write(_holder);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Shared with all: .NET locks what it shares with nobody.</summary>
    private static FileStream Opened(string path, FileMode mode) =>
        new(path, mode, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);

    private static void TryDelete(string path)
    {
        try { File.Delete(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // its lease will run out
    }

    private void GiveBack(string path)
    {
        _held.TryRemove(path, out _);
        TryDelete(path);
    }

    /// <summary>Gives back what is still held, and takes the folder away where nothing is left in it.</summary>
    public void Dispose()
    {
        _renewal.Dispose();
        foreach (string path in _held.Keys) GiveBack(path);
        try { Directory.Delete(_folder, recursive: false); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // others are at work
    }

    private sealed class Claim(RunClaims claims, string path) : IDisposable
    {
        public void Dispose() => claims.GiveBack(path);
    }
}
