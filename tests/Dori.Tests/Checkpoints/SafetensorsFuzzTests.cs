using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dori.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

/// <summary>Mutated files are read soundly or refused in one line, in memory in proportion to the file.</summary>
public partial class SafetensorsFuzzTests
{
    private const int Mutants = 2000;

    private static readonly string[] s_headers =
    [
        """{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dty"""
        + """pe":"F16","shape":[4],"data_offsets":[24,32]},"s":{"dty"""
        + """pe":"U8","shape":[],"data_offsets":[32,33]},"e":{"dtype":"BOOL","shape":[0,7],"data_offsets":[33,33]}}   """,
        """{"i":{"dtype":"I64","shape":[1,1,2],"data_offsets":[0,16]},"t":{"dty"""
        + """pe":"BF16","shape":[2,2,2],"data_offsets":[16,32]},"q":{"dty"""
        + """pe":"BOOL","shape":[1],"data_offsets":[32,33]}}""",
    ];

    private static readonly string[] s_numbers =
    [
        "0", "-0", "-1", "1", "2", "3", "4", "7", "8", "16", "24", "32", "33", "34", "255", "256", "2147483647", "2147483648", "4294967296",
            "4611686018427387904",
        "9223372036854775807", "9223372036854775808", "18446744073709551615", "-9223372036854775808", "1e3", "1E999", "0.5", "00",
            "99999999999999999999999999999999", "null",
    ];

    private static readonly string[] s_tokens =
    [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "null", "true", "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"",
            "\"F32\"", "\"F64\"", "\"F16\"", "\"I8\"",
        "\"U8\"", "\"BOOL\"", "\"C64\"", "\"w\"", "\"b\"", "\"\\u0000\"", "\"\\ud83d\"", "\" \"", "//", "\u2028", "\0", "\r\n", "NaN",
            "Infinity", "[0,0]", "[]", "{}",
    ];

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Number();

    [GeneratedRegex("\"[^\"]*\"|[0-9]+|[{}\\[\\],:]")]
    private static partial Regex Token();

    [Fact]
    public void Mutated_files_load_soundly_or_are_refused_in_one_line()
    {
        using var scratch = new SafetensorsScratch();
        string path = scratch.PathOf("mutant.safetensors");
        var random = new Random(20260117);
        int sound = 0, refused = 0;
        for (int i = 0; i < Mutants; i++)
        {
            byte[] file = Mutant(random, i);
            File.WriteAllBytes(path, file);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Exception? thrown = null;
            try { ReadAll(path); }
            catch (Exception e) { thrown = e; }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            string mutant = $"mutant {i}, {file.Length} bytes: {Encoding.Latin1.GetString(file[..Math.Min(file.Length, 1000)])}";
            Assert.True(allocated <= (1 << 20) + 64L * file.Length, $"{allocated} bytes allocated for {mutant}");
            if (thrown is null)
            {
                AssertAgreesWithFile(path, file, mutant);
                sound++;
            }
            else
            {
                Assert.True(thrown is DoriException, $"{thrown} from {mutant}");
                Assert.False(string.IsNullOrWhiteSpace(thrown.Message) || thrown.Message.Any(char.IsControl), mutant);
                refused++;
            }
        }
        // Both outcomes are exercised, or the mutations are too wild or too tame to say anything.
        Assert.True(sound >= Mutants / 20 && refused >= Mutants / 2, $"{sound} sound, {refused} refused");
    }

    private static void ReadAll(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (string name in file.Tensors.Keys) file.Read(name).Dispose();
    }

    /// <summary>Another parser and the bytes themselves say the same, and the tensors' bytes make up the whole of the data.</summary>
    private static void AssertAgreesWithFile(string path, byte[] bytes, string mutant)
    {
        int data = 8 + checked((int)BitConverter.ToUInt64(bytes));
        using JsonDocument json = JsonDocument.Parse(bytes.AsMemory(8..data));
        using SafetensorsFile file = SafetensorsFile.Open(path);
        JsonProperty[] entries = [.. json.RootElement.EnumerateObject().Where(e => e.Name != "__metadata__")];
        Assert.Equal(entries.Length, file.Tensors.Count);
        Assert.True(bytes.Length - data == file.Tensors.Values.Sum(t => t.ByteCount), mutant);
        foreach (JsonProperty entry in entries)
        {
            TensorInfo info = file.Tensors[entry.Name];
            int[] offsets = [.. entry.Value.GetProperty("data_offsets").EnumerateArray().Select(n => n.GetInt32())];
            Assert.True((data + offsets[0], offsets[1] - offsets[0]) == (info.Offset, info.ByteCount), mutant);
            using Tensor read = file.Read(entry.Name);
            Assert.Equal(entry.Value.GetProperty("shape").EnumerateArray().Select(n => n.GetInt64()), read.shape);
            Assert.Equal(info.Dtype, read.dtype);
            Assert.Equal(info.ByteCount, read.NumberOfElements * read.ElementSize);
            if (info.ByteCount > 0) Assert.True(read.bytes.SequenceEqual(bytes.AsSpan(data + offsets[0], (int)info.ByteCount)), mutant);
        }
    }

