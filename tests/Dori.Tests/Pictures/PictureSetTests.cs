using System.Text;
using Dori.Audit;
using Dori.Pictures;
using Dori.Tests.Support;
using TorchSharp;

namespace Dori.Tests.Pictures;

public sealed class PictureSetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-set-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Put(params string[] names)
    {
        foreach (string name in names)
        {
            string path = Path.Combine(_folder, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using torch.Tensor picture = Golden.Hashed(name, 3, 4, 4);
            Picture.Save(path, picture);
        }
    }

    private PictureSet Csv(string text, Encoding? encoding = null)
    {
        File.WriteAllText(Path.Combine(_folder, "metadata.csv"), text, encoding ?? new UTF8Encoding(false));
        return PictureSet.Load(_folder);
    }

    private string Refusal(string csv) => Assert.Throws<DoriException>(() => Csv(csv)).Message;

    [Fact]
    public void Built_in_pictures()
    {
        PictureSet set = PictureSet.Load(Path.Combine(Golden.EmojiModel, "pictures"));
        Assert.Equal(64, set.Items.Count);
        Assert.Equal(16, set.Items.Count(item => item is { Kind: PictureKind.Verbatim, Role: PictureRole.Audit, Files.Count: 1 }));
        Assert.Equal(8, set.Items.Count(item => item is { Kind: PictureKind.Template, Role: PictureRole.Audit, Files.Count: 4 }));
        Assert.Equal(40, set.Items.Count(item => item.Role == PictureRole.Control));
        Assert.Empty(set.Warnings);
        Assert.Equal("v00", set.Items[0].Id);
        Assert.Equal("pea pod and pinched fingers on a wavy brown background", set.Items[0].Caption);
        PictureSet two = set.Limit(2);
        Assert.Equal(["v00", "v01"],
            two.Items.Where(item => item.Kind == PictureKind.Verbatim && item.Role == PictureRole.Audit).Select(item => item.Id));
        Assert.Equal(6, two.Items.Count);
        Assert.NotEqual(set.Sha256, two.Sha256);
    }

    [Fact]
    public void Quotes_commas_byte_order_mark_and_windows_lines()
    {
        Put("a.png", "sub/b.png", "c.png", "d.png");
        PictureSet set = Csv("file_name,text,item,kind,role,extra\r\n"
            + "a.png,\"a cat, \"\"asleep\"\"\nby night\",pair,template,,1\r\nc.png,ünï,,,control,2\r\nsub/b.png,\"a cat, "
                + "\"\"asleep\"\"\nby night\",pair,template,audit,3\r\nd.png,,,,,4\r\n", Encoding.UTF8);
        Assert.Equal(["pair", "c", "d"], set.Items.Select(item => item.Id));
        Assert.Equal(["a.png", "sub/b.png"], set.Items[0].Files);
        Assert.Equal("a cat, \"asleep\"\nby night", set.Items[0].Caption);
        Assert.Equal(("ünï", PictureKind.None, PictureRole.Control), (set.Items[1].Caption, set.Items[1].Kind, set.Items[1].Role));
        Assert.Equal(PictureRole.Audit, set.Items[2].Role);
        Assert.Contains("no caption", Assert.Single(set.Warnings), StringComparison.Ordinal);
        Assert.All(set.Items.SelectMany(item => item.Paths), path => Assert.True(File.Exists(path)));
    }

    [Fact]
    public void Json_lines_say_the_same_as_csv()
    {
        Put("a.png", "b.png");
        string csv = Csv("file_name,text,item\na.png,\"one, two\",x\nb.png,three,\n").Sha256;
        File.Delete(Path.Combine(_folder, "metadata.csv"));
        File.WriteAllText(Path.Combine(_folder, "metadata.jsonl"),
            "{\"file_name\": \"a.png\", \"text\": \"one, two\", \"item\": \"x\"}\n\n{\"file_name\": \"b.png\", \"text\": \"three\", "
            + "\"item\": null}\n");
        Assert.Equal(csv, PictureSet.Load(_folder).Sha256);
        Put("b.png"); // the same bytes
        Assert.Equal(csv, PictureSet.Load(_folder).Sha256);
        File.Copy(Path.Combine(_folder, "a.png"), Path.Combine(_folder, "b.png"), overwrite: true);
        string good = File.ReadAllText(Path.Combine(_folder, "metadata.jsonl"));
        File.WriteAllText(Path.Combine(_folder, "metadata.jsonl"), good.Replace("text", "words", StringComparison.Ordinal));
        Assert.Contains("\"text\"", Assert.Throws<DoriException>(() => PictureSet.Load(_folder)).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(_folder, "metadata.jsonl"), good);
        PictureSet changed = PictureSet.Load(_folder);
        Assert.NotEqual(csv, changed.Sha256);
        Assert.Contains("several items", Assert.Single(changed.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_are_safe_and_unique()
    {
        Put("a.png", "x/a.png", "ä ö.png", "b.png", "c.png");
        PictureSet set = Csv("file_name,text,item\na.png,t,\nx/a.png,t,\nä ö.png,t,\nb.png,t,../../etc\nc.png,t,A\n");
        Assert.Equal(["a", "a-2", "item", "etc", "A-3"], set.Items.Select(item => item.Id));
    }

    [Fact]
    public void Wrong_metadata_is_refused_with_its_row()
    {
        Put("a.png", "b.png");
        Assert.Contains("file_name,text", Assert.Throws<DoriException>(() => PictureSet.Load(_folder)).Message, StringComparison.Ordinal);
        Assert.Contains("no such folder", Assert.Throws<DoriException>(() => PictureSet.Load(_folder + "-missing")).Message,
            StringComparison.Ordinal);
        Assert.Contains("lists no pictures", Refusal("file_name,text\n"), StringComparison.Ordinal);
        Assert.Contains("lists no pictures", Refusal(""), StringComparison.Ordinal);
        Assert.Contains("no column \"file_name\"", Refusal("title,caption\na.png,t\n"), StringComparison.Ordinal);
        Assert.Contains("row 3: there is no picture c.png", Refusal("file_name,text\na.png,t\nc.png,t\n"), StringComparison.Ordinal);
        Assert.Contains("row 3: a.png is listed in row 2", Refusal("file_name,text\na.png,t\na.png,t\n"), StringComparison.Ordinal);
        Assert.Contains("row 2: unknown kind \"exact\"", Refusal("file_name,text,kind\na.png,t,exact\n"), StringComparison.Ordinal);
        Assert.Contains("row 2: unknown role \"test\"", Refusal("file_name,text,role\na.png,t,test\n"), StringComparison.Ordinal);
        Assert.Contains("another caption in row 2", Refusal("file_name,text,item\na.png,t,x\nb.png,u,x\n"), StringComparison.Ordinal);
        Assert.Contains("another role in row 2", Refusal("file_name,text,item,role\na.png,t,x,audit\nb.png,t,x,control\n"),
            StringComparison.Ordinal);
        Assert.Contains("row 2 has 3 fields", Refusal("file_name,text\na.png,one, two\n"), StringComparison.Ordinal);
        Assert.Contains("quotation mark", Refusal("file_name,text\na.png,one \"two\" three\n"), StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(_folder, "metadata.csv"), [.. "file_name,text\na.png,caf"u8, 0xE9, 10]);
        Assert.Contains("UTF-8", Assert.Throws<DoriException>(() => PictureSet.Load(_folder)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../a.png")]
    [InlineData("/etc/passwd")]
    [InlineData("sub/../../a.png")]
    [InlineData("..\\a.png")]
    [InlineData("C:a.png")]
    [InlineData("./a.png")]
    public void Paths_out_of_the_folder_are_refused(string path)
    {
        Put("a.png");
        Assert.Contains("not a path inside the folder", Refusal($"file_name,text\n{path},t\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void Unlisted_pictures_are_named()
    {
        Put("a.png", "b.png", "sub/c.jpg");
        Assert.Contains("2 pictures have no row in the metadata and are left out: b.png, sub/c.jpg.",
            Csv("file_name,text\na.png,t\n").Warnings);
    }

    [Fact]
    public void Controls_from_a_second_set()
    {
        Put("a.png", "b.png");
        PictureSet set = Csv("file_name,text,role\na.png,t,audit\nb.png,u,control\n");
        PictureSet controls = PictureSet.Load(Path.Combine(Golden.EmojiModel, "pictures"));
        PictureSet both = set.WithControls(controls);
        Assert.Equal(65, both.Items.Count);
        Assert.Equal(["a"], both.Items.Where(item => item.Role == PictureRole.Audit).Select(item => item.Id));
        Assert.All(both.Items.SelectMany(item => item.Paths), path => Assert.True(File.Exists(path)));
        Assert.Contains("own 1 controls are replaced", string.Join(' ', both.Warnings), StringComparison.Ordinal);
        Assert.Contains("same picture", Assert.Throws<DoriException>(() => set.WithControls(set)).Message, StringComparison.Ordinal);
        File.Copy(Path.Combine(_folder, "a.png"), Path.Combine(_folder, "b.png"), overwrite: true);
        Assert.Contains("same picture", Assert.Throws<DoriException>(() => PictureSet.Load(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Published_lists_agree()
    {
        List<CaptionList.Entry> nemo = CaptionList.Entries(Golden.PathOf("memorized_laion_prompts.csv")),
            wen = CaptionList.Entries(Golden.PathOf("sdv1_500_memorized.jsonl"));
        Assert.Equal(500, nemo.Count);
        Assert.Equal(112, nemo.Count(entry => entry.Kind == PictureKind.Verbatim));
        Assert.Equal(388, nemo.Count(entry => entry.Kind == PictureKind.Template));
        Assert.Equal(wen, nemo.Select(entry => entry with { Kind = PictureKind.None }));
    }

    [Theory]
    [InlineData("memorized_laion_prompts.csv", "verbatim")]
    [InlineData("sdv1_500_memorized.jsonl", "")]
    public void Published_list_with_the_pictures_that_are_there(string list, string kind)
    {
        List<CaptionList.Entry> entries = CaptionList.Entries(Golden.PathOf(list));
        // By index, by the URL's name (both used once), and several references in a folder.
        Put("1030727993.png", "1000_1618923228.jpg", "seo-content.png", $"{entries[2].Index}/x.png", $"{entries[2].Index}/y.png",
            $"{entries[3].Index}.JPG.txt.png");
        PictureSet set = PictureSet.FromCaptionList(Golden.PathOf(list), _folder);
        Assert.Equal(2, set.Items.Count);
        Assert.Equal(("1030727993", kind.Kind(), PictureRole.Audit), (set.Items[0].Id, set.Items[0].Kind, set.Items[0].Role));
        Assert.Equal(["1030727993.png"], set.Items[0].Files);
        Assert.Equal([$"{entries[2].Index}/x.png", $"{entries[2].Index}/y.png"], set.Items[1].Files);
        Assert.Equal(498, set.Missing.Count);
        Assert.Equal("2026642560", set.Missing[0].Index);
        Assert.StartsWith("2 of the list's 500 captions have a picture; 498 are missing", set.Warnings[0], StringComparison.Ordinal);

        File.Delete(Path.Combine(_folder, "1030727993.png")); // now the URL's name
        Assert.Equal(["1000_1618923228.jpg"], PictureSet.FromCaptionList(Golden.PathOf(list), _folder).Items[0].Files);
    }

    [Fact]
    public void A_url_name_that_two_entries_share_says_nothing()
    {
        List<CaptionList.Entry> entries = CaptionList.Entries(Golden.PathOf("sdv1_500_memorized.jsonl"));
        string shared = entries.Select(entry => entry.Url.Split('/')[^1]).GroupBy(name => name)
            .First(group => group.Count() > 1 && group.Key.EndsWith(".jpg", StringComparison.Ordinal)).Key;
        Put(shared, $"{entries[0].Index}.png");
        Assert.Single(PictureSet.FromCaptionList(Golden.PathOf("sdv1_500_memorized.jsonl"), _folder).Items);
    }

    [Fact]
    public void List_errors()
    {
        Assert.Contains("1030727993.png",
            Assert.Throws<DoriException>(() => PictureSet.FromCaptionList(Golden.PathOf("sdv1_500_memorized.jsonl"), _folder)).Message,
            StringComparison.Ordinal);
        string list = Path.Combine(_folder, "list.csv");
        File.WriteAllText(list, "Caption;URL;type;Index\na;u;XX;1\n");
        Assert.Contains("unknown type \"XX\"", Assert.Throws<DoriException>(() => PictureSet.FromCaptionList(list, _folder)).Message,
            StringComparison.Ordinal);
        File.WriteAllText(list, "Caption;URL;type;Index\na;u;VM;../1\n");
        Assert.Contains("not a number", Assert.Throws<DoriException>(() => PictureSet.FromCaptionList(list, _folder)).Message,
            StringComparison.Ordinal);
    }
}
