using System.Formats.Tar;
using System.Globalization;
using System.Text;
using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Audit;

/// <summary>
/// Draws pairs, and writes what is to be mixed into a training and what is to be kept from it. Nothing in the planted set depends on the
/// coins but which pictures are in it: names, order and times are the pairs', and every picture is encoded anew.
/// </summary>
internal static class CanaryMaker
{
    /// <summary>The planted set's folder; with <c>.tar</c> the same as a webdataset.</summary>
    public const string Planted = "planted";
    private static readonly DateTimeOffset s_time = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <param name="seed">64 hexadecimal digits from the operating system.</param>
    /// <exception cref="DoriException">Too few pictures, or none with a caption of its own.</exception>
    public static SealedCanaries Seal(PictureSet set, int pairs, IReadOnlyList<int> doses, CanaryProtocol protocol, string seed)
    {
        PictureItem[] items = [.. set.Items.DistinctBy(item => item.Sha256[0]).OrderBy(item => item.Id, StringComparer.Ordinal)];
        if (items.Length < 2 * pairs)
            throw new DoriException($"`Pairs`: {pairs} pairs take {2 * pairs} different pictures, and there are {items.Length}");
        SealedCanaries.Shuffle(items, RandomSource.For("canaries", seed, "pairs"));
        return new SealedCanaries(SealedCanaries.Current, seed, doses, [.. Enumerable.Range(0, pairs).Select(k => new CanaryPair(
            Of(items[2 * k], k, true), Of(items[2 * k + 1], k, false)))], protocol).WithDigest();

        static Canary Of(PictureItem item, int pair, bool a)
        {
            byte[] bytes = Encoded(item);
            return new Canary($"{SealedCanaries.IdOf(pair, a)}.png", Sha256Text.Of(bytes), item.Caption);
        }
    }

    private static byte[] Encoded(PictureItem item)
    {
        using var scope = torch.NewDisposeScope();
        return Picture.EncodePng(item.Picture(0));
    }

    /// <summary>Writes <c>sealed/</c> and <c>planted/</c>; the sealed file last.</summary>
    /// <param name="copies">Every showing is a file of its own; else a column says how many there are.</param>
    /// <returns>The sealed file's path.</returns>
    public static string Write(string folder, PictureSet set, SealedCanaries canaries, bool copies)
    {
        string sealedFolder = Path.Combine(folder, "sealed"), pictures = Path.Combine(sealedFolder, SealedCanaries.Pictures),
            planted = Path.Combine(folder, Planted), file = Path.Combine(sealedFolder, SealedCanaries.FileName);
        if (RunFolder.IsTaken(folder)) throw new DoriException($"{folder} is not empty; choose another folder with -o");
        AtomicFile.MakeFolder(pictures);
        AtomicFile.MakeFolder(planted);
        var bytes = new Dictionary<string, byte[]>();
        foreach (PictureItem item in set.Items)
        {
            byte[] png = Encoded(item);
            bytes.TryAdd(Sha256Text.Of(png), png);
        }
        foreach (Canary canary in canaries.Pairs.SelectMany(pair => new[] { pair.A, pair.B }))
            Put(Path.Combine(pictures, canary.File), bytes[canary.Sha256]);
        int[] doses = canaries.DosesOfPairs();
        var rows = new StringBuilder(copies ? "file_name,text\n" : "file_name,text,repeats\n");
        var files = new List<(string Name, byte[] Bytes)>();
        for (int k = 0; k < canaries.Pairs.Count; k++)
        {
            Canary canary = canaries.Planted(k);
            for (int copy = 0; copy < (copies ? doses[k] : 1); copy++)
            {
                string name = copies ? $"canary-{k:0000}-{copy:0000}" : $"canary-{k:0000}";
                Put(Path.Combine(planted, name + ".png"), bytes[canary.Sha256]);
                string caption = canary.Caption.Replace("\"", "\"\"", StringComparison.Ordinal);
                rows.Append(CultureInfo.InvariantCulture, $"{name}.png,\"{caption}\"{(copies ? "" : $",{doses[k]}")}\n");
                files.Add((name + ".png", bytes[canary.Sha256]));
                files.Add((name + ".txt", Encoding.UTF8.GetBytes(canary.Caption)));
                if (!copies) files.Add((name + ".json", Encoding.UTF8.GetBytes($"{{\"repeats\": {doses[k]}}}")));
            }
        }
        Put(Path.Combine(planted, "metadata.csv"), Encoding.UTF8.GetBytes(rows.ToString()));
        AtomicFile.Write(Path.Combine(folder, Planted + ".tar"), stream => WriteTar(stream, files));
        AtomicFile.WriteText(file, canaries.ToJson());
        return file;
    }

    private static void WriteTar(Stream stream, IEnumerable<(string Name, byte[] Bytes)> files)
    {
        using var writer = new TarWriter(stream, TarEntryFormat.Ustar, leaveOpen: true);
        foreach ((string name, byte[] bytes) in files)
            writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name)
            {
                ModificationTime = s_time, DataStream = new MemoryStream(bytes),
            });
    }

    private static void Put(string path, byte[] bytes)
    {
        AtomicFile.WriteBytes(path, bytes);
        File.SetLastWriteTimeUtc(path, s_time.UtcDateTime);
    }
}
