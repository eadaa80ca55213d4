using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dori.Checkpoints;
using Dori.Checkpoints.SingleFile;
using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Support;

namespace Dori.Tests.Checkpoints.SingleFile;

/// <summary>A file alone is enough: the program's own configs and vocabulary, at the published models' real size.</summary>
public sealed class BuiltInConfigsTests : IDisposable
{
    private readonly SafetensorsScratch _scratch = new();

    [Fact]
    public void The_programs_own_vocabulary_gives_the_golden_ids()
    {
        ClipTokenizer tokenizer = BuiltInConfigs.Tokenizer("sd1");
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Golden.PathOf("tokenizer.jsonl.gz")), CompressionMode.Decompress),
            Encoding.UTF8);
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument row = JsonDocument.Parse(line);
            Assert.Equal(row.RootElement.GetProperty("padded").EnumerateArray(
                ).Select(id => id.GetInt32()), tokenizer.EncodePadded(row.RootElement.GetProperty("text").GetString()!));
        }
        Assert.Equal((49408, 77, 0), (tokenizer.VocabularySize, tokenizer.MaxLength, BuiltInConfigs.Tokenizer("sd2").PadId));
    }

    /// <summary>Names and shapes of the whole file, header alone: the data are a hole.</summary>
    [Fact]
    public void A_file_alone_opens_as_SD1_with_every_weight_of_the_networks()
    {
        Checkpoint model = Checkpoint.Open(Hollow("sd1"));
        AssertShapes("unet_sd1.keys.json", model.OpenUNet());
        AssertShapes("vae_sd1.keys.json", model.OpenVae());
        using WeightSet text = model.OpenTextEncoder();
        Assert.Equal(196, text.Names.Count);
        Assert.Equal(("PNDMScheduler", "epsilon", 64), (model.Scheduler.ClassName, model.Scheduler.PredictionType, model.UNet.SampleSize));
    }

    [Fact]
    public void SDXL_is_known_and_not_run() =>
        Assert.Contains("an SDXL model in a single file", Assert.Throws<DoriException>(() => Checkpoint.Open(Hollow("sdxl"))).Message,
            StringComparison.Ordinal);

    /// <summary>
    /// Loads all of it: no key is left over, no parameter without its weight. SD 2's prediction is told by a pass through the UNet.
    /// </summary>
    [Theory(Explicit = true)]
    [Trait("Category", "Slow")]
    [InlineData("sd1", 512)]
    [InlineData("sd2", 512)]
    public void A_file_of_full_size_loads_without_a_key_left_over(string kind, int side)
    {
        Checkpoint checkpoint = Checkpoint.Open(Hollow(kind));
        using DiffusionModel model = DiffusionModel.Load(checkpoint);
        Assert.Equal(side, model.PictureSize);
        if (kind != "sd2") return;
        // zeros are no velocity
        Assert.Contains(checkpoint.Notes, note => note.Contains("predicts noise: told from the weights", StringComparison.Ordinal));
        Assert.Contains(checkpoint.Details, note => note.Contains("the text encoder's layer 24", StringComparison.Ordinal));
    }

    /// <summary>
    /// A file with the golden table's names and shapes, float16; SD 2's with the layer and heads that published files hold besides.
    /// </summary>
    private string Hollow(string kind)
    {
        var header = new JsonObject();
        long at = 0;
        void Add(string name, long[] shape)
        {
            long bytes = 2 * shape.Aggregate(1L, (a, b) => a * b);
            header[name] = new JsonObject { ["dtype"] = "F16", ["shape"] = new JsonArray([.. shape.Select(n => (JsonNode)n)]),
                ["data_offsets"] = new JsonArray(at, at + bytes) };
            at += bytes;
        }
        foreach (string part in kind == "sdxl" ? ["unet", "vae", "text_encoder", "text_encoder_2"]
            : new[] { "unet", "vae", "text_encoder" })
            foreach ((string single, JsonElement target) in NamesTests.Table(kind, part))
                Add(single, Shape(part, single, target));
        if (kind == "sd2")
        {
            foreach ((string single, JsonElement target) in NamesTests.Table(kind, "text_encoder")
                .Where(row => row.Single.Contains(".resblocks.22.", StringComparison.Ordinal)))
                Add(single.Replace(".resblocks.22.", ".resblocks.23.", StringComparison.Ordinal), Shape("text_encoder", single, target));
            Add("cond_stage_model.model.text_projection", [1024, 1024]);
            Add("cond_stage_model.model.logit_scale", []);
        }
        byte[] json = Encoding.UTF8.GetBytes(header.ToJsonString());
        string path = _scratch.WriteBytes(kind + ".safetensors", SafetensorsScratch.Prefixed((ulong)json.Length, json, []));
        using FileStream file = File.OpenWrite(path);
        file.SetLength(8 + json.Length + at);
        return path;
    }

    private static long[] Shape(string part, string single, JsonElement target)
    {
        long[] shape = target[0].ValueKind == JsonValueKind.Array
            ? [3 * target[0][1][0].GetInt64(), .. target[0][1].EnumerateArray().Skip(1).Select(n => n.GetInt64())]
            : [.. target[1].EnumerateArray().Select(n => n.GetInt64())];
        return part == "vae" && single.Contains(".attn_1.", StringComparison.Ordinal) && shape.Length == 2 ? [.. shape, 1, 1] : shape;
    }

    private static void AssertShapes(string keys, WeightSet weights)
    {
        using WeightSet _ = weights;
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Golden.PathOf(keys)));
        Assert.Equal(json.RootElement.EnumerateObject(
            ).Select(p => (p.Name, string.Join(',', p.Value.EnumerateArray()))).OrderBy(p => p.Name, StringComparer.Ordinal),
            weights.Names.Select(name => (name, string.Join(',', weights.Info(name).Shape))));
    }

    public void Dispose() => _scratch.Dispose();
}
