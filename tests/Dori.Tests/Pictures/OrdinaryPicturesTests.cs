using System.Formats.Tar;
using System.Text;
using Dori.Audit;
using Dori.Pictures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Pictures;

public sealed class OrdinaryPicturesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-ordinary-").FullName;

    private string Archive => Path.Combine(_folder, "pairs.tar");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static byte[] Png(string name)
    {
        using Tensor picture = (Golden.Hashed(name, 3, 4, 6) + 1) / 2;
        return Picture.EncodePng(picture);
    }

    private string Write(params (string Name, byte[] Data)[] members)
    {
        using (var stream = new FileStream(Archive, FileMode.Create))
        using (var writer = new TarWriter(stream, TarEntryFormat.Ustar))
            foreach ((string name, byte[] data) in members)
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(data) });
        return Archive;
    }

    private (string, byte[])[] Two =>
        [("00000.png", Png("a")), ("00000.txt", "a cat"u8.ToArray()), ("sub/00001.txt", " ünï \n"u8.ToArray()),
        ("sub/00001.png", Png("b")), ("sub/00001.json", "{}"u8.ToArray()), ("README", "x"u8.ToArray())];

    private string Refusal() => Assert.Throws<DoriException>(() => OrdinaryPictures.Load(Archive)).Message;

    [Fact]
    public void Pairs_in_the_archives_order()
    {
        using var scope = NewDisposeScope();
        OrdinaryPictures pairs = OrdinaryPictures.Load(Write(Two));
        Assert.Equal(["a cat", "ünï"], pairs.Captions);
        Assert.Equal(2, pairs.Count);
        Assert.Equal(Png("b"), pairs.Bytes(1));
        Assert.Equal([3, 4, 6], pairs.Picture(0).shape);
        Assert.Equal([3, 4, 4], pairs.Picture(0, 4).shape);
        Assert.Throws<ArgumentOutOfRangeException>(() => pairs.Bytes(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => pairs.Bytes(-1));
        OrdinaryPictures one = OrdinaryPictures.Load(Archive, 1);
        Assert.Equal(["a cat"], one.Captions);
        Assert.Equal(pairs.Sha256, one.Sha256);
        Assert.Throws<ArgumentOutOfRangeException>(() => one.Bytes(1));
    }

    [Fact]
    public void Built_in_archive()
    {
        using var scope = NewDisposeScope();
        OrdinaryPictures pairs = OrdinaryPictures.Load(Path.Combine(Golden.EmojiModel, "ordinary.tar"));
        Assert.Equal(1500, pairs.Count);
        Assert.Equal(("cupcake", "pine decoration and scientist"), (pairs.Captions[0], pairs.Captions[1]));
        Assert.Equal([3, 64, 64], pairs.Picture(1499).shape);
    }

    [Fact]
    public void A_folder_gives_the_same_pairs()
    {
        File.WriteAllBytes(Path.Combine(_folder, "a.png"), Png("a"));
        string csv = Path.Combine(_folder, "metadata.csv");
        File.WriteAllText(csv, "file_name,text\na.png,a cat\n");
        {
            OrdinaryPictures pairs = OrdinaryPictures.Load(_folder);
            Assert.Equal(["a cat"], pairs.Captions);
            Assert.Equal(Png("a"), pairs.Bytes(0));
        }
        File.WriteAllText(csv, "file_name,text,kind\na.png,a cat,verbatim\n");
        Assert.Contains("memorized", Assert.Throws<DoriException>(() => OrdinaryPictures.Load(_folder)).Message, StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(_folder, "b.png"), Png("b"));
        File.WriteAllText(csv, "file_name,text\na.png,a cat\nb.png,\n");
        {
            OrdinaryPictures pairs = OrdinaryPictures.Load(_folder);
            Assert.Equal(["a cat"], pairs.Captions);
            Assert.Contains("1 ordinary pictures without a caption are left out: b.png.", pairs.Warnings);
        }
        File.WriteAllText(csv, "file_name,text\na.png,\n");
        Assert.Contains("none of its pictures has a caption", Assert.Throws<DoriException>(() => OrdinaryPictures.Load(_folder)).Message,
            StringComparison.Ordinal);
        Assert.Contains("no such file", Assert.Throws<DoriException>(() => OrdinaryPictures.Load(_folder + ".tar")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Cut_at_any_place_is_refused()
    {
        byte[] whole = File.ReadAllBytes(Write(Two));
        int refused = 0;
        for (int length = 0; length < whole.Length - 512; length += 64) // only the very last block of zeros may be missing
        {
            File.WriteAllBytes(Archive, whole[..length]);
            Assert.NotEmpty(Refusal());
            refused++;
        }
        Assert.True(refused > 60);
        File.WriteAllBytes(Archive, [.. whole[..1024], .. new byte[1024]]); // sound, but without the captions
        Assert.Contains("has no caption: 00000.txt", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_picture_or_caption_that_is_not_whole()
    {
        Write(("a.png", Png("a")));
        Assert.Contains("a.png has no caption: a.txt is missing", Refusal(), StringComparison.Ordinal);
        Write(("a.txt", "t"u8.ToArray()));
        Assert.Contains("holds no pictures", Refusal(), StringComparison.Ordinal);
        Write(("a.png", Png("a")), ("a.txt", "t"u8.ToArray()), ("a.txt", "u"u8.ToArray()));
        Assert.Contains("a.txt is there twice", Refusal(), StringComparison.Ordinal);
        Write(("a.png", Png("a")), ("a.jpg", Png("a")), ("a.txt", "t"u8.ToArray()));
        Assert.Contains("a has two pictures", Refusal(), StringComparison.Ordinal);
        Write(("a.png", Png("a")), ("a.txt", " \n"u8.ToArray()));
        Assert.Contains("a.txt is empty", Refusal(), StringComparison.Ordinal);
        Write(("a.png", Png("a")), ("a.txt", [0xC3, 0x28]));
        Assert.Contains("a.txt: is not UTF-8 (byte 0xC3 at 0)", Refusal(), StringComparison.Ordinal);
        Write(("a.png", Png("a")), ("a.txt", Encoding.UTF8.GetBytes(new string('x', 70_000))));
        Assert.Contains("70000 bytes", Refusal(), StringComparison.Ordinal);
        Write(("a.png", []), ("a.txt", "t"u8.ToArray()));
        Assert.Contains("0 bytes", Refusal(), StringComparison.Ordinal);
        Write(("a.png", "no picture"u8.ToArray()), ("a.txt", "t"u8.ToArray()));
        OrdinaryPictures pairs = OrdinaryPictures.Load(Archive);
        Assert.Contains("a.png: not a picture", Assert.Throws<DoriException>(() => pairs.Picture(0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Captions_in_json_count_and_pictures_without_any_are_left_out_by_name()
    {
        byte[] png = Png("a");
        Write(("0.png", png), ("0.json", """{"prompt": "a square"}"""u8.ToArray()), ("1.png", png), ("1.json", "[1"u8.ToArray()),
            ("2.png", png), ("2.txt", " "u8.ToArray()),
            ("3.json", """{"caption": "of the json"}"""u8.ToArray()), ("3.png", png), ("3.txt", "of the text"u8.ToArray()));
        OrdinaryPictures pairs = OrdinaryPictures.Load(Archive);
        Assert.Equal(["a square", "of the text"], pairs.Captions);
        Assert.Equal("2 ordinary pictures without a caption are left out: 1.png, 2.png.", Assert.Single(pairs.Warnings));
        Assert.Equal(png, pairs.Bytes(1));
    }

    [Fact]
    public void Names_of_two_parts_go_together_where_only_one_is_a_picture()
    {
        Write(("s0.input.png", Png("a")), ("s0.outputs.txt", "a cat"u8.ToArray()));
        OrdinaryPictures pairs = OrdinaryPictures.Load(Archive);
        Assert.Equal(["a cat"], pairs.Captions);
        Assert.Contains("names of two parts", Assert.Single(pairs.Warnings), StringComparison.Ordinal);
        Write(("s0.input.png", Png("a")), ("s0.output.png", Png("b")), ("s0.txt", "a cat"u8.ToArray()));
        Assert.Contains("s0 has several pictures", Refusal(), StringComparison.Ordinal);
        Write(("s0.png", Png("a")), ("s0.mask.png", Png("b")), ("s0.txt", "a cat"u8.ToArray()));
        pairs = OrdinaryPictures.Load(Archive);
        Assert.Equal(Png("a"), pairs.Bytes(0));
        Assert.Contains("s0.mask.png", Assert.Single(pairs.Warnings), StringComparison.Ordinal);
        Write(("s0.data", Png("a")));
        Assert.Contains("it holds s0.data", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../a.png")]
    [InlineData("/etc/a.png")]
    [InlineData("sub/../../a.png")]
    [InlineData("sub\\a.png")]
    [InlineData("C:a.png")]
    [InlineData("sub//a.png")]
    public void Paths_out_of_the_archive_are_refused(string name)
    {
        Write((name, Png("a")));
        Assert.Contains("not a path inside the archive", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void Links_noise_and_compressed_archives_are_refused()
    {
        using (var stream = new FileStream(Archive, FileMode.Create))
        using (var writer = new TarWriter(stream, TarEntryFormat.Ustar))
            writer.WriteEntry(new UstarTarEntry(TarEntryType.SymbolicLink, "a.png") { LinkName = "/etc/passwd" });
        Assert.Contains("a.png is a SymbolicLink", Refusal(), StringComparison.Ordinal);
        File.WriteAllBytes(Archive, [0x1f, 0x8b, .. new byte[2000]]);
        Assert.Contains("compressed", Refusal(), StringComparison.Ordinal);
        File.WriteAllBytes(Archive, [.. Golden.HashedValues("noise", 1024, 127, 127).Select(x => (byte)x), .. new byte[1024]]);
        Assert.Contains("not a tar archive", Refusal(), StringComparison.Ordinal);
        byte[] sound = File.ReadAllBytes(Write(Two));
        for (int at = 0; at < 512; at += at is >= 140 and < 160 ? 1 : 7) // name, modes, length, checksum, type, user, padding
        {
            if (sound[at] == (byte)'7' || (at is >= 155 and < 156)) continue;
            byte[] hostile = [.. sound];
            hostile[at] = (byte)'7';
            File.WriteAllBytes(Archive, hostile);
            Assert.NotEmpty(Refusal());
        }
    }
}
