using System.Text.Json;
using System.Text;
using Dori.Checkpoints;
using Dori.Models;

namespace Dori.Tests.Checkpoints;

/// <summary>Whatever a config file holds, it is read or refused in one line, in memory in proportion to the file.</summary>
public class ConfigFuzzTests
{
    private const int Mutants = 500, Seed = 20260101;

    private static readonly (string Json, Action<string> Reader)[] s_files =
    [
        (ConfigPublished.UNet21, path => Check(ConfigFiles.ReadUNet(path))),
        (ConfigPublished.Vae21, path => ConfigFiles.ReadVae(path)),
        (ConfigPublished.Text21, path => ConfigFiles.ReadClipText(path)),
        (ConfigPublished.ClipLarge, path => ConfigFiles.ReadClip(path)),
        (ConfigPublished.Scheduler14, path => ConfigFiles.ReadScheduler(path)),
        (ConfigPublished.SchedulerDpm.Replace("-Infinity", "\"-Infinity\"", StringComparison.Ordinal),
            path => ConfigFiles.ReadScheduler(path)),
        (ConfigPublished.Index14, path => DiffusersFolder.ReadIndex(path)),
    ];

    private static readonly string[] s_values =
    [
        "0", "1", "2", "-1", "0.5", "1e5", "2147483647", "2147483648", "-2147483648", "9223372036854775808", "1e308", "1e999", "-1e999",
            "5e-324",
        "NaN", "Infinity", "-Infinity", "null", "true", "false", "\"\"", "\"NaN\"", "\"1\"", "\"silu\"", "\"\\ud800\"", "\"a\\nb\\u0000\"",
            "[]", "{}",
        "[null]", "[1, 2, 3, 4]", "[16384, 16384, 16384, 16384]", "[0, 0, 0, 0]", "[-1, 1e9, \"x\", null]", "{ \"a\": { \"b\": [1] } }",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "\"" + new string('x', 20_000) + "\"",
            "[" + string.Join(",", Enumerable.Repeat("1", 5000)) + "]",
    ];

    [Fact]
    public void EveryMutantIsReadOrRefused()
    {
        using var scratch = new ConfigScratch();
        string path = Path.Combine(scratch.Folder, "config.json");
        var random = new Random(Seed);
        int refused = 0;
        for (int i = 0; i < Mutants; i++)
        {
            (string json, Action<string> reader) = s_files[i % s_files.Length];
            byte[] mutant = Mutate(json, random);
            File.WriteAllBytes(path, mutant);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                reader(path);
            }
            catch (DoriException e)
            {
                refused++;
                Assert.False(e.Message.Any(char.IsControl), $"mutant {i}: {e.Message}");
                Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
            }
            catch (Exception e)
            {
                Assert.Fail($"mutant {i}: {e.GetType().Name}: {e.Message} at {Encoding.UTF8.GetString(mutant)}");
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= (4 << 20) + 64L * mutant.Length, $"mutant {i}: {allocated} bytes for a file of {mutant.Length}");
        }
        Assert.InRange(refused, Mutants / 4, Mutants - 20); // the mutants are neither all sound nor all broken
    }

    private static void Check(UNetConfig config)
    {
        int levels = config.BlockOutChannels.Count;
        Assert.InRange(levels, 1, 8);
        Assert.All(config.BlockOutChannels, channels => Assert.InRange(channels, 1, 16384));
        Assert.All(config.BlockOutChannels, channels => Assert.Equal(0, channels % config.NormNumGroups));
        Assert.Equal([levels, levels, levels], [config.DownBlockTypes.Count, config.UpBlockTypes.Count, config.NumAttentionHeads.Count]);
        Assert.InRange(config.LayersPerBlock, 1, 100);
    }

    private static byte[] Mutate(string json, Random random)
    {
        int kind = random.Next(10);
        if (kind == 0) return Encoding.UTF8.GetBytes(json[..random.Next(json.Length)]);
        if (kind == 1) return Flip(Encoding.UTF8.GetBytes(json), random);
        for (int times = random.Next(1, 3); times > 0; times--) json = MutateObject(json, random);
        return Encoding.UTF8.GetBytes(json);
    }

    private static byte[] Flip(byte[] bytes, Random random)
    {
        for (int times = random.Next(1, 4); times > 0; times--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }

    /// <summary>One member's value replaced, or the member removed or doubled; goes into nested objects half of the time.</summary>
    private static string MutateObject(string json, Random random)
    {
        List<(string Key, string Value)> members;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            members =
                [.. document.RootElement.EnumerateObject()
                .Select(member => (JsonSerializer.Serialize(member.Name), member.Value.GetRawText()))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return json; // the mutation before left nothing to take apart
        }
        if (members.Count == 0) return json;
        int at = random.Next(members.Count);
        (string key, string value) = members[at];
        if (value.StartsWith('{') && random.Next(2) == 0) members[at] = (key, MutateObject(value, random));
        else
        {
            switch (random.Next(6))
            {
                case 0: members.RemoveAt(at); break;
                case 1: members.Add((key, value)); break;
                case 2: members.Add(($"\"unknown{random.Next(10)}\"", s_values[random.Next(s_values.Length)])); break;
                default: members[at] = (key, s_values[random.Next(s_values.Length)]); break;
            }
        }
        return $"{{ {string.Join(", ", members.Select(member => $"{member.Key}: {member.Value}"))} }}";
    }
}
