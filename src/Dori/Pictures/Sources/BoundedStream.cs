namespace Dori.Pictures.Sources;

/// <summary>
/// A file that gives out only so many bytes in all, however often it is sought back: a reader that a damaged file leads in circles must
/// come to an end.
/// </summary>
/// <param name="file">Disposed with this.</param>
/// <param name="most">Bytes that may be read in all.</param>
internal sealed class BoundedStream(Stream file, long most) : Stream
{
    private long _left = most;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => file.Length;
    public override long Position { get => file.Position; set => file.Position = value; }

    /// <exception cref="InvalidDataException">More than <c>most</c> bytes are asked for.</exception>
    public override int Read(Span<byte> buffer)
    {
        _left -= Math.Max(1, buffer.Length); // empty reads count too: they may go on for ever
        if (_left < 0) throw new InvalidDataException("it is read in circles");
        return file.Read(buffer);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

    public override void Flush() { }
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) file.Dispose();
        base.Dispose(disposing);
    }
}
