using System.Buffers.Binary;
using System.Text;

namespace Dori.Native;

/// <summary>Edits the dynamic linking tables of a 64-bit little-endian ELF file in memory (System V ABI, "Symbol Versioning").</summary>
internal static class ElfPatch
{
    private const uint DynSym = 11, VerNeed = 0x6ffffffe, VerSym = 0x6fffffff;
    private const ushort WeakFlag = 2; // VER_FLG_WEAK: a missing version is no error

    private readonly record struct Section(uint Type, int Offset, int Size, int Link);

    /// <summary>
    /// Marks the need for <paramref name="version"/> as weak and points the symbols bound to it at
    /// <paramref name="substitute"/>, a harmless function that the file imports already.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is not such an ELF file or lacks what is to be changed.</exception>
    public static void DropVersionNeed(Span<byte> file, string version, string substitute)
    {
        if (file.Length < 64 || !file[..4].SequenceEqual("\u007fELF"u8) || file[4] != 2 || file[5] != 1)
            throw new InvalidDataException("not a 64-bit little-endian ELF file");
        List<Section> sections = Sections(file);
        Section symbols = sections.Single(s => s.Type == DynSym);
        Section versions = sections.Single(s => s.Type == VerSym);
        Section needs = sections.Single(s => s.Type == VerNeed);
        int strings = sections[symbols.Link].Offset;

        ushort index = MarkWeak(file, needs, sections[needs.Link].Offset, version);
        int donor = -1;
        for (int i = 0; i < symbols.Size / 24; i++)
            if (Name(file, strings, U32(file, symbols.Offset + 24 * i)) == substitute) donor = i;
        if (donor < 0) throw new InvalidDataException($"{substitute} is not imported");

        for (int i = 0; i < symbols.Size / 24; i++)
        {
            Span<byte> symbolVersion = file[(versions.Offset + 2 * i)..];
            if (BinaryPrimitives.ReadUInt16LittleEndian(symbolVersion) != index) continue;
            BinaryPrimitives.WriteUInt16LittleEndian(symbolVersion,
                BinaryPrimitives.ReadUInt16LittleEndian(file[(versions.Offset + 2 * donor)..]));
            BinaryPrimitives.WriteUInt32LittleEndian(file[(symbols.Offset + 24 * i)..], U32(file, symbols.Offset + 24 * donor));
        }
    }

    private static ushort MarkWeak(Span<byte> file, Section needs, int strings, string version)
    {
        for (int need = needs.Offset; ;)
        {
            int count = U16(file, need + 2), auxiliary = need + (int)U32(file, need + 8);
            for (int i = 0; i < count; i++, auxiliary += (int)U32(file, auxiliary + 12))
            {
                if (Name(file, strings, U32(file, auxiliary + 8)) != version) continue;
                BinaryPrimitives.WriteUInt16LittleEndian(file[(auxiliary + 4)..], (ushort)(U16(file, auxiliary + 4) | WeakFlag));
                return U16(file, auxiliary + 6);
            }
            int next = (int)U32(file, need + 12);
            if (next == 0) throw new InvalidDataException($"{version} is not needed");
            need += next;
        }
    }

    private static List<Section> Sections(ReadOnlySpan<byte> file)
    {
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

    private static string Name(ReadOnlySpan<byte> file, int strings, uint offset)
    {
        ReadOnlySpan<byte> rest = file[(strings + (int)offset)..];
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    private static ushort U16(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt16LittleEndian(file[at..]);
    private static uint U32(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt32LittleEndian(file[at..]);
    private static ulong U64(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt64LittleEndian(file[at..]);
}
