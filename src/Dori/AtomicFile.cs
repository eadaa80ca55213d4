using System.Text;

namespace Dori;

/// <summary>
/// Files that appear whole or not at all: written beside their place, flushed to disk, renamed over it. What was there before stays
/// until then.
/// </summary>
public static class AtomicFile
{
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: false);

    /// <param name="write">Writes the content. What it throws goes on to the caller; nothing is left behind then.</param>
    /// <exception cref="DoriException">The file cannot be written there: no such folder, no permission, disk full.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string full = FullPath(path);
        // Hidden and unique: a run that is killed leaves a file that no pattern such as *.json takes for a result.
        string temporary = Path.Combine(Path.GetDirectoryName(full)!, $".{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None))
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

    /// <summary>Text as it is written, UTF-8 without a byte order mark, lines ended by \n. The folder is made where it is missing.</summary>
    public static void WriteText(string path, Action<TextWriter> write)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true) { NewLine = "\n" };
            write(writer);
        });
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
