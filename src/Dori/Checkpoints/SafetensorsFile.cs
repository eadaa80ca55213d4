using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>
/// A safetensors file: 8 bytes of header length (little-endian), a JSON header (name to dtype, shape, data_offsets), raw little-endian
/// data. Opening reads and checks the header alone, strictly: whatever the format does not allow is refused, and memory stays in
/// proportion to the file. Tensors are read one by one, from any thread.
/// </summary>
internal sealed class SafetensorsFile : IDisposable
{
    /// <summary>The reference implementation's limit, in bytes.</summary>
    public const int LongestHeader = 100_000_000;
    internal const string MetadataKey = "__metadata__";
    private const int MostDimensions = 8;
    private const int ChunkBytes = 1 << 24;

    private readonly SafeFileHandle _handle;

    private SafetensorsFile(string path, SafeFileHandle handle, IReadOnlyDictionary<string, TensorInfo> tensors,
        IReadOnlyDictionary<string, string> metadata) =>
        (Path, _handle, Tensors, Metadata) = (path, handle, tensors, metadata);

    public string Path { get; }
    public IReadOnlyDictionary<string, TensorInfo> Tensors { get; }
    /// <summary>The header's free text; empty where there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <exception cref="DoriException">The file cannot be opened, or is not a sound safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = InputFile.OpenHandle(path, InputKind.Weights);
            byte[] header = ReadHeader(path, handle, out long dataLength);
            var parser = new HeaderParser(path, 8 + header.Length, dataLength);
            parser.Parse(header);
            return new SafetensorsFile(path, handle, parser.Tensors, parser.Metadata);
        }
        catch (Exception e)
        {
            handle?.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw new DoriException($"cannot read {path}: {e.Message}", e);
            throw;
        }
    }

    private static byte[] ReadHeader(string path, SafeFileHandle handle, out long dataLength)
    {
        long fileLength = RandomAccess.GetLength(handle);
        if (fileLength < 8) throw Unsound(path, $"only {fileLength} bytes long");
        Span<byte> prefix = stackalloc byte[8];
        ReadExactly(path, handle, prefix, 0);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > LongestHeader) RefuseText(path, handle, fileLength);
        if (length > LongestHeader) throw Unsound(path, $"says its header is {length} bytes long, {LongestHeader} at most are allowed");
        if ((long)length > fileLength - 8) throw Unsound(path, $"says its header is {length} bytes long, the whole file has {fileLength}");
        byte[] header = new byte[(int)length];
        ReadExactly(path, handle, header, 8);
        dataLength = fileLength - 8 - header.Length;
        return header;
    }

    private static void RefuseText(string path, SafeFileHandle handle, long fileLength)
    {
        Span<byte> start = stackalloc byte[(int)Math.Min(GitLfs.Length, fileLength)];
        ReadExactly(path, handle, start, 0);
        GitLfs.RefusePointer(path, start);
        if (TextFile.Start(start) is { } text)
            throw Unsound(path, $"is a text that begins \"{text}\" (a page saved in the file's place?)");
    }

    /// <summary>Straight from the file into a new tensor's memory.</summary>
    /// <returns>On the CPU, in the stored dtype.</returns>
    /// <exception cref="DoriException">No such tensor, or the file has changed meanwhile.</exception>
    public Tensor Read(string name)
    {
        if (!Tensors.TryGetValue(name, out TensorInfo? info)) throw new DoriException($"{Path} has no tensor '{Shown(name)}'");
        Tensor result = empty([.. info.Shape], info.Dtype);
        try
        {
            if (info.ByteCount > 0) Fill(result, info);
            return result;
        }
        catch (Exception e)
        {
            result.Dispose();
            if (e is IOException or UnauthorizedAccessException)
                throw new DoriException($"cannot read tensor '{Shown(name)}' of {Path}: {e.Message}", e);
            throw;
        }
    }

    private void Fill(Tensor tensor, TensorInfo info)
    {
        // A span ends at 2 GB: the tensor is filled through windows on its memory.
        using Tensor flat = tensor.view(-1);
        long elements = flat.NumberOfElements, size = info.ByteCount / elements;
        for (long first = 0; first < elements; first += ChunkBytes / size)
        {
            using Tensor window = flat.narrow(0, first, Math.Min(ChunkBytes / size, elements - first));
            ReadExactly(Path, _handle, window.bytes, info.Offset + first * size, info.Name);
        }
    }

    private static void ReadExactly(string path, SafeFileHandle handle, Span<byte> buffer, long offset, string? tensor = null)
    {
        while (buffer.Length > 0)
        {
            int read = RandomAccess.Read(handle, buffer, offset);
            if (read == 0)
                throw Unsound(path, tensor is null ? "ended while it was read" : $"ended while tensor '{Shown(tensor)}' was read");
            buffer = buffer[read..];
            offset += read;
        }
    }

    public void Dispose() => _handle.Dispose();

    /// <summary>Names come from the file and can be megabytes long.</summary>
    internal static string Shown(string name) => name.Length <= 120 ? name : name[..120] + "...";

    private static DoriException Unsound(string path, string what) =>
        new($"{path} is not a sound safetensors file: {what}; download or convert it again");

    private sealed class HeaderParser(string path, long dataStart, long dataLength)
    {
        private readonly Dictionary<string, TensorInfo> _tensors = new(StringComparer.Ordinal);
        private Dictionary<string, string>? _metadata;

        public IReadOnlyDictionary<string, TensorInfo> Tensors => _tensors;
        public IReadOnlyDictionary<string, string> Metadata => _metadata ?? [];

        public void Parse(ReadOnlySpan<byte> header)
        {
            if (!Utf8.IsValid(header)) throw Unsound(path, "its header is not UTF-8");
            if (header.Length == 0 || header[0] != '{') throw Unsound(path, "its header does not start with '{'");
            var reader = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 3 });
            try
            {
                reader.Read();
                while (Next(ref reader) == JsonTokenType.PropertyName)
                {
                    string name = reader.GetString()!;
                    if (name == MetadataKey) ReadMetadata(ref reader);
                    else if (!_tensors.TryAdd(name, ReadTensor(ref reader, name)))
                        throw Unsound(path, $"tensor '{Shown(name)}' is there twice");
                }
                reader.Read(); // throws at anything but white space
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: half a surrogate pair in an escape
            {
                throw new DoriException(
                    $"{path} is not a sound safetensors file: its header is not proper JSON ({e.Message}); download or convert it again",
                    e);
            }
            CheckLayout();
        }

        private static JsonTokenType Next(ref Utf8JsonReader reader)
        {
            reader.Read();
            return reader.TokenType;
        }

        private void ReadMetadata(ref Utf8JsonReader reader)
        {
            if (_metadata is not null) throw Unsound(path, $"{MetadataKey} is there twice");
            _metadata = new(StringComparer.Ordinal);
            if (Next(ref reader) != JsonTokenType.StartObject) throw Unsound(path, $"{MetadataKey} is not an object");
            while (Next(ref reader) == JsonTokenType.PropertyName)
            {
                string key = reader.GetString()!;
                if (Next(ref reader) != JsonTokenType.String) throw Unsound(path, $"{MetadataKey}: '{Shown(key)}' is not a string");
                if (!_metadata.TryAdd(key, reader.GetString()!)) throw Unsound(path, $"{MetadataKey}: '{Shown(key)}' is there twice");
            }
        }

        private TensorInfo ReadTensor(ref Utf8JsonReader reader, string name)
        {
            if (Next(ref reader) != JsonTokenType.StartObject) throw Bad(name, "is not an object");
            SafetensorsDtypes.Entry? dtype = null;
            long[]? shape = null, offsets = null;
            while (Next(ref reader) == JsonTokenType.PropertyName)
            {
                if (dtype is null && reader.ValueTextEquals("dtype"u8)) dtype = ReadDtype(ref reader, name);
                else if (shape is null && reader.ValueTextEquals("shape"u8)) shape = ReadNumbers(ref reader, name, "shape", MostDimensions);
                else if (offsets is null && reader.ValueTextEquals("data_offsets"u8))
                    offsets = ReadNumbers(ref reader, name, "data_offsets", 2);
                else throw Bad(name, $"has an unknown or repeated field '{Shown(reader.GetString()!)}'");
            }
            if (dtype is null || shape is null || offsets is not { Length: 2 })
                throw Bad(name, "lacks one of dtype, shape and two data_offsets");
            (long begin, long end) = (offsets[0], offsets[1]);
            if (begin > end || end > dataLength)
                throw Bad(name, $"has data_offsets [{begin}, {end}], the file has {dataLength} bytes of data");
            if (ByteCount(shape, dtype.Value.Size) is not { } bytes) throw Bad(name, "has a shape too large for any memory");
            if (bytes != end - begin) throw Bad(name, $"has {end - begin} bytes of data, its dtype and shape ask for {bytes}");
            return new TensorInfo(name, dtype.Value.Dtype, shape, dataStart + begin, bytes);
        }

        private SafetensorsDtypes.Entry ReadDtype(ref Utf8JsonReader reader, string name)
        {
            if (Next(ref reader) != JsonTokenType.String) throw Bad(name, "has a dtype that is not a string");
            foreach (SafetensorsDtypes.Entry entry in SafetensorsDtypes.All)
            {
                if (reader.ValueTextEquals(entry.Name)) return entry;
            }
            throw Bad(name, $"has dtype '{Shown(reader.GetString()!)}', which is unknown or not supported");
        }

        private long[] ReadNumbers(ref Utf8JsonReader reader, string name, string field, int most)
        {
            if (Next(ref reader) != JsonTokenType.StartArray) throw Bad(name, $"has a {field} that is not an array");
            Span<long> numbers = stackalloc long[most];
            int count = 0;
            while (Next(ref reader) != JsonTokenType.EndArray)
            {
                if (count == most) throw Bad(name, $"has more than {most} numbers in {field}");
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                    throw Bad(name, $"has a {field} that is not made of whole numbers from 0 to 2^63 - 1");
                numbers[count++] = number;
            }
            return numbers[..count].ToArray();
        }

        /// <returns>Null if the strides do not fit 63 bits, which libtorch asks for even where the tensor is empty.</returns>
        private static long? ByteCount(long[] shape, int size)
        {
            Int128 product = size;
            bool isEmpty = false;
            foreach (long n in shape)
            {
                isEmpty |= n == 0;
                product *= Math.Max(n, 1);
                if (product > long.MaxValue) return null;
            }
            return isEmpty ? 0 : (long)product;
        }

        /// <summary>In the order of their offsets, the tensors must cover the data without gap or overlap.</summary>
        private void CheckLayout()
        {
            TensorInfo[] ordered = [.. _tensors.Values];
            Array.Sort(ordered, static (a, b) => (a.Offset, a.ByteCount).CompareTo((b.Offset, b.ByteCount)));
            long end = dataStart;
            foreach (TensorInfo info in ordered)
            {
                if (info.Offset < end) throw Bad(info.Name, "overlaps another one");
                if (info.Offset > end)
                    throw Unsound(path, $"{info.Offset - end} bytes before tensor '{Shown(info.Name)}' belong to no tensor");
                end += info.ByteCount;
            }
            if (end != dataStart + dataLength) throw Unsound(path, $"its last {dataStart + dataLength - end} bytes belong to no tensor");
        }

        private DoriException Bad(string name, string what) => Unsound(path, $"tensor '{Shown(name)}' {what}");
    }
}
