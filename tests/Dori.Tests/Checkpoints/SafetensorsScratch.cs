using System.Buffers.Binary;
using System.Text;

namespace Dori.Tests.Checkpoints;

/// <summary>A folder of hand-made files that goes with the test.</summary>
internal sealed class SafetensorsScratch : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("dori-safetensors-").FullName;

    public string PathOf(string name) => Path.Combine(Folder, name);

    /// <summary>Writes a file byte by byte as the format says, whatever the header says.</summary>
    public string Write(string name, string header, int dataBytes) => Write(name, Encoding.UTF8.GetBytes(header), dataBytes);

    public string Write(string name, byte[] header, int dataBytes)
    {
        byte[] data = [.. Enumerable.Range(0, dataBytes).Select(i => (byte)(i * 37 % 2))]; // 0 or 1: sound as BOOL too
        return WriteBytes(name, Prefixed((ulong)header.Length, header, data));
    }

    public string WriteBytes(string name, byte[] bytes)
    {
        File.WriteAllBytes(PathOf(name), bytes);
        return PathOf(name);
    }

    public static byte[] Prefixed(ulong length, byte[] header, byte[] data)
    {
        byte[] prefix = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, length);
        return [.. prefix, .. header, .. data];
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
