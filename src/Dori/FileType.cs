using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Dori;

/// <summary>
/// What kind of thing a path names, its links followed. .NET does not tell, and opening is no way to find out: opening a FIFO waits for
/// a writer.
/// </summary>
internal static partial class FileType
{
    private const int CurrentFolder = -100; // AT_FDCWD
    private const uint TypeAndSize = 0x201; // STATX_TYPE | STATX_SIZE
    private const int TypeMask = 0xF000;

    /// <returns>Null where it is a regular file, nothing at all, or the system does not say; else what it is, with its article.</returns>
    public static string? NotRegular(string path)
    {
        if (Directory.Exists(path)) return "a folder";
        if (Mode(path) is not { } mode) return null;
        return (mode & TypeMask) switch // S_IFMT, the same numbers on Linux and macOS
        {
            0x8000 => null,
            0x4000 => "a folder",
            0x1000 => "a FIFO (a named pipe)",
            0x2000 => "a device",
            0x6000 => "a disk's device",
            0xC000 => "a socket",
            _ => "neither a file nor a folder",
        };
    }

    private static int? Mode(string path)
    {
        try
        {
            Span<byte> status = stackalloc byte[256];
            if (OperatingSystem.IsLinux())
                return StatX(CurrentFolder, path, 0, TypeAndSize, status) == 0 ? Number(status[28..]) : null; // stx_mode
            if (OperatingSystem.IsMacOS())
                return Stat(path, status) == 0 ? Number(status[4..]) : null; // st_mode
            return null; // on Windows such things do not live in folders
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            return null;
        }
    }

    private static int Number(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, Span<byte> status);

    [LibraryImport("libc", EntryPoint = "stat", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(string path, Span<byte> status);
}
