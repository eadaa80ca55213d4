using System.Text;

namespace Dori;

/// <summary>
/// Files that appear whole or not at all: written beside their place, flushed to disk, renamed over it. What was there before stays
/// until then.
/// </summary>
internal static class AtomicFile
{
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: false);

    /// <param name="write">Writes the content. What it throws goes on to the caller; nothing is left behind then.</param>
    /// <exception cref="DoriException">The file cannot be written there: no such folder, no permission, disk full.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string full = FullPath(path);
        // Hidden and unique: a run that is killed leaves a file that no pattern such as *.json takes for a result.
        string temporary = Path.Combine(Path.GetDirectoryName(full)!, TemporaryName());
        try
        {
#pragma warning disable RS0030 // to write
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
#pragma warning restore RS0030
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e)
        {
            TryDelete(temporary);
            if (e is IOException or UnauthorizedAccessException) throw new DoriException($"cannot write {path}: {e.Message}", e);
            throw;
        }
    }

    /// <summary>Of a file beside others that nobody else makes and no pattern takes for one of them.</summary>
    internal static string TemporaryName() => $".{Guid.NewGuid():N}.tmp";

    internal static bool IsTemporary(string name) =>
        name is ['.', .., '.', 't', 'm', 'p'] && Guid.TryParseExact(name[1..^4], "N", out _);

    /// <summary>Text as it is written, UTF-8 without a byte order mark, lines ended by \n. The folder is made where it is
    /// missing.</summary>
    public static void WriteText(string path, Action<TextWriter> write)
    {
        MakeFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
        Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
            write(writer);
        });
    }

    /// <summary>Makes a folder to write into, where it is missing.</summary>
    /// <exception cref="DoriException">Nothing can be made there.</exception>
    public static void MakeFolder(string path)
    {
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            string why = e is DirectoryNotFoundException or FileNotFoundException ? "" : File.Exists(path) ? " (a file is in its place)"
                : $" ({e.Message})";
            throw new DoriException($"'{path}': no folder can be made there{why}; choose another with -o", e);
        }
    }

    /// <summary>UTF-8 without a byte order mark.</summary>
    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    public static void WriteText(string path, string text) => WriteBytes(path, s_utf8.GetBytes(text));

    /// <inheritdoc cref="Write(string, Action{Stream})"/>
    public static void WriteBytes(string path, ReadOnlySpan<byte> bytes)
    {
        byte[] copy = bytes.ToArray();
        Write(path, stream => stream.Write(copy));
    }

    private static string FullPath(string path)
    {
        try
        {
            string full = Path.GetFullPath(path);
            if (Path.GetFileName(full).Length == 0) throw new DoriException($"cannot write '{path}': it names no file");
            return full;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException or PathTooLongException)
        {
            throw new DoriException($"cannot write '{path}': not a path", e);
        }
    }

    private static void TryDelete(string path)
    {
        try { File.Delete(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { } // the first failure is the one to report
    }
}
