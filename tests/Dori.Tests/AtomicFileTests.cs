using Dori.Tests.Checkpoints;

namespace Dori.Tests;

public class AtomicFileTests
{
    [Fact]
    public void Text_and_bytes_replace_what_was_there()
    {
        using var scratch = new SafetensorsScratch();
        string path = scratch.WriteBytes("x", new byte[100]);
        AtomicFile.WriteText(path, "é\n");
        Assert.Equal([0xC3, 0xA9, (byte)'\n'], File.ReadAllBytes(path));
        AtomicFile.WriteBytes(path, [1, 2]);
        Assert.Equal([1, 2], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(scratch.Folder));
    }

    [Fact]
    public void The_place_stays_as_it_was_until_all_is_written()
    {
        using var scratch = new SafetensorsScratch();
        string path = scratch.WriteBytes("x", [7]);
        AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            stream.Flush();
            Assert.Equal([7], File.ReadAllBytes(path));
            Assert.Equal(2, Directory.GetFileSystemEntries(scratch.Folder).Length); // beside it, so that renaming cannot cross file systems
            stream.WriteByte(2);
        });
        Assert.Equal([1, 2], File.ReadAllBytes(path));
    }

    [Fact]
    public void A_failure_leaves_the_old_file_and_nothing_else()
    {
        using var scratch = new SafetensorsScratch();
        string path = scratch.WriteBytes("x", [7]);
        Assert.Throws<InvalidDataException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new InvalidDataException("mine");
        }));
        Assert.Contains("disk full",
            Assert.Throws<DoriException>(() => AtomicFile.Write(path, _ => throw new IOException("disk full"))).Message,
            StringComparison.Ordinal);
        Assert.Equal([7], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(scratch.Folder));
    }

    [Theory]
    [InlineData("absent/x")]
    [InlineData("folder")]
    [InlineData("folder/")]
    [InlineData("")]
    [InlineData("nul\0l")]
    public void Places_that_take_no_file_are_refused_in_one_line(string path)
    {
        using var scratch = new SafetensorsScratch();
        Directory.CreateDirectory(scratch.PathOf("folder"));
        string place = path.Length == 0 ? "" : scratch.PathOf(path);
        DoriException e = Assert.Throws<DoriException>(() => AtomicFile.WriteText(place, "x"));
        Assert.StartsWith("cannot write", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(e.Message, char.IsControl);
        Assert.Equal([scratch.PathOf("folder")], Directory.GetFileSystemEntries(scratch.Folder, "*", SearchOption.AllDirectories));
    }
}
