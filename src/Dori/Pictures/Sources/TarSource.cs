using System.Formats.Tar;
using Microsoft.Win32.SafeHandles;

namespace Dori.Pictures.Sources;

/// <summary>
/// A webdataset: uncompressed tars whose members of one name, up to the first dot, belong together. Each archive is walked once for its
/// captions and the pictures' places; nothing is ever unpacked to disk.
/// </summary>
internal sealed class TarSource : PictureSource
{
    private const int MostPictures = 5_000_000;
    private const long LargestPicture = 1L << 28;
    private const int Block = 512;

    private readonly List<(string Archive, TarMembers.Picture Picture)> _places;
    private readonly IReadOnlyList<string> _archives;

    private TarSource(string path, IReadOnlyList<string> archives, List<(string, TarMembers.Picture)> places,
        IReadOnlyList<SourcePicture> pictures, IReadOnlyList<string> notes, PictureReading reading)
        : base(path, pictures, notes, reading) =>
        (_archives, _places) = (archives, places);

    /// <param name="path">The archive, or the folder that the archives lie in.</param>
    /// <param name="archives">In the order of their pictures.</param>
    /// <param name="before">Notes of what led here.</param>
    public static TarSource Open(string path, IReadOnlyList<string> archives, IReadOnlyList<string> before, PictureReading reading)
    {
        var notes = new TarNotes();
        var places = new List<(string, TarMembers.Picture)>();
        var pictures = new List<SourcePicture>();
        DoriException? silent = null;
        foreach (string archive in archives)
        {
            TarMembers members = Walk(archive, reading);
            if (members.Count == 0) throw members.NoPictures();
            foreach ((string caption, TarMembers.Picture picture) in members.Captioned(notes))
            {
                places.Add((archive, picture));
                pictures.Add(new SourcePicture(
                    archives.Count == 1 ? picture.Name : $"{System.IO.Path.GetFileName(archive)}/{picture.Name}", caption));
            }
            silent ??= members.NoCaptions();
        }
        if (reading.Caption is null && pictures.All(picture => picture.Caption.Length == 0)) throw silent!;
        return new TarSource(path, archives, places, pictures, [.. before, .. notes.Sentences()], reading);
    }

    private static TarMembers Walk(string path, PictureReading reading)
    {
        try
        {
            using SafeFileHandle file = InputFile.OpenHandle(path, InputKind.Archive);
            CheckEnds(path, file);
            TarHeaders.Check(path, file);
            var members = new TarMembers(path, reading);
            using FileStream stream = InputFile.Open(path, InputKind.Archive);
            using var reader = new TarReader(stream);
            while (reader.GetNextEntry() is { } entry)
            {
                CheckHeader(path, file, entry);
                Take(path, entry, RandomAccess.GetLength(file), members);
            }
            return members;
        }
        catch (Exception e)
        {
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

    private static void Take(string path, TarEntry entry, long fileLength, TarMembers members)
    {
        if (entry.EntryType is TarEntryType.Directory or TarEntryType.GlobalExtendedAttributes) return;
        string name = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
        if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
            throw new DoriException($"{path}: {Shown(name)} is a {entry.EntryType}; only files belong into a webdataset");
        // Nothing is unpacked, but whoever unpacks this archive elsewhere would be harmed: its maker is not to be trusted.
        if (name.Length == 0 || !MetadataFolder.IsInside(name))
            throw new DoriException($"{path}: \"{Shown(name)}\" is not a path inside the archive");
        int dot = name.IndexOf('.', name.LastIndexOf('/') + 1);
        if (dot < 0) return;
        string extension = System.IO.Path.GetExtension(name).ToLowerInvariant(), key = name[..dot];
        int last = name.Length - extension.Length;
        string part = last > dot ? name[(dot + 1)..last] : "";
        if (extension is ".txt" or ".caption") members.AddText(key, part, name, Caption(path, name, entry));
        else if (PictureSet.Extensions.Contains(extension))
        {
            if (members.Count == MostPictures) throw new DoriException($"{path}: holds more than {MostPictures} pictures; split it");
            if (entry.Length is < 1 or > LargestPicture)
                throw new DoriException($"{path}: {Shown(name)} has {entry.Length} bytes; 1 to {LargestPicture} is possible");
            if (entry.DataOffset < 0 || entry.DataOffset > fileLength - entry.Length)
                throw new DoriException($"{path}: the archive is cut off in {Shown(name)}; fetch it again");
            members.AddPicture(new TarMembers.Picture(key, part, name, entry.DataOffset, (int)entry.Length));
        }
        else if (extension == ".json" && entry.Length is > 0 and <= CaptionText.Longest) members.AddJson(key, Bytes(entry));
        else members.AddOther(name);
    }

    private static (string Caption, bool More) Caption(string path, string name, TarEntry entry) =>
        entry.Length <= CaptionText.Longest ? CaptionText.Read(Bytes(entry), $"{path}: {Shown(name)}")
            : throw new DoriException($"{path}: {Shown(name)} is {entry.Length} bytes long; a caption has at most {CaptionText.Longest}");

    private static byte[] Bytes(TarEntry entry)
    {
        var bytes = new byte[entry.Length];
        entry.DataStream?.ReadExactly(bytes);
        return bytes;
    }

    public override byte[] Read(int index)
    {
        (string archive, TarMembers.Picture place) = _places[index];
        using SafeFileHandle file = InputFile.OpenHandle(archive, InputKind.Archive);
        var bytes = new byte[place.Length];
        for (int at = 0; at < bytes.Length;)
        {
            int read = RandomAccess.Read(file, bytes.AsSpan(at), place.Offset + at);
            if (read == 0) throw new DoriException($"{archive}: the archive has been cut off since it was opened");
            at += read;
        }
        return bytes;
    }

    public override string PlaceOf(int index) => $"{_places[index].Archive}: {Shown(_places[index].Picture.Name)}";

    public override string Sha256() => HashOf(_archives, InputKind.Archive);

    private static string Shown(string name) => Checkpoints.SafetensorsFile.Shown(name);
}
