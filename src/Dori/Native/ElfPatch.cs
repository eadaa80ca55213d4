using System.Buffers.Binary;
using static Dori.Native.ElfFile;

namespace Dori.Native;

/// <summary>Edits the dynamic linking tables of a 64-bit little-endian ELF file in memory (System V ABI, "Symbol Versioning").</summary>
internal static class ElfPatch
{
    private const ushort WeakFlag = 2; // VER_FLG_WEAK: a missing version is no error

    /// <summary>
    /// Marks the need for <paramref name="version"/> as weak and points the symbols bound to it at
    /// <paramref name="substitute"/>, a harmless function that the file imports already.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is not such an ELF file or lacks what is to be changed.</exception>
    public static void DropVersionNeed(Span<byte> file, string version, string substitute)
    {
        List<Section> sections = Sections(file);
        Section symbols = sections.Single(s => s.Type == DynSym);
        Section versions = sections.Single(s => s.Type == VerSym);
        Section needs = sections.Single(s => s.Type == VerNeed);
        int strings = sections[symbols.Link].Offset;

        ushort index = MarkWeak(file, needs, sections[needs.Link].Offset, version);
        int donor = -1;
        for (int i = 0; i < symbols.Size / SymbolSize; i++)
            if (Name(file, strings, U32(file, symbols.Offset + SymbolSize * i)) == substitute) donor = i;
        if (donor < 0) throw new InvalidDataException($"{substitute} is not imported");

        for (int i = 0; i < symbols.Size / SymbolSize; i++)
        {
            Span<byte> symbolVersion = file[(versions.Offset + 2 * i)..];
            if (BinaryPrimitives.ReadUInt16LittleEndian(symbolVersion) != index) continue;
            BinaryPrimitives.WriteUInt16LittleEndian(symbolVersion,
                BinaryPrimitives.ReadUInt16LittleEndian(file[(versions.Offset + 2 * donor)..]));
            uint name = U32(file, symbols.Offset + SymbolSize * donor);
            BinaryPrimitives.WriteUInt32LittleEndian(file[(symbols.Offset + SymbolSize * i)..], name);
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
}
