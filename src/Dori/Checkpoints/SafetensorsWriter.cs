using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>Writes safetensors files: the same tensors and metadata give the same bytes, in the reference implementation's
/// layout.</summary>
internal static class SafetensorsWriter
{
    private const long ChunkBytes = 1 << 24;

    /// <param name="tensors">On any device, of any layout in memory; distinct names.</param>
    /// <param name="metadata">Free text for the header.</param>
    /// <exception cref="DoriException">A name is there twice, a dtype has no place in the format, or the file cannot be
    /// written.</exception>
    public static void Write(string path, IReadOnlyList<(string Name, Tensor Tensor)> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach ((string name, Tensor tensor) in tensors)
        {
            if (name == SafetensorsFile.MetadataKey || !names.Add(name))
                throw new DoriException($"cannot write {path}: the name '{SafetensorsFile.Shown(name)}' is reserved or there twice");
            if (SafetensorsDtypes.IndexOf(tensor.dtype) < 0)
                throw new DoriException(
                $"cannot write {path}: safetensors has no dtype for '{SafetensorsFile.Shown(name)}', {tensor.dtype}");
        }
        // Dtype size descending, so that every tensor is aligned; then name.
        (string Name, Tensor Tensor)[] ordered =
            [.. tensors.OrderBy(t => SafetensorsDtypes.IndexOf(t.Tensor.dtype)).ThenBy(t => t.Name, StringComparer.Ordinal)];
        byte[] header = Header(path, ordered, metadata);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach ((string _, Tensor tensor) in ordered) WriteData(stream, tensor);
        });
    }

    /// <summary>Length prefix and JSON, padded with spaces to a multiple of 8.</summary>
    private static byte[] Header(string path, (string Name, Tensor Tensor)[] ordered, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        IEnumerable<string> texts = ordered.Select(t => t.Name).Concat(metadata?.SelectMany(pair => new[] { pair.Key, pair.Value }) ?? []);
        // The JSON writer would put U+FFFD for half a surrogate pair, and two names could become one.
        if (texts.FirstOrDefault(text => !IsUnicode(text)) is { } broken)
            throw new DoriException($"cannot write {path}: '{SafetensorsFile.Shown(broken)}' is not proper Unicode text");
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            WriteJson(json, ordered, metadata);
        }
        int length = (buffer.WrittenCount + 7) / 8 * 8;
        if (length > SafetensorsFile.LongestHeader)
            throw new DoriException(
            $"cannot write {path}: its header would be {length} bytes long, {SafetensorsFile.LongestHeader} at most are allowed");
        byte[] header = new byte[8 + length];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)length);
        buffer.WrittenSpan.CopyTo(header.AsSpan(8));
        header.AsSpan(8 + buffer.WrittenCount).Fill((byte)' ');
        return header;
    }

    private static bool IsUnicode(string text)
    {
        for (ReadOnlySpan<char> rest = text; rest.Length > 0;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out int consumed) != OperationStatus.Done) return false;
            rest = rest[consumed..];
        }
        return true;
    }

    private static void WriteJson(Utf8JsonWriter json, (string Name, Tensor Tensor)[] ordered,
        IReadOnlyDictionary<string, string>? metadata)
    {
        json.WriteStartObject();
        if (metadata is not null)
        {
            json.WriteStartObject(SafetensorsFile.MetadataKey);
            foreach ((string key, string value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)) json.WriteString(key, value);
            json.WriteEndObject();
        }
        long offset = 0;
        foreach ((string name, Tensor tensor) in ordered)
        {
            SafetensorsDtypes.Entry dtype = SafetensorsDtypes.All[SafetensorsDtypes.IndexOf(tensor.dtype)];
            json.WriteStartObject(name);
            json.WriteString("dtype", dtype.Name);
            json.WriteStartArray("shape");
            foreach (long n in tensor.shape) json.WriteNumberValue(n);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(offset += tensor.NumberOfElements * dtype.Size);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void WriteData(Stream stream, Tensor tensor)
    {
        long elements = tensor.NumberOfElements;
        if (elements == 0) return;
        using var scope = NewDisposeScope();
        Tensor flat = tensor.detach().cpu().contiguous().view(-1);
        long most = ChunkBytes / SafetensorsDtypes.All[SafetensorsDtypes.IndexOf(tensor.dtype)].Size;
        for (long first = 0; first < elements; first += most)
        {
            using Tensor window = flat.narrow(0, first, Math.Min(most, elements - first));
            stream.Write(window.bytes);
        }
    }
}
