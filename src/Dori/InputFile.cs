using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Dori.Native;
using Microsoft.Win32.SafeHandles;

#pragma warning disable RS0030 // the one place that opens files to read

namespace Dori;

/// <summary>
/// Files that a stranger may have made are opened here and nowhere else (BannedSymbols.Files.txt holds that): only regular files, links
/// followed, and none that is larger than its kind may be. All errors are <see cref="DoriException"/>s of one line with the path.
/// </summary>
internal static class InputFile
{
    private const int LongestLine = 1_000_000;

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: true, throwOnInvalidBytes: true);

    /// <exception cref="DoriException">No such file, not a regular one, too large for its kind, or no permission.</exception>
    public static FileStream Open(string path, InputKind kind) => Guarded(path, kind, () =>
        new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read), stream => stream.Length);

    /// <summary>For reading at any place.</summary>
    /// <inheritdoc cref="Open"/>
    public static SafeFileHandle OpenHandle(string path, InputKind kind) => Guarded(path, kind, () =>
        File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read), RandomAccess.GetLength);

    /// <exception cref="DoriException">As <see cref="Open"/>, or the file changes while it is read.</exception>
    public static byte[] ReadBytes(string path, InputKind kind)
    {
        using FileStream stream = Open(path, kind);
        return Reading(path, () =>
        {
            var bytes = new byte[stream.Length];
            if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length || stream.ReadByte() >= 0)
                throw new DoriException($"{path}: changed while it was read; try again when nothing writes to it");
            GitLfs.RefusePointer(path, bytes);
            return bytes;
        });
    }

    /// <summary>UTF-8, with or without a byte order mark.</summary>
    /// <exception cref="DoriException">As <see cref="ReadBytes"/>, or not UTF-8.</exception>
    public static string ReadText(string path, InputKind kind) => Text(path, ReadBytes(path, kind));

    /// <summary>Lines of a UTF-8 text, without their ends, of at most a million characters each.</summary>
    /// <inheritdoc cref="ReadText"/>
    public static IEnumerable<string> ReadLines(string path, InputKind kind)
    {
        using FileStream stream = Open(path, kind);
        using var reader = new StreamReader(stream, s_strict, detectEncodingFromByteOrderMarks: false); // UTF-16 is no UTF-8
        Reading(path, () => RefusePointer(path, stream));
        long left = kind.Largest; // the system's own files say that they are empty
        while (Reading(path, () => ReadLine(path, reader)) is { } line)
        {
            if ((left -= line.Length + 1) < -1) throw TooLarge(path, kind, kind.Largest - left);
            yield return line;
        }
    }

    /// <summary>A JSON file as an object, read strictly (<see cref="StrictJson"/>).</summary>
    /// <exception cref="DoriException">As <see cref="ReadBytes"/>, or not such JSON: says where and why.</exception>
    /// <param name="what">As an error calls it: "a preset"; null: the kind's name.</param>
    public static T ReadJson<T>(string path, InputKind kind, JsonTypeInfo<T> type, string? what = null) where T : class =>
        StrictJson.Read(path, ReadBytes(path, kind), type, what ?? kind.Name);

    /// <summary>A JSON object whose members are merged over others, read as strictly.</summary>
    /// <inheritdoc cref="ReadJson"/>
    public static JsonObject ReadJsonObject(string path, InputKind kind) => StrictJson.Object(path, ReadBytes(path, kind), kind.Name);

    /// <returns>64 lower-case hexadecimal digits.</returns>
    /// <inheritdoc cref="Open"/>
    public static string Sha256(string path, InputKind kind)
    {
        using FileStream stream = Open(path, kind);
        return Reading(path, () => Convert.ToHexStringLower(SHA256.HashData(stream)));
    }

    /// <summary>As StreamReader's own, but it does not go on collecting where no end comes.</summary>
    private static string? ReadLine(string path, StreamReader reader)
    {
        var line = new StringBuilder();
        for (int c = reader.Read(); ; c = reader.Read())
        {
            if (c < 0) return line.Length > 0 ? line.ToString() : null;
            if (c == '\r' && reader.Peek() == '\n') c = reader.Read();
            if (c is '\r' or '\n') return line.ToString();
            if (line.Length == LongestLine) throw new DoriException($"{path}: has a line of more than {LongestLine} characters");
            line.Append((char)c);
        }
    }

    private static long RefusePointer(string path, FileStream stream)
    {
        Span<byte> start = stackalloc byte[GitLfs.Length];
        GitLfs.RefusePointer(path, start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)]);
        return stream.Seek(0, SeekOrigin.Begin);
    }

    private static string Text(string path, byte[] bytes)
    {
        try
        {
            ReadOnlySpan<byte> text = bytes;
            return s_strict.GetString(text.StartsWith("\uFEFF"u8) ? text[3..] : text);
        }
        catch (DecoderFallbackException e)
        {
            throw new DoriException($"{path}: is not UTF-8; save it as UTF-8", e);
        }
    }

    private static T Guarded<T>(string path, InputKind kind, Func<T> open, Func<T, long> length) where T : class, IDisposable
    {
        T? opened = null;
        try
        {
            if (path.Contains('\0', StringComparison.Ordinal))
                throw new DoriException($"cannot read '{path}': not a path, it holds a character of value 0");
            if (FileType.NotRegular(path) is { } what) throw new DoriException($"{path}: {what}; {kind.Name} must be a regular file");
            opened = open();
            return length(opened) is var bytes && bytes > kind.Largest ? throw TooLarge(path, kind, bytes) : opened;
        }
        catch (Exception e)
        {
            opened?.Dispose();
            throw Said(path, e);
        }
    }

    private static T Reading<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException e)
        {
            throw new DoriException($"{path}: is not UTF-8; save it as UTF-8", e);
        }
        catch (Exception e)
        {
            throw Said(path, e);
        }
    }

    private static Exception Said(string path, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => new DoriException($"{path}: no such file", e),
        UnauthorizedAccessException => new DoriException($"{path}: may not be read (no permission)", e),
        IOException or ArgumentException or NotSupportedException => new DoriException($"{path}: cannot be read: {e.Message}", e),
        _ => e,
    };

    private static DoriException TooLarge(string path, InputKind kind, long bytes) =>
        new($"{path}: {bytes} bytes are too many for {kind.Name}; at most {kind.Largest} are read");
}
