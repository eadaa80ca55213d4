using System.Buffers.Binary;
using System.Text;

namespace Dori.Tests.Support;

/// <summary>
/// A shared library without a compiler: 64-bit x86 ELF that exports names and does nothing. Its functions must not be called.
/// </summary>
internal static class StubLibrary
{
    private const int Header = 64, Segment = 56, Segments = 3, Symbol = 24;

    public static void Write(string path, string name, IReadOnlyList<string> exports)
    {
        var strings = new MemoryStream();
        strings.WriteByte(0);
        uint[] names = [.. exports.Prepend(name).Select(text => Add(strings, text))];
        int symbols = Header + Segments * Segment, count = exports.Count + 1;
        int hash = symbols + count * Symbol, text = hash + 4 * (3 + count), dynamic = (text + (int)strings.Length + 7) / 8 * 8;
        (long Tag, long Value)[] entries = // DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_SONAME, DT_NULL
            [(4, hash), (5, text), (6, symbols), (10, strings.Length), (11, Symbol), (14, names[0]), (0, 0)];
        byte[] file = new byte[dynamic + 16 * entries.Length];
        Span<byte> span = file;

        // ELF, 64 bits, little-endian, version 1; a shared object for x86-64
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(span);
        U16(span, 16, 3); U16(span, 18, 62); U32(span, 20, 1); U64(span, 32, Header);
        U16(span, 52, Header); U16(span, 54, Segment); U16(span, 56, Segments); U16(span, 58, 64);
        Part(span, 0, type: 1, 0, file.Length, 0x1000); // PT_LOAD: all of it
        Part(span, 1, type: 2, dynamic, 16 * entries.Length, 8); // PT_DYNAMIC
        Part(span, 2, type: 0x6474e551, 0, 0, 16); // PT_GNU_STACK: no code on the stack

        for (int i = 1; i < count; i++)
        {
            int at = symbols + i * Symbol;
            U32(span, at, names[i]); span[at + 4] = 0x12; U16(span, at + 6, 1); U64(span, at + 8, symbols); // a global function, somewhere
        }
        U32(span, hash, 1); U32(span, hash + 4, (uint)count); U32(span, hash + 8, count > 1 ? 1u : 0); // one bucket: a chain of all
        for (int i = 1; i < count; i++) U32(span, hash + 12 + 4 * i, (uint)(i + 1 < count ? i + 1 : 0));
        strings.ToArray().CopyTo(span[text..]);
        for (int i = 0; i < entries.Length; i++)
        {
            U64(span, dynamic + 16 * i, entries[i].Tag);
            U64(span, dynamic + 16 * i + 8, entries[i].Value);
        }
        File.WriteAllBytes(path, file);
    }

    private static uint Add(MemoryStream strings, string text)
    {
        uint at = (uint)strings.Length;
        strings.Write(Encoding.ASCII.GetBytes(text + "\0"));
        return at;
    }

    /// <summary>A segment that is read and written where it lies in the file.</summary>
    private static void Part(Span<byte> file, int index, uint type, long offset, long size, long alignment)
    {
        int at = Header + index * Segment;
        U32(file, at, type); U32(file, at + 4, 6);
        foreach ((int to, long value) in new[] { (8, offset), (16, offset), (24, offset), (32, size), (40, size), (48, alignment) })
            U64(file, at + to, value);
    }

    private static void U16(Span<byte> file, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file[at..], value);
    private static void U32(Span<byte> file, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file[at..], value);
    private static void U64(Span<byte> file, int at, long value) => BinaryPrimitives.WriteInt64LittleEndian(file[at..], value);
}
