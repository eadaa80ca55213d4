using System.Buffers.Binary;
using System.Text;

namespace Dori.Native;

/// <summary>Reads the dynamic linking tables of a 64-bit little-endian ELF file in memory (System V ABI, "Symbol Versioning").</summary>
internal static class ElfFile
{
    public const uint DynSym = 11, VerNeed = 0x6ffffffe, VerSym = 0x6fffffff;
    /// <summary>Of one symbol's entry in its table.</summary>
    public const int SymbolSize = 24;
    private const int GlobalBinding = 1; // STB_GLOBAL: one that must be found, unlike a weak one
    private const ushort Unversioned = 1; // VER_NDX_LOCAL or VER_NDX_GLOBAL: linkers write the one or the other

    internal readonly record struct Section(uint Type, int Offset, int Size, int Link);

    /// <summary>
    /// Names of the symbols that the file asks others for without naming a version. libtorch's have none; the C and C++ libraries' have
    /// one, and their versions are the loader's business.
    /// </summary>
    /// <exception cref="InvalidDataException">It is not such an ELF file.</exception>
    public static IReadOnlyList<string> UnversionedImports(ReadOnlySpan<byte> file)
    {
        List<Section> sections = Sections(file);
        Section symbols = sections.Single(s => s.Type == DynSym), versions = sections.Single(s => s.Type == VerSym);
        int strings = sections[symbols.Link].Offset;
        var names = new List<string>();
        for (int i = 1; i < symbols.Size / SymbolSize; i++) // the first is no symbol
        {
            int at = symbols.Offset + SymbolSize * i;
            bool isDefined = U16(file, at + 6) != 0;
            if (isDefined || file[at + 4] >> 4 != GlobalBinding || U16(file, versions.Offset + 2 * i) > Unversioned) continue;
            names.Add(Name(file, strings, U32(file, at)));
        }
        return names;
    }

    /// <exception cref="InvalidDataException">It is not such an ELF file.</exception>
    public static List<Section> Sections(ReadOnlySpan<byte> file)
    {
        if (file.Length < 64 || !file[..4].SequenceEqual("\u007fELF"u8) || file[4] != 2 || file[5] != 1)
            throw new InvalidDataException("not a 64-bit little-endian ELF file");
        int table = checked((int)U64(file, 40)), size = U16(file, 58), count = U16(file, 60);
        var sections = new List<Section>(count);
        for (int i = 0; i < count; i++)
        {
            int at = table + i * size;
            sections.Add(
                new Section(U32(file, at + 4), checked((int)U64(file, at + 24)), checked((int)U64(file, at + 32)),
                (int)U32(file, at + 40)));
        }
        return sections;
    }

    public static string Name(ReadOnlySpan<byte> file, int strings, uint offset)
    {
        ReadOnlySpan<byte> rest = file[(strings + (int)offset)..];
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    public static ushort U16(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt16LittleEndian(file[at..]);
    public static uint U32(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt32LittleEndian(file[at..]);
    public static ulong U64(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt64LittleEndian(file[at..]);
}
