using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using static TorchSharp.torch;

namespace Dori.Tests.Support;

/// <summary>Reads a golden <c>.safetensors</c> file without the library's own reader, which these files are there to test.</summary>
internal static class GoldenFile
{
    /// <param name="name">Path below Goldens, with or without <c>.safetensors</c>. F32 and I64 tensors only.</param>
    public static Dictionary<string, Tensor> Read(string name)
    {
        byte[] file =
            File.ReadAllBytes(Golden.PathOf(name.EndsWith(".safetensors", StringComparison.Ordinal) ? name : name + ".safetensors"));
        int header = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(file));
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (JsonProperty entry in json.RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__") continue;
            long[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(n => n.GetInt64())];
            int[] range = [.. entry.Value.GetProperty("data_offsets").EnumerateArray().Select(n => 8 + header + n.GetInt32())];
            ReadOnlySpan<byte> data = file.AsSpan(range[0]..range[1]);
            tensors[entry.Name] = entry.Value.GetProperty("dtype").GetString() switch
            {
                "F32" => tensor(MemoryMarshal.Cast<byte, float>(data).ToArray(), shape),
                "I64" => tensor(MemoryMarshal.Cast<byte, long>(data).ToArray(), shape),
                string other => throw new NotSupportedException($"{name}: {entry.Name} is {other}"),
                null => throw new InvalidDataException(name),
            };
        }
        return tensors;
    }
}