    private static byte[] Mutant(Random random, int i)
    {
        string text = s_headers[random.Next(s_headers.Length)];
        byte[] data = new byte[33];
        data[^1] = 1;
        if (i % 10 == 9) (text, data) = Large(random);
        byte[] header = Encoding.UTF8.GetBytes(text);
        for (int mutations = random.Next(3); mutations >= 0; mutations--) header = Mutated(header, random);
        // Mostly the length is right, so that the header's own faults are met.
        ulong length = (ulong)header.Length;
        switch (random.Next(12))
        {
            case 0: length =
                random.Next(4) switch { 0 => (ulong)random.NextInt64(), 1 => length + 1, 2 => length - 1,
                _ => ulong.MaxValue - (ulong)random.Next(16) }; break;
            case 1: data = new byte[random.Next(80)]; break;
        }
        byte[] file = SafetensorsScratch.Prefixed(length, header, data);
        return random.Next(12) == 0 ? file[..random.Next(file.Length + 1)] : file;
    }

    /// <summary>Where something quadratic or a memory bomb would show.</summary>
    private static (string Header, byte[] Data) Large(Random random)
    {
        int n = random.Next(1, 2000);
        return random.Next(4) switch
        {
            0 => ("{"
                + string.Join(",",
                Enumerable.Range(0, n).Select(k => $"\"{k}\":{{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[{k},{k + 1}]}}")) + "}",
                new byte[n]),
            1 => ("{"
                + string.Join(",",
                Enumerable.Range(0, n).Select(k => $"\"{k}\":{{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]}}")) + "}", []),
            2 => ("{\"__metadata__\":{" + string.Join(",", Enumerable.Range(0, n).Select(k => $"\"{k}\":\"\"")) + "}}", []),
            _ => ("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + string.Join(",", Enumerable.Repeat("1", n)) + "],\"data_offsets\":[0,1]}}",
                new byte[1]),
        };
    }

    private static byte[] Mutated(byte[] header, Random random)
    {
        int at = random.Next(header.Length + 1), count = random.Next(1, 9);
        switch (random.Next(10))
        {
            case 0: // flip a bit
                if (header.Length > 0) header[random.Next(header.Length)] ^= (byte)(1 << random.Next(8));
                return header;
            case 1: return [.. header[..at], .. header[Math.Min(header.Length, at + count)..]];
            case 2: return [.. header[..at], .. Encoding.UTF8.GetBytes(Pick(s_tokens, random)), .. header[at..]];
            case 3: // random bytes, mostly no UTF-8
                byte[] noise = new byte[count];
                random.NextBytes(noise);
                return [.. header[..at], .. noise, .. header[at..]];
            case 4 or 5: return Replaced(header, Number(), Pick(s_numbers, random), random);
            case 6: return Replaced(header, Token(), Pick(s_tokens, random), random);
            case 7: // deep nesting
                string open = random.Next(2) == 0 ? "[" : "{\"a\":";
                return Replaced(header, Number(), string.Concat(Enumerable.Repeat(open, random.Next(1, 5000))), random);
            case 8: // a harmless change
                return [.. header, .. Encoding.ASCII.GetBytes(new string(' ', count))];
            default: // two tokens in exchange
                string text = Encoding.Latin1.GetString(header);
                MatchCollection matches = Token().Matches(text);
                if (matches.Count == 0) return header;
                return Replaced(header, Token(), matches[random.Next(matches.Count)].Value, random);
        }
    }

    private static byte[] Replaced(byte[] header, Regex what, string by, Random random)
    {
        string text = Encoding.Latin1.GetString(header); // keeps every byte
        MatchCollection matches = what.Matches(text);
        if (matches.Count == 0) return header;
        Match match = matches[random.Next(matches.Count)];
        return [.. header[..match.Index], .. Encoding.UTF8.GetBytes(by), .. header[(match.Index + match.Length)..]];
    }

    private static string Pick(string[] from, Random random) => from[random.Next(from.Length)];
}
