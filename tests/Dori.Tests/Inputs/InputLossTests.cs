using Dori.Audit;
using Dori.Measures;
using Dori.Models;
using Dori.Pictures;
using Dori.Tests.Support;
using SkiaSharp;

namespace Dori.Tests.Inputs;

/// <summary>What of captions and pictures does not reach the model is counted and named.</summary>
public sealed class InputLossTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-inputs-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private static ClipTokenizer Tokenizer => Emoji.Model.Tokenizer;

    [Fact]
    public void Captions_longer_than_the_model_reads_are_named_with_what_they_lose()
    {
        string fits = string.Join(' ', Enumerable.Repeat("!", 30)), long1 = fits + " !", long3 = fits + " ! ! !";
        Assert.Equal(32, Tokenizer.MaxLength);
        Assert.Equal((0, 0), Tokenizer.Losses(fits));
        Assert.Equal(3, Tokenizer.Losses(long3).Cut);
        Assert.Equal("2 captions are longer than the 30 tokens that the model reads, and the rest is neither searched nor drawn: b.png "
            + "loses 1 token, c.png loses 3 tokens.",
            Assert.Single(CaptionLosses.Of([("a.png", fits), ("b.png", long1), ("c.png", long3)], Tokenizer)));
    }

    [Fact]
    public void Words_of_textual_inversion_that_the_tokenizer_lacks_are_said()
    {
        Assert.Contains("<my-toy>", Assert.Single(CaptionLosses.Of([("a.png", "a <my-toy> here"), ("b.png", "1 < 2 > 0, <|endoftext|>")],
            Tokenizer)), StringComparison.Ordinal);
        Assert.Empty(CaptionLosses.Of([("a.png", "a cat & ünï \U0001D41A")], Tokenizer));
    }

    [Fact]
    public void Characters_that_the_vocabulary_lacks_are_said()
    {
        var vocabulary = new Dictionary<string, int> { ["a</w>"] = 0, ["<|startoftext|>"] = 1, ["<|endoftext|>"] = 2 };
        var tokenizer = new ClipTokenizer(vocabulary, [], new ClipSpecialTokens(), 8);
        Assert.Equal((0, 1), tokenizer.Losses("a b"));
        Assert.Contains("1 caption holds characters that the tokenizer's vocabulary lacks",
            Assert.Single(CaptionLosses.Of([("x.png", "a b"), ("y.png", "a a")], tokenizer)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"1214": {"content": "toy", "normalized": false, "single_word": true}}""", "a toy", true)]
    [InlineData("""{"1214": {"content": "toy", "normalized": false, "single_word": true}}""", "a toys", false)]
    [InlineData("""{"1214": {"content": "toy", "normalized": false, "single_word": false}}""", "a toys", true)]
    [InlineData("""{"1214": {"content": "toy", "normalized": false}}""", "a TOY", false)]
    [InlineData("""{"1214": {"content": "TOY"}}""", "a toy", true)]
    [InlineData("""{"1214": {"content": "toy", "special": true}}""", "a Toy", false)]
    public void Added_tokens_are_looked_for_as_their_entry_says(string decoder, string text, bool found)
    {
        foreach (string name in new[] { "vocab.json", "merges.txt" }) File.Copy(Path.Combine(Golden.EmojiModel, "tokenizer", name),
            At(name));
        File.WriteAllText(At("tokenizer_config.json"), $$"""{"model_max_length": 32, "added_tokens_decoder": {{decoder}}}""");
        Assert.Equal(found, ClipTokenizer.Load(_folder).Encode(text).Contains(1214));
        File.WriteAllText(At("tokenizer_config.json"), """{"added_tokens_decoder": {"1214": {"content": " "}}}""");
        Assert.Contains("blank", Assert.Throws<DoriException>(() => ClipTokenizer.Load(_folder)).Message, StringComparison.Ordinal);
        File.Delete(At("tokenizer_config.json"));
        // ids as transformers gives them
        File.WriteAllText(At("special_tokens_map.json"), """{"additional_special_tokens": ["<s0>", "<s1>"]}""");
        Assert.Equal([1214, 1215], ClipTokenizer.Load(_folder).Encode("<s0><s1>")[1..^1]);
    }

    [Fact]
    public void The_text_encoder_s_length_holds_where_the_tokenizer_says_none()
    {
        foreach (string name in new[] { "vocab.json", "merges.txt" }) File.Copy(Path.Combine(Golden.EmojiModel, "tokenizer", name),
            At(name));
        Assert.Equal(32, ClipTokenizer.Load(_folder, 32).MaxLength);
    }

    private static SKBitmap Noise(SKAlphaType alpha)
    {
        var bitmap = new SKBitmap(new SKImageInfo(64, 48, SKColorType.Rgba8888, alpha));
        for (int i = 0; i < 64 * 48; i++) bitmap.SetPixel(i % 64, i / 64,
            new SKColor((byte)(i * 37), (byte)(i * 101), (byte)(i * 11), alpha == SKAlphaType.Opaque ? (byte)255 : (byte)(i % 256)));
        return bitmap;
    }

    private byte[] Encoded(SKEncodedImageFormat format, SKAlphaType alpha = SKAlphaType.Opaque)
    {
        using SKBitmap bitmap = Noise(alpha);
        using SKData data = bitmap.Encode(format, 90);
        return data.ToArray();
    }

    private PictureSet Set(params (string Name, byte[] File)[] pictures)
    {
        foreach ((string name, byte[] file) in pictures) File.WriteAllBytes(At(name), file);
        File.WriteAllText(At("metadata.csv"), "file_name,text\n" + string.Concat(pictures.Select(p => $"{p.Name},t\n")));
        return PictureSet.Load(_folder);
    }

    [Theory]
    [InlineData(SKEncodedImageFormat.Png)]
    [InlineData(SKEncodedImageFormat.Jpeg)]
    [InlineData(SKEncodedImageFormat.Webp)]
    public void A_picture_that_decodes_only_in_part_is_refused_wherever_it_ends(SKEncodedImageFormat format)
    {
        byte[] whole = Encoded(format);
        Picture.Decode(whole, "whole").Dispose();
        for (int part = 1; part < 20; part++)
        {
            int length = whole.Length * part / 20;
            Assert.Throws<DoriException>(() => Picture.Decode(whole[..length], "cut"));
            byte[] hole = (byte[])whole.Clone();
            hole.AsSpan(length).Clear(); // a download with a hole
            Assert.Throws<DoriException>(() => Picture.Decode(hole, "hole"));
        }
    }

    [Fact]
    public void All_pictures_that_cannot_be_used_are_named_at_once()
    {
        PictureSet set = Set(("a.png", Encoded(SKEncodedImageFormat.Png)), ("b.png", Encoded(SKEncodedImageFormat.Png)[..200]),
            ("c.gif", "GIF89a"u8.ToArray()),
            ("d.png", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n"u8.ToArray()));
        string message = Assert.Throws<DoriException>(() => PictureLosses.Of(set)).Message;
        Assert.StartsWith("3 of 4 pictures cannot be used: ", message, StringComparison.Ordinal);
        foreach (string part in new[] { "b.png: the picture is damaged or cut off", "c.gif: not a picture", "d.png: is a Git LFS pointer" })
            Assert.Contains(part, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_pictures_that_are_alike_are_damaged_and_not_each_other_s_controls()
    {
        byte[] pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n"u8.ToArray();
        foreach (string name in new[] { "a.png", "b.png" }) File.WriteAllBytes(At(name), pointer);
        File.WriteAllText(At("metadata.csv"), "file_name,text,role\na.png,t,audit\nb.png,t,control\n");
        string message = Assert.Throws<DoriException>(() => PictureSet.Load(_folder)).Message;
        foreach (string part in new[] { "a.png: is a Git LFS pointer", "b.png: is a Git LFS pointer" })
            Assert.Contains(part, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Turned_transparent_and_animated_pictures_are_counted_and_plain_ones_are_not()
    {
        byte[] jpeg = Encoded(SKEncodedImageFormat.Jpeg), png = Encoded(SKEncodedImageFormat.Png);
        byte[] exif = [0xFF, 0xE1, 0, 34, .. "Exif\0\0"u8, .. "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"u8];
        byte[] turned = [.. jpeg[..2], .. exif, .. jpeg[2..]];
        Assert.Empty(PictureLosses.Of(Set(("a.png", png), ("b.jpg", jpeg))));
        Assert.Equal(
        [
            "1 picture was turned as its EXIF orientation says (c.jpg); a trainer that reads them otherwise taught the model other "
                + "pictures.",
            "2 pictures have transparent parts, laid on white here (d.png, e.webp); a trainer that reads them otherwise taught the "
                + "model other pictures.",
        ], PictureLosses.Of(Set(("a.png", png), ("b.jpg", jpeg), ("c.jpg", turned),
            ("d.png", Encoded(SKEncodedImageFormat.Png, SKAlphaType.Unpremul)),
            ("e.webp", Encoded(SKEncodedImageFormat.Webp, SKAlphaType.Unpremul)))));
        byte[] control = [0, 0, 0, 8, .. "acTL"u8, 0, 0, 0, 2, 0, 0, 0, 0];
        byte[] animated = [.. png[..33], .. control, .. BitConverter.GetBytes(PictureFile.Crc(control.AsSpan(4, 12))).Reverse(),
            .. png[33..]];
        Assert.Contains("several frames", Assert.Single(PictureLosses.Of(Set(("f.png", animated)))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("file_name, text\na.png, a cat\n", null)]
    [InlineData("file_name,caption\na.png,a cat\n", "\"caption\" was taken for the captions")]
    [InlineData("file_name,prompt,item\na.png,a cat,\n", "\"prompt\" was taken for the captions")]
    [InlineData("file_name,prompt,text\na.png,a dog,a cat\n", null)]
    public void Columns_are_taken_by_their_names_without_blanks(string csv, string? said)
    {
        File.WriteAllBytes(At("a.png"), Encoded(SKEncodedImageFormat.Png));
        File.WriteAllText(At("metadata.csv"), csv);
        PictureSet set = PictureSet.Load(_folder);
        Assert.Equal("a cat", Assert.Single(set.Items).Caption);
        if (said is null) Assert.Empty(set.Warnings);
        else Assert.Contains(said, Assert.Single(set.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("picture;words\na.png;t\n", "its columns are \"picture;words\"")]
    [InlineData("title,caption\na.png,t\n", "(nor image, file or path) for the pictures' names; its columns are \"title\", \"caption\"")]
    [InlineData("file_name,words\na.png,t\n", "its columns are \"file_name\", \"words\"; name one with `CaptionColumn`")]
    public void Other_columns_are_named(string csv, string said)
    {
        File.WriteAllText(At("metadata.csv"), csv);
        Assert.Contains(said, Assert.Throws<DoriException>(() => PictureSet.Load(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_without_metadata_are_told_by_what_they_hold()
    {
        string Refusal() => Assert.Throws<DoriException>(() => PictureSet.Load(_folder)).Message;
        File.WriteAllText(At("a.txt"), "a cat");
        Assert.Contains("holds no pictures (.png", Refusal(), StringComparison.Ordinal);
        Directory.CreateDirectory(At("train"));
        File.WriteAllText(At("train/metadata.csv"), "file_name,text\n");
        Assert.Contains($"{At("train/metadata.csv")}: lists no pictures", Refusal(), StringComparison.Ordinal);
        File.WriteAllText(At("00000.tar"), "");
        Assert.Contains("00000.tar: not a tar archive", Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { 0x80, 2, 0x7D, 0x71 }, "pickled weights")]
    [InlineData(new byte[] { (byte)'P', (byte)'K', 3, 4, 0, 0, (byte)'P', (byte)'K', 5, 6 }, "a state dict")]
    [InlineData(new byte[] { 8, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'}' }, "a safetensors file")]
    [InlineData(new byte[] { 1, 2, 3 }, "not a TorchScript file")]
    [InlineData(new byte[] { 80, 75, 3, 4, 0, 0, 0, 0 }, "an archive that is cut off")]
    [InlineData(new byte[] { 60, 104, 116, 109, 108, 62, 78, 111, 10 }, "a text that begins \"<html>No\"")]
    [InlineData(new byte[0], "an empty file")]
    public void Copy_detectors_of_another_format_get_one_short_line(byte[] content, string said)
    {
        File.WriteAllBytes(At("sscd.pt"), content);
        string message = Assert.Throws<DoriException>(() => TorchScriptCopyDetector.Load(At("sscd.pt"), "nemo")).Message;
        Assert.Contains(said, message, StringComparison.Ordinal);
        Assert.Contains("sscd_disc_mixup.torchscript.pt", message, StringComparison.Ordinal);
        Assert.True(message.Length < 300 + _folder.Length, message);
    }

    [Fact]
    public void A_broken_copy_detector_gets_one_short_line()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Golden.EmojiModel, "copy_detector", "model.pt"));
        File.WriteAllBytes(At("sscd.pt"), whole[..(whole.Length / 2)]);
        string message = Assert.Throws<DoriException>(() => TorchScriptCopyDetector.Load(At("sscd.pt"), "nemo")).Message;
        Assert.Contains("sscd_disc_mixup.torchscript.pt", message, StringComparison.Ordinal);
        Assert.True(message.Length < 300 + _folder.Length, message);
    }
}
