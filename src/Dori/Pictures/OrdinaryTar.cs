using System.Formats.Tar;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Dori.Pictures;

/// <summary>
/// A webdataset: an uncompressed tar whose members of one name, up to the extension, belong together. The archive is walked once for its
/// captions and the pictures' places; nothing is ever unpacked to disk.
/// </summary>
internal sealed class OrdinaryTar : IOrdinarySource
{
    private const int MostPairs = 5_000_000;
    private const long LongestCaption = 1 << 16, LargestPicture = 1L << 28;
    private const int Block = 512;
    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly OrdinaryTarMembers.Picture[] _pictures;

    private OrdinaryTar(string path, SafeFileHandle file, OrdinaryTarMembers members)
    {
        (_path, _file) = (path, file);
        (string Caption, OrdinaryTarMembers.Picture Picture)[] pairs = [.. members.Captioned()];
        if (pairs.Length == 0) throw members.NoPairs();
        _pictures = [.. pairs.Select(pair => pair.Picture)];
        Captions = [.. pairs.Select(pair => pair.Caption)];
        Warnings = [.. OrdinaryFolder.WithoutCaption(members.Silent())];
    }

    public IReadOnlyList<string> Warnings { get; }

    public IReadOnlyList<string> Captions { get; }

    public static OrdinaryTar Open(string path)
    {
        SafeFileHandle? file = null;
        try
        {
            file = InputFile.OpenHandle(path, InputKind.Archive);
            CheckEnds(path, file);
            TarHeaders.Check(path, file);
            var members = new OrdinaryTarMembers(path);
            var keys = new HashSet<string>(StringComparer.Ordinal);
            using (FileStream stream = InputFile.Open(path, InputKind.Archive))
            using (var reader = new TarReader(stream))
                while (reader.GetNextEntry() is { } entry)
                {
                    CheckHeader(path, file, entry);
                    Take(path, entry, RandomAccess.GetLength(file), members, keys);
                }
            return new OrdinaryTar(path, file, members);
        }
        catch (Exception e)
        {
            file?.Dispose();
            throw e switch
            {
                EndOfStreamException => new DoriException($"{path}: the archive is cut off; fetch it again", e),
                // TarReader's checks of headers and numbers
                InvalidDataException or FormatException or OverflowException or ArgumentException or NotSupportedException
                    or InvalidOperationException or IndexOutOfRangeException =>
                        new DoriException($"{path}: not a tar archive, or damaged: {e.Message}", e),
                IOException or UnauthorizedAccessException => new DoriException($"{path}: cannot be read: {e.Message}", e),
                _ => e,
            };
        }
    }

    /// <summary>
    /// A tar ends with blocks of zeros, and the reader takes an archive without them for whole: cut between two members, it would only look
    /// shorter.
    /// </summary>
    private static void CheckEnds(string path, SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        Span<byte> block = stackalloc byte[Block];
        if (length >= 2 && RandomAccess.Read(file, block[..2], 0) == 2 && block[0] == 0x1f && block[1] == 0x8b)
            throw new DoriException($"{path}: a compressed archive; unpack it with gunzip, since pictures are read from any place of it");
        GitLfs.RefusePointer(path, block[..Math.Max(0, RandomAccess.Read(file, block, 0))]);
        if (length < 2 * Block) throw new DoriException($"{path}: not a tar archive");
        if (length % Block != 0 || RandomAccess.Read(file, block, length - Block) != Block || block.ContainsAnyExcept((byte)0))
            throw new DoriException($"{path}: the archive is cut off (it does not end with zeros), or not a tar archive; fetch it again");
    }

