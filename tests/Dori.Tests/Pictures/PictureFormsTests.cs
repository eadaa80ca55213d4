using System.Text;
using System.Text.Json;
using Dori.Pictures;
using Dori.Tests.Support;

namespace Dori.Tests.Pictures;

/// <summary>Sets of pictures as trainers and data sets leave them: each form gives the captions that were trained on.</summary>
public sealed class PictureFormsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-forms-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Case(string name) => Golden.PathOf($"cases/{name}");

    private string At(string name)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return path;
    }

    private void Put(params string[] names)
    {
        foreach (string name in names)
            if (Path.GetExtension(name).ToLowerInvariant() is ".png" or ".jpg")
                Picture.Save(At(name), Golden.Hashed(name, 3, 4, 4));
            else File.WriteAllText(At(name), "");
    }

    private PictureSet Read(string? caption = null, string? column = null) => PictureSet.Load(_folder, column, caption);

    private string Refusal(string? caption = null) => Assert.Throws<DoriException>(() => Read(caption)).Message;

    private static string Notes(PictureSet set) => string.Join('\n', set.Warnings);

    private static string[] Captions(PictureSet set) => [.. set.Items.Select(item => $"{item.Files[0]}: {item.Caption}")];

    [Theory]
    [InlineData("img", "")]
    [InlineData("", "img/")]
    public void Numbered_folders_give_captions_and_repeats(string folder, string before)
    {
        PictureSet set = PictureSet.Load(Path.Combine(Case("captions-numbered-folders"), folder));
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Case("captions-numbered-folders/expected.json")));
        Assert.Equal(expected.RootElement.GetArrayLength(), set.Items.Count);
        foreach (JsonElement wanted in expected.RootElement.EnumerateArray())
        {
            PictureItem item = set.Items.Single(item => item.Files[0] == before + wanted.GetProperty("file").GetString());
            string[] captions = [.. wanted.GetProperty("captions").EnumerateArray().Select(caption => caption.GetString()!)];
            Assert.Equal<IEnumerable<string>>(captions, [item.Caption, .. item.OtherCaptions]);
            Assert.Equal(wanted.GetProperty("repeats").GetInt32(), item.Repeats);
        }
        foreach (string said in new[]
        {
            "1 caption file has further lines, which are not read", "its caption is the numbered folder's name",
            "2_red ball close/c.png", "the prompt is \"a red ball in the grass\"; not tried is \"close view of a red ball\"", "readme.txt",
            "2 caches of a trainer are passed over", "10 for 2 pictures, 5 for 1 picture",
        }) Assert.Contains(said, Notes(set), StringComparison.Ordinal);
        if (before.Length > 0) Assert.Contains("reg/ is passed over (ordinary pictures of a training; 1 picture)", Notes(set),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("data")]
    [InlineData("")]
    public void Parquet_gives_every_row_with_a_picture(string folder)
    {
        PictureSet set = PictureSet.Load(Path.Combine(Case("captions-parquet"), folder));
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Case("captions-parquet/expected.json")));
        JsonElement[] read = [.. expected.RootElement.EnumerateArray().Where(row => row.GetProperty("read").GetBoolean())];
        Assert.Equal(read.Select(row => row.GetProperty("sha256").GetString()), set.Items.Select(item => item.Sha256[0]));
        Assert.Equal(read.Select(row => row.GetProperty("caption").GetString() ?? ""), set.Items.Select(item => item.Caption));
        Assert.Equal(read.Select(row => row.GetProperty("path").GetString()
            ?? $"{row.GetProperty("file").GetString()}#{row.GetProperty("row").GetInt32()}"), set.Items.Select(item => item.Files[0]));
        foreach (PictureItem item in set.Items) Assert.Equal(item.Sha256[0], Hash(item.Read(0)));
        Assert.Empty(PictureLosses.Of(set));
        Assert.Contains("1 row has no picture and is left out: train-00001-of-00002.parquet#1.", set.Warnings);
        Assert.Contains("1 items have no caption", Notes(set), StringComparison.Ordinal);
        OrdinaryPictures ordinary = OrdinaryPictures.Load(Case("captions-parquet/data"));
        Assert.Equal(6, ordinary.Count);
        Assert.Equal(set.Items[^1].Sha256[0], Hash(ordinary.Bytes(5)));
    }

    private static string Hash(byte[] bytes) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes));

    /// <summary>Values of one column in three pages, with rows that lack them in each: none may slip into another's row.</summary>
    [Fact]
    public void Parquet_of_several_pages_keeps_each_value_in_its_row()
    {
        PictureSet set = PictureSet.Load(Case("captions-parquet-pages/pages.parquet"));
        Assert.Equal([.. Enumerable.Range(0, 12).Where(row => row != 5).Select(row =>
            $"{(row % 3 == 1 ? $"pages.parquet#{row}" : $"p{row:00}.png")}: {(row % 4 == 3 ? "" : $"caption {row}")}")], Captions(set));
        Assert.StartsWith("e2812d5e", set.Items[0].Sha256[0], StringComparison.Ordinal);
        Assert.StartsWith("f29ba6aa", set.Items[^1].Sha256[0], StringComparison.Ordinal);
        Assert.All(set.Items, item => Assert.Equal(item.Sha256[0], Hash(item.Read(0))));
    }

    [Fact]
    public void Parquet_of_a_webdataset_is_read_and_lists_of_captions_are_not()
    {
        PictureSet set = PictureSet.Load(Case("captions-parquet-pages/webdataset.parquet")), pages =
            PictureSet.Load(Case("captions-parquet-pages/pages.parquet"));
        Assert.Equal(Captions(pages)[0], Captions(set)[0]);
        Assert.Equal(pages.Items.Select(item => (item.Caption, item.Sha256[0])), set.Items.Select(item => (item.Caption, item.Sha256[0])));
        Assert.Contains("its \"txt\" was taken for the captions", Notes(set), StringComparison.Ordinal);
        Assert.Contains("row 0: \"text\" is a list of captions", Assert.Throws<DoriException>(() =>
            PictureSet.Load(Case("captions-parquet-pages/list.parquet"))).Message, StringComparison.Ordinal);
        byte[] whole = File.ReadAllBytes(Case("captions-parquet-pages/pages.parquet"));
        for (int length = 0; length < whole.Length; length += 97)
        {
            File.WriteAllBytes(At("cut.parquet"), whole[..length]);
            Assert.Contains("cut.parquet", Assert.Throws<DoriException>(() => PictureSet.Load(At("cut.parquet"))).Message,
                StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("spaced", "a cat", "")]
    [InlineData("image-caption", "a cat", "its \"image\" was taken for the pictures' names")]
    [InlineData("prompt", "a cat", "its \"prompt\" was taken for the captions")]
    [InlineData("semicolon", "a cat, asleep", "")]
    public void Tables_are_read_as_they_are_written(string table, string caption, string said)
    {
        File.Copy(Case("metadata-columns/a.png"), At("a.png"));
        File.Copy(Case($"metadata-columns/{table}.csv"), At("metadata.csv"));
        PictureSet set = Read();
        Assert.Equal(["a.png: " + caption], Captions(set));
        Assert.Contains(said, Notes(set), StringComparison.Ordinal);
        if (said.Length == 0) Assert.Empty(set.Warnings);
    }

    [Theory]
    [InlineData("file_name\ttext\na.png\ta cat; asleep, now\n", "a cat; asleep, now")]
    [InlineData("path;caption\na.png;\"a cat; asleep\"\n", "a cat; asleep")]
    [InlineData("file_name, text\na.png, \"a cat, asleep\"\n", "a cat, asleep")]
    [InlineData("\"file\" , \"prompt\"\n\"a.png\",\"a \"\"cat\"\"\"\n", "a \"cat\"")]
    public void Tabs_semicolons_and_blanks_separate(string csv, string caption)
    {
        Put("a.png");
        File.WriteAllText(At("metadata.csv"), csv);
        Assert.Equal(["a.png: " + caption], Captions(Read()));
    }

    [Fact]
    public void A_caption_column_is_named()
    {
        Put("a.png", "b.png");
        File.WriteAllText(At("metadata.csv"), "file_name,text,blip\na.png,t,a cat\nb.png,u,\n");
        Assert.Equal(["a.png: a cat", "b.png: "], Captions(Read(column: "blip")));
        Assert.Equal(["a.png: a cat", "b.png: sks"], Captions(Read("sks", "blip")));
        Assert.Contains("no column \"words\" (`CaptionColumn`); its columns are \"file_name\", \"text\", \"blip\"",
            Assert.Throws<DoriException>(() => Read(column: "words")).Message, StringComparison.Ordinal);
        File.Delete(At("metadata.csv"));
        File.WriteAllText(At("metadata.jsonl"), "{\"image\": \"a.png\", \"text\": [\"one\", \"two\"]}\n");
        Assert.Contains("row 1: \"text\" is a list", Refusal(), StringComparison.Ordinal);
        File.WriteAllText(At("metadata.jsonl"), "{\"image\": \"a.png\", \"tags\": \"one\"}\n");
        Assert.Equal(["a.png: sks"], Captions(Read("sks")));
    }

    [Fact]
    public void Captions_beside_pictures_are_read_and_the_rest_is_said()
    {
        Put("a.png", "b.jpg", "b.png", "c.png", "d.png", "e.PNG", "sub/f.png", "f-masklabel.png", "x.avif", "y.jxl", "sample/s.png",
            "logs/l.png", "a.npz", "empty.png", "notes.txt");
        foreach ((string name, string text) in new[] { ("a.txt", "a cat\r\n\r\nsecond\r\n"), ("b.caption", "a dog"), ("c.png.txt", "a cow"),
            ("d.txt", "of the text"), ("d.caption", "of the caption"), ("e.txt", "\uFEFFeee"), ("sub/f.txt", "{red|blue} [trigger]"),
            ("empty.txt", " \n") })
            File.WriteAllText(At(name), text);
        PictureSet set = Read();
        Assert.Equal(["a.png: a cat", "b.jpg: a dog", "b.png: a dog", "c.png: a cow", "d.png: of the text", "e.PNG: eee", "empty.png: ",
            "sub/f.png: {red|blue} [trigger]"], Captions(set));
        foreach (string said in new[]
        {
            "1 caption file has further lines", "1 caption file serves pictures of the same name (b.caption)", "the .txt was taken (d.png)",
            "1 caption file is empty", "1 caption file has no picture (notes.txt)", "2 pictures are of a format that is not read",
            "1 masks (-masklabel, -condlabel) are passed over: f-masklabel.png", "1 caches of a trainer are passed over: a.npz",
            "sample/ is passed over (pictures that a model drew; 1 picture)", "logs/ is passed over", "[trigger], {red|blue}",
        }) Assert.Contains(said, Notes(set), StringComparison.Ordinal);
        Assert.Equal(7, OrdinaryPictures.Load(_folder).Count);
    }

    [Fact]
    public void Without_captions_the_prompt_must_be_given()
    {
        Put("a.png", "b.png", "a red lamp on a table.png");
        Assert.Contains("none of its 3 pictures has a caption", Refusal(), StringComparison.Ordinal);
        Assert.Contains("`Caption` TEXT", Refusal(), StringComparison.Ordinal);
        Assert.Contains("names that are captions", Refusal(), StringComparison.Ordinal);
        PictureSet set = Read("a photo of sks dog");
        Assert.All(set.Items, item => Assert.Equal("a photo of sks dog", item.Caption));
        Assert.Contains("3 of 3 pictures have no caption of their own: their prompt is the one given, \"a photo of sks dog\".",
            set.Warnings);
        Assert.All(Read("").Items, item => Assert.Empty(item.Caption));
        Put("10_sks dog/c.png", "other/d.png");
        Assert.Equal("sks dog", Read("x").Items.Single(item => item.Files[0] == "10_sks dog/c.png").Caption);
        Assert.Contains("folders without a number", Notes(Read("x")), StringComparison.Ordinal);
        PictureSet numbered = PictureSet.Load(At("10_sks dog"));
        Assert.Equal(("sks dog", 10), (numbered.Items[0].Caption, numbered.Items[0].Repeats));
    }

    [Fact]
    public void Other_encodings_are_read_or_refused_with_the_byte()
    {
        Put("a.png");
        File.WriteAllText(At("a.txt"), "ünï", Encoding.Unicode);
        Assert.Equal(["a.png: ünï"], Captions(Read()));
        File.WriteAllText(At("a.txt"), "ünï", Encoding.BigEndianUnicode);
        Assert.Equal(["a.png: ünï"], Captions(Read()));
        File.WriteAllBytes(At("a.txt"), [.. "a cat"u8, 0x92, .. "s toy"u8]);
        Assert.Contains("a.txt: is not UTF-8 (byte 0x92 at 5); save it as UTF-8", Refusal(), StringComparison.Ordinal);
        File.WriteAllBytes(At("a.txt"), [.. new byte[70_000]]);
        Assert.Contains("too many for a caption", Refusal(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_training_s_split_is_found_and_other_lists_are_refused_by_name()
    {
        Put("train/a.png", "test/b.png");
        File.WriteAllText(At("train/metadata.csv"), "file_name,text\na.png,a cat\n");
        PictureSet set = Read();
        Assert.Equal(["a.png: a cat"], Captions(set));
        Assert.Equal(["The pictures were read from train/.", "test/ is passed over."], set.Warnings);
        File.Delete(At("train/metadata.csv"));
        File.WriteAllText(At("train/a.txt"), "a cow");
        Assert.Equal(["train/a.png: a cow"], Captions(Read()));
        File.WriteAllText(At("meta_cap.json"), """{"a": {"caption": "a cat"}}""");
        Assert.Contains("are not read; write each beside its picture as .txt", Refusal(), StringComparison.Ordinal);
        File.Delete(At("meta_cap.json"));
        File.WriteAllText(At("concepts.json"), """[{"path": "/home/me/dog", "enabled": true}]""");
        Assert.Contains("give one of its folders", Refusal(), StringComparison.Ordinal);
        Assert.Contains("/home/me/dog", Refusal(), StringComparison.Ordinal);
        File.Delete(At("concepts.json"));
        Put("data-00000-of-00001.arrow");
        Assert.Contains("to_parquet", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("json", 4)]
    [InlineData("empty", 3)]
    [InlineData("parts", 4)]
    public void Webdatasets_are_read_as_audited_pictures_too(string name, int captioned)
    {
        string archive = Case($"webdataset-captions/{name}.tar");
        PictureSet set = PictureSet.Load(archive);
        Assert.Equal(4, set.Items.Count);
        Assert.Equal(captioned, set.Items.Count(item => item.Caption.Length > 0));
        OrdinaryPictures ordinary = OrdinaryPictures.Load(archive);
        Assert.Equal(captioned, ordinary.Count);
        Assert.All(set.Items, item => Assert.Equal(item.Sha256[0], Hash(item.Read(0))));
        File.Copy(archive, At("00000.tar"));
        File.Copy(archive, At("00001.tar"));
        Assert.Equal(2 * captioned, OrdinaryPictures.Load(_folder).Count);
        Assert.StartsWith("00001.tar/", Read().Items[^1].Files[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Bitmaps_are_read_and_a_cut_one_is_refused()
    {
        byte[] bmp = [0x42, 0x4D, 78, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 24, 0, .. new byte[24],
            .. Enumerable.Repeat<byte[]>([0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0], 2).SelectMany(row => row)];
        using (TorchSharp.torch.Tensor red = Picture.Decode(bmp, "a.bmp"))
            Assert.Equal([1f, 0f, 0f], red.select(2, 1).select(1, 1).data<float>().ToArray());
        Assert.Contains("cut off", Assert.Throws<DoriException>(() => Picture.Decode(bmp[..66], "a.bmp")).Message,
            StringComparison.Ordinal);
    }
}
