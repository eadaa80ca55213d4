using System.Diagnostics;
using System.Formats.Tar;
using System.Text.Json;
using System.Text;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Models;
using Dori.Pictures;
using Dori.Tests.Reporting;
using Dori.Tests.Support;

namespace Dori.Tests;

/// <summary>
/// Configs, presets, records, archives and metadata that somebody damaged or forged: each is read or refused in one line, in memory in
/// proportion to the file.
/// </summary>
public sealed class InputFuzzTests : IDisposable
{
    private const int Seed = 20260716;

    private sealed record Target(string File, byte[] Sound, Action Read);

    private readonly string _folder = Directory.CreateTempSubdirectory("dori-fuzz").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string PathOf(string name) => Path.Combine(_folder, name);

    [Fact]
    public void EveryMutantIsReadOrRefused() => Run(400, out _);

    [Fact(Explicit = true), Trait("Category", "Slow")]
    public void FiveThousandMutantsAreReadOrRefusedInTwoSecondsEach()
    {
        Run(5000, out TimeSpan longest);
        TestContext.Current.TestOutputHelper?.WriteLine($"the slowest took {longest.TotalMilliseconds:0} ms");
        Assert.InRange(longest, TimeSpan.Zero, TimeSpan.FromSeconds(2));
    }

    private void Run(int count, out TimeSpan longest)
    {
        Target[] targets = Targets();
        foreach (Target target in targets) // all are sound as they are
        {
            File.WriteAllBytes(PathOf(target.File), target.Sound);
            target.Read();
        }
        var random = new Random(Seed);
        int refused = 0;
        longest = TimeSpan.Zero;
        for (int i = 0; i < count; i++)
        {
            Target target = targets[i % targets.Length];
            byte[] mutant = Mutate(target.Sound, random);
            File.WriteAllBytes(PathOf(target.File), mutant);
            long before = GC.GetAllocatedBytesForCurrentThread();
            var clock = Stopwatch.StartNew();
            try
            {
                target.Read();
            }
            catch (DoriException e)
            {
                refused++;
                Assert.DoesNotContain(e.Message, char.IsControl);
                Assert.False(string.IsNullOrWhiteSpace(e.Message));
            }
            catch (Exception e)
            {
                string begin = Encoding.Latin1.GetString(mutant.AsSpan(0, Math.Min(mutant.Length, 3000)));
                Assert.Fail($"mutant {i} of {target.File}: {e}\n{begin}");
            }
            if (clock.Elapsed > longest) longest = clock.Elapsed;
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated < 3L * mutant.Length + 300_000_000,
                $"mutant {i} of {target.File}: {allocated} bytes for {mutant.Length}");
            File.WriteAllBytes(PathOf(target.File), target.Sound);
        }
        Assert.InRange(refused, count / 4, count - count / 50); // neither all sound nor all broken
    }

    private Target[] Targets()
    {
        string emoji = Golden.EmojiModel;
        foreach (string folder in new[] { "model", "tokenizer", "pictures", "lines" }) Directory.CreateDirectory(PathOf(folder));
        foreach (string part in new[] { "unet", "vae", "text_encoder", "scheduler" })
        {
            Directory.CreateDirectory(PathOf($"model/{part}"));
            foreach (string file in Directory.GetFiles(Path.Combine(emoji, part), "*.json"))
                File.Copy(file, PathOf($"model/{part}/{Path.GetFileName(file)}"));
        }
        foreach (string file in Directory.GetFiles(Path.Combine(emoji, "tokenizer")))
            File.Copy(file, PathOf($"tokenizer/{Path.GetFileName(file)}"));
        foreach (string name in new[] { "control-00.png", "verbatim-00.png" })
            foreach (string folder in new[] { "pictures", "lines" })
                File.Copy(Path.Combine(Emoji.Pictures, name), PathOf($"{folder}/{name}"));
        byte[] Of(string name) => File.ReadAllBytes(Path.Combine(emoji, name));
        byte[] unit = JsonSerializer.SerializeToUtf8Bytes(new SampleAudit().Units[3], AuditJson.Default.UnitRecord);
        Summary few = new SampleAudit(controls: 2, verbatim: 1, templates: 1).Summary;
        byte[] summary = JsonSerializer.SerializeToUtf8Bytes(few, AuditJson.Default.Summary);
        void Tokenizer() => ClipTokenizer.Load(PathOf("tokenizer")).Encode("a t shirt");
        return
        [
            new("model/unet/config.json", Of("unet/config.json"), () => ConfigFiles.ReadUNet(PathOf("model/unet/config.json"))),
            new("model/vae/config.json", Of("vae/config.json"), () => ConfigFiles.ReadVae(PathOf("model/vae/config.json"))),
            new("model/text_encoder/config.json", Of("text_encoder/config.json"),
                () => ConfigFiles.ReadClipText(PathOf("model/text_encoder/config.json"))),
            new("model/scheduler/scheduler_config.json", Of("scheduler/scheduler_config.json"),
                () => ConfigFiles.ReadScheduler(PathOf("model/scheduler/scheduler_config.json"))),
            new("tokenizer/vocab.json", Of("tokenizer/vocab.json"), Tokenizer),
            new("tokenizer/tokenizer.json", Of("tokenizer/tokenizer.json"), Tokenizer),
            new("tokenizer/merges.txt", Of("tokenizer/merges.txt"), Tokenizer),
            new("tokenizer/tokenizer_config.json", Of("tokenizer/tokenizer_config.json"), Tokenizer),
            new("preset.json", Of("copy_detector/preset.json"), () => CopyDetectorPreset.Read(PathOf("preset.json"))),
            new("dori.json", Of("dori.json"), () => ModelDefaults.Read(_folder)),
            new("unit.json", unit, () => InputFile.ReadJson(PathOf("unit.json"), InputKind.UnitRecord, AuditJson.Default.UnitRecord)),
            new("summary.json", summary, () => InputFile.ReadJson(PathOf("summary.json"), InputKind.Record, AuditJson.Default.Summary)),
            new("mitigation.json", Encoding.UTF8.GetBytes(Pruning), Mitigation),
            new("mitigation.json", Encoding.UTF8.GetBytes(FirstPruning), Mitigation),
            new("pairs.tar", Archive(), () => OrdinaryPictures.Load(PathOf("pairs.tar"))),
            new("rows.parquet", File.ReadAllBytes(Golden.PathOf("cases/captions-parquet-pages/pages.parquet")),
                () => PictureSet.Load(PathOf("rows.parquet"))),
            new("lines/metadata.jsonl", Encoding.UTF8.GetBytes(Lines), () => PictureSet.Load(PathOf("lines"))),
            new("pictures/metadata.csv",
                "file_name,text,kind,role\ncontrol-00.png,a cat,,control\nverbatim-00.png,\"a, dog\",verbatim,\n"u8.ToArray(), Pictures),
        ];
    }

    private const string Lines = """
        {"file_name": "control-00.png", "text": "a cat", "role": "control", "objects": {"bbox": [1, null]}}
        {"file_name": "verbatim-00.png", "text": "a dog, \u00e4", "kind": "verbatim", "weight": 1e3}

        """;

    private const string Pruning = """
        {"schema": "dori.mitigation/2", "method": "wanda", "options": {"sparsity": 0.1}, "losses": [{"a": 1}], "details": {"pruning":
         {"method": "Wanda", "items": [{"id": "v00", "caption": "a cat", "sha256": ["ef"], "marked": 3, "skipped": false,
           "neurons": {"similarity": 0.5, "threshold": 0.4, "initial": 1, "layers": [[1, 2], [3]], "asked": 0.3}}],
         "layers": [{"layer": "down.0", "rows": 4, "columns": 2, "marked": 3}]}}}
        """;

    private const string FirstPruning = """
        {"schema": "dori.pruning/1", "method": "wanda", "version": "0.1.0", "command": "dori mitigate wanda", "model": "emoji",
         "modelSha256": "ab", "picturesSha256": "cd",
         "wanda": {"sparsity": 0.1, "steps": 10, "latents": 4, "pool": 1, "seed": 0, "guidance": 3, "sampler": "DDIM", "samplerSteps": 25},
         "items": [{"id": "v00", "caption": "a cat", "sha256": ["ef"], "marked": 3, "skipped": false,
           "neurons": {"similarity": 0.5, "initial": 1, "layers": [[1, 2], [3]]}}],
         "layers": [{"layer": "down.0", "rows": 4, "columns": 2, "marked": 3}]}
        """;

    /// <summary>What the report shows of a record that was read.</summary>
    private void Mitigation()
    {
        if (PruningRecord.Read(_folder) is not { } record) return;
        _ = record.NotReached + record.Marked + record.Weights;
        foreach (PrunedItem item in record.Items) _ = item.Id.Length + item.Caption.Length + item.Sha256.Count + item.Neurons?.Layers.Count;
    }

    private void Pictures() => PictureSet.Load(PathOf("pictures"));

    private static byte[] Archive()
    {
        using var stream = new MemoryStream();
        using (var writer = new TarWriter(stream, TarEntryFormat.Pax, leaveOpen: true))
            for (int i = 0; i < 3; i++)
            {
                var attributes = new Dictionary<string, string> { ["comment"] = "x" };
                using MemoryStream picture = new(new byte[700]), caption = new("a cat"u8.ToArray());
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{i}.png", attributes) { DataStream = picture });
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{i}.txt") { DataStream = caption });
            }
        return stream.ToArray();
    }

    private static readonly byte[][] s_pieces = [.. new[]
    {
        "null", "[null]", "{}", "[]", "\"\"", "-1", "1e39", "1e999", "NaN", "-Infinity", "99999999999999999999", "\"\\ud800\"",
        "\"\\u0000\"", "\"a\\nb\"", "true", "\0", "\n", "\r\n", "\"", ",", ":", "{", "}", "\\", "\u202E", "\u001b[31m", "\uFEFF",
        "../../x", "/dev/zero", "\"dori.unit/9\"", "0", "77777777777", "SxgLK", new string('[', 200), new string('x', 20_000),
        string.Concat(Enumerable.Repeat("{\"a\":", 100)), string.Join(',', Enumerable.Repeat("1", 5000)),
    }.Select(Encoding.UTF8.GetBytes)];

    /// <summary>One to four edits: bytes turned, cut out, doubled, or a value that often harms put in or in place of another.</summary>
    private static byte[] Mutate(byte[] sound, Random random)
    {
        List<byte> bytes = [.. sound];
        for (int edits = random.Next(1, 5); edits > 0 && bytes.Count > 0; edits--)
        {
            int at = random.Next(bytes.Count), length = Math.Min(random.Next(1, 64), bytes.Count - at);
            switch (random.Next(8))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.RemoveRange(at, bytes.Count - at); break;
                case 4: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                case 5: bytes.InsertRange(at, s_pieces[random.Next(s_pieces.Length)]); break;
                default: Replace(bytes, at, random); break;
            }
        }
        return [.. bytes];
    }

    /// <summary>A whole JSON value, or field of a table, near a place becomes a piece.</summary>
    private static void Replace(List<byte> bytes, int at, Random random)
    {
        int start = bytes.FindIndex(at, b => b is (byte)':' or (byte)',' or (byte)'[');
        if (start < 0) return;
        int end = bytes.FindIndex(start + 1, b => b is (byte)',' or (byte)'}' or (byte)']' or (byte)'\n');
        if (end < 0) return;
        bytes.RemoveRange(start + 1, end - start - 1);
        bytes.InsertRange(start + 1, s_pieces[random.Next(s_pieces.Length)]);
    }
}