    /// <summary>The header's checksum, which .NET's reader does not look at: the sum of its bytes, its own eight counted as
    /// blanks.</summary>
    private static void CheckHeader(string path, SafeFileHandle file, TarEntry entry)
    {
        const int checksumAt = 148, checksumLength = 8;
        Span<byte> header = stackalloc byte[Block];
        if (entry.DataOffset < Block) return; // a member without data has no place to look at
        if (RandomAccess.Read(file, header, entry.DataOffset - Block) == Block)
        {
            header.Slice(checksumAt, checksumLength).Fill((byte)' ');
            int sum = 0;
            foreach (byte b in header) sum += b;
            if (sum == entry.Checksum) return;
        }
        throw new DoriException(
            $"{path}: not a tar archive, or damaged: the header of {Shown(entry.Name)} has another checksum than it says; fetch it again");
    }

    private static void Take(string path, TarEntry entry, long fileLength, OrdinaryTarMembers members, HashSet<string> keys)
    {
        if (entry.EntryType is TarEntryType.Directory or TarEntryType.GlobalExtendedAttributes) return;
        string name = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
        if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
            throw new DoriException($"{path}: {Shown(name)} is a {entry.EntryType}; only files belong into a webdataset");
        // Nothing is unpacked, but whoever unpacks this archive elsewhere would be harmed: its maker is not to be trusted.
        if (name.Length == 0 || name[0] == '/' || name.Contains('\\', StringComparison.Ordinal)
            || name.Contains(':', StringComparison.Ordinal) || name.Split('/').Any(part => part is "" or "." or ".."))
            throw new DoriException($"{path}: \"{Shown(name)}\" is not a path inside the archive");
        int dot = name.IndexOf('.', name.LastIndexOf('/') + 1);
        if (dot < 0) return;
        (string key, string extension) = (name[..dot], name[dot..].ToLowerInvariant());
        if (extension == ".txt")
        {
            if (!members.AddText(key, Caption(path, name, entry))) throw new DoriException($"{path}: {Shown(name)} is there twice");
        }
        else if (PictureSet.Extensions.Contains(extension))
        {
            if (!keys.Add(key)) throw new DoriException($"{path}: {Shown(key)} has two pictures");
            if (members.Pictures.Count == MostPairs) throw new DoriException($"{path}: holds more than {MostPairs} pictures; split it");
            if (entry.Length is < 1 or > LargestPicture)
                throw new DoriException($"{path}: {Shown(name)} has {entry.Length} bytes; 1 to {LargestPicture} is possible");
            if (entry.DataOffset < 0 || entry.DataOffset > fileLength - entry.Length)
                throw new DoriException($"{path}: the archive is cut off in {Shown(name)}; fetch it again");
            members.Pictures.Add(new OrdinaryTarMembers.Picture(key, name, entry.DataOffset, (int)entry.Length));
        }
        else if (extension == ".json" && entry.Length is > 0 and <= LongestCaption) members.AddJson(key, Bytes(entry));
        else members.AddOther(name);
    }

    private static string Caption(string path, string name, TarEntry entry)
    {
        if (entry.Length > LongestCaption)
            throw new DoriException($"{path}: {Shown(name)} is {entry.Length} bytes long; a caption has at most {LongestCaption}");
        try
        {
            return s_strict.GetString(Bytes(entry)).Trim();
        }
        catch (DecoderFallbackException e)
        {
            throw new DoriException($"{path}: {Shown(name)} is not UTF-8", e);
        }
    }

    private static byte[] Bytes(TarEntry entry)
    {
        var bytes = new byte[entry.Length];
        entry.DataStream?.ReadExactly(bytes);
        return bytes;
    }

    public byte[] Read(int index)
    {
        OrdinaryTarMembers.Picture place = _pictures[index];
        var bytes = new byte[place.Length];
        for (int at = 0; at < bytes.Length;)
        {
            int read = RandomAccess.Read(_file, bytes.AsSpan(at), place.Offset + at);
            if (read == 0) throw new DoriException($"{_path}: the archive has been cut off since it was opened");
            at += read;
        }
        return bytes;
    }

    public string NameOf(int index) => $"{_path}: {Shown(_pictures[index].Name)}";

    public string Sha256() => InputFile.Sha256(_path, InputKind.Archive);

    public void Dispose() => _file.Dispose();

    private static string Shown(string name) => name.Length <= 120 ? name : name[..120] + "...";
}
