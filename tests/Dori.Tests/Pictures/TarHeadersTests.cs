using System.Text;
using Dori.Audit;
using Dori.Pictures;

namespace Dori.Tests.Pictures;

public sealed class TarHeadersTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    /// <summary>A header of a type and a size, then the end of the archive, far away in a sparse file.</summary>
    private string Refusal(char type, long size, long length)
    {
        var header = new byte[512];
        Encoding.ASCII.GetBytes("././@LongLink").CopyTo(header, 0);
        Encoding.ASCII.GetBytes(Convert.ToString(size, 8).PadLeft(11, '0')).CopyTo(header, 124);
        header[156] = (byte)type;
        Encoding.ASCII.GetBytes("ustar\0" + "00").CopyTo(header, 257);
        header.AsSpan(148, 8).Fill((byte)' ');
        Encoding.ASCII.GetBytes(Convert.ToString(header.Sum(b => b), 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
        using (var stream = new FileStream(_path, FileMode.Create))
        {
            stream.Write(header);
            stream.SetLength(length);
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        string message = Assert.Throws<DoriException>(() => OrdinaryPictures.Load(_path + "")).Message;
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8 << 20);
        return message;
    }

    [Theory]
    [InlineData('x')]
    [InlineData('g')]
    [InlineData('L')]
    [InlineData('K')]
    public void Long_names_and_attributes_are_refused_unread(char type) =>
        Assert.Contains($"{1500L << 20} bytes long", Refusal(type, 1500L << 20, 1600L << 20), StringComparison.Ordinal);

    [Fact]
    public void Sparse_members_are_refused() => Assert.Contains("sparse", Refusal('S', 512, 10240), StringComparison.Ordinal);
}
