using System.Net.Sockets;
using System.Text;

namespace Dori.Tests;

public sealed class InputFileTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-input").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string PathOf(string name) => Path.Combine(_folder, name);

    private string Write(string name, params byte[] bytes)
    {
        File.WriteAllBytes(PathOf(name), bytes);
        return PathOf(name);
    }

    [Fact]
    public async Task WhatIsNoRegularFileIsRefusedAtOnce()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "FIFOs and devices");
        Fifo.Make(PathOf("fifo"));
        File.CreateSymbolicLink(PathOf("to-fifo"), PathOf("fifo"));
        File.CreateSymbolicLink(PathOf("to-zero"), "/dev/zero");
        File.CreateSymbolicLink(PathOf("to-folder"), _folder);
        File.CreateSymbolicLink(PathOf("to-nothing"), PathOf("nothing"));
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, 0);
        socket.Bind(new UnixDomainSocketEndPoint(PathOf("socket")));
        (string, string)[] places = [("fifo", "FIFO"), ("to-fifo", "FIFO"), ("to-zero", "device"), ("to-folder", "folder"),
            ("to-nothing", "no such file"), ("socket", "socket"), ("", "folder")];
        foreach ((string name, string said) in places)
        {
            Action<string>[] readers =
            [
                path => InputFile.ReadBytes(path, InputKind.Config), path => InputFile.ReadText(path, InputKind.Config),
                path => _ = InputFile.ReadLines(path, InputKind.Config).Count(), path => InputFile.Open(path, InputKind.Any).Dispose(),
                path => InputFile.OpenHandle(path, InputKind.Weights).Dispose(), path => InputFile.Sha256(path, InputKind.Any),
            ];
            foreach (Action<string> read in readers)
            {
                var e = await Assert.ThrowsAsync<DoriException>(() =>
                    Task.Run(() => read(PathOf(name))).WaitAsync(TimeSpan.FromSeconds(20)));
                Assert.Contains(said, e.Message, StringComparison.Ordinal);
                Assert.StartsWith(PathOf(name), e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void LinksToFilesAreFollowedAndMeasuredByTheirTargets()
    {
        Write("target", [1, 2, 3]);
        File.CreateSymbolicLink(PathOf("link"), PathOf("target"));
        Assert.Equal([1, 2, 3], InputFile.ReadBytes(PathOf("link"), InputKind.Preset));
        using (var stream = new FileStream(PathOf("large"), FileMode.Create)) stream.SetLength(10L << 30); // sparse
        File.CreateSymbolicLink(PathOf("to-large"), PathOf("large"));
        foreach (string name in new[] { "large", "to-large" })
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            DoriException e = Assert.Throws<DoriException>(() => InputFile.ReadText(PathOf(name), InputKind.Preset));
            Assert.Contains($"{10L << 30} bytes are too many for a preset; at most {1 << 18}", e.Message, StringComparison.Ordinal);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 16);
        }
    }

    [Fact]
    public void TextIsStrictUtf8WithOrWithoutAByteOrderMark()
    {
        Assert.Equal("é", InputFile.ReadText(Write("a", 0xEF, 0xBB, 0xBF, 0xC3, 0xA9), InputKind.Config));
        Assert.Equal("é", InputFile.ReadText(Write("a", 0xC3, 0xA9), InputKind.Config));
        Assert.Equal(["é", "b"], InputFile.ReadLines(Write("a", 0xEF, 0xBB, 0xBF, 0xC3, 0xA9, 13, 10, 98), InputKind.Config));
        Assert.Equal("", InputFile.ReadText(Write("a"), InputKind.Config));
        foreach (byte[] wrong in new byte[][] { [0xFF, 0xFE, 0x61, 0x00], [0xC3], [0xED, 0xA0, 0x80] })
        {
            string path = Write("a", wrong);
            DoriException text = Assert.Throws<DoriException>(() => InputFile.ReadText(path, InputKind.Config));
            Assert.Contains("UTF-8", text.Message, StringComparison.Ordinal);
            DoriException e = Assert.Throws<DoriException>(() => InputFile.ReadLines(path, InputKind.Config).Count());
            Assert.Contains("UTF-8", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void LinesEndAsTheyMayAndNeverGrowWithoutEnd()
    {
        string path = Write("a", "a\r\n\nb\rc\n"u8.ToArray());
        Assert.Equal(["a", "", "b", "c"], InputFile.ReadLines(path, InputKind.Config));
        Write("a", [.. Enumerable.Repeat((byte)'x', 1_000_001)]);
        DoriException e = Assert.Throws<DoriException>(() => InputFile.ReadLines(path, InputKind.Config).Count());
        Assert.Contains("a line of more than 1000000 characters", e.Message, StringComparison.Ordinal);
        Assert.Empty(InputFile.ReadLines(Write("a"), InputKind.Config));
    }

    [Fact]
    public void APointerOfGitLfsIsNamedWhateverWasWanted()
    {
        string path = Write("a", "version https://git-lfs.github.com/spec/v1\n"u8.ToArray());
        foreach (Action read in new Action[]
                 { () => InputFile.ReadBytes(path, InputKind.Picture), () => _ = InputFile.ReadLines(path, InputKind.Metadata).Count() })
            Assert.Contains("Git LFS pointer", Assert.Throws<DoriException>(read).Message, StringComparison.Ordinal);
    }

    [Fact, System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void NoPermissionIsSaidInOneLine()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName != "root", "needs a user that permissions bind");
        string path = Write("a", 1);
        File.SetUnixFileMode(path, UnixFileMode.None);
        DoriException e = Assert.Throws<DoriException>(() => InputFile.ReadBytes(path, InputKind.Config));
        Assert.Contains("no permission", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"guidance": 1, "guidance": 2}""", "twice")]
    [InlineData("""{"sampler": "\ud800"}""", "surrogate")]
    [InlineData("""{"\udc00": 1}""", "surrogate")]
    [InlineData("""{"guidance": 1e39}""", "too large")]
    [InlineData("""{"guidance": 1e999}""", "too large")]
    [InlineData("""{"guidance": NaN}""", "invalid")]
    [InlineData("""{"guidance": null}""", "guidance")]
    [InlineData("""{"guidance": [null]}""", "null in a list")]
    [InlineData("""{"guidance": "1"}""", "guidance")]
    [InlineData("""{"guidance": 1} x""", "invalid")]
    [InlineData("""{"guidance": 1""", "")]
    [InlineData("null", "a JSON object is wanted")]
    [InlineData("", "")]
    [InlineData("[1]", "")]
    public void JsonIsStrict(string json, string said)
    {
        string path = Write("dori.json", Encoding.UTF8.GetBytes(json));
        DoriException e = Assert.Throws<DoriException>(() => Dori.Diffusion.ModelDefaults.Read(_folder));
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
        Assert.Contains(said, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DeepJsonIsRefused()
    {
        string deep = string.Concat(Enumerable.Repeat("[", 100_000));
        Write("dori.json", Encoding.UTF8.GetBytes(deep));
        Assert.Throws<DoriException>(() => Dori.Diffusion.ModelDefaults.Read(_folder));
    }
}
