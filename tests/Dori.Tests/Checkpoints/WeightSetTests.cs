using Dori.Checkpoints;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

public class WeightSetTests
{
    private const string Base = "diffusion_pytorch_model";
    private const string Index = Base + ".safetensors.index.json";

    private static WeightSet OpenGolden(string name) => WeightSet.Open(Golden.PathOf($"checkpoints/{name}"), Base);

    [Fact]
    public void Shards_hold_exactly_what_the_single_file_holds()
    {
        using WeightSet single = OpenGolden("single"), sharded = OpenGolden("sharded");
        Dictionary<string, Tensor> expected = GoldenFile.Read($"checkpoints/single/{Base}");
        Assert.Single(single.Files);
        Assert.Equal(2, sharded.Files.Count);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), single.Names);
        Assert.Equal(single.Names, sharded.Names);
        Assert.Equal(2, sharded.Names.Select(sharded.FileOf).Distinct().Count());
        foreach (string name in single.Names)
        {
            using Tensor a = single.Read(name), b = sharded.Read(name), golden = expected[name];
            Assert.Equal(single.Info(name).Shape, sharded.Info(name).Shape);
            Assert.Equal(golden.shape, b.shape);
            Assert.True(a.bytes.SequenceEqual(golden.bytes) && b.bytes.SequenceEqual(golden.bytes), name);
        }
    }

    [Fact]
    public void The_fp16_variant_holds_the_same_rounded_to_half_precision()
    {
        using WeightSet single = OpenGolden("single"), half = OpenGolden("fp16");
        Assert.Equal(single.Names, half.Names);
        foreach (string name in single.Names)
        {
            using var scope = NewDisposeScope();
            Tensor rounded = half.Read(name);
            Assert.Equal(ScalarType.Float16, rounded.dtype);
            float[] expected = [.. single.Read(name).data<float>()], actual = [.. rounded.to(ScalarType.Float32).data<float>()];
            // Half of the last of 11 bits; 2^-25 is half of the smallest subnormal.
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= Math.Max(Math.Abs(expected[i]) / 2048, 1 / 33554432f), name);
        }
    }

    [Fact]
    public void Full_precision_is_preferred_and_each_variant_s_name_is_known()
    {
        using var scratch = new SafetensorsScratch();
        WriteTensors(scratch, $"{Base}.fp16.safetensors", "a");
        AssertOpens($"{Base}.fp16.safetensors");
        WriteShard("16.safetensors", $"{Base}.safetensors.index.fp16.json");
        Refused(scratch.Folder, "has both"); // which one do the user's pictures come from?
        File.Delete(scratch.PathOf($"{Base}.fp16.safetensors"));
        AssertOpens("16.safetensors");
        File.Move(scratch.PathOf($"{Base}.safetensors.index.fp16.json"), scratch.PathOf($"{Base}.fp16.safetensors.index.json"));
        AssertOpens("16.safetensors");
        WriteShard("32.safetensors", Index);
        AssertOpens("32.safetensors");
        WriteTensors(scratch, $"{Base}.safetensors", "a");
        Refused(scratch.Folder, "has both");
        File.Delete(scratch.PathOf(Index));
        AssertOpens($"{Base}.safetensors");

        void WriteShard(string shard, string index)
        {
            WriteTensors(scratch, shard, "a");
            File.WriteAllText(scratch.PathOf(index), $$$"""{"weight_map":{"a":"{{{shard}}}"}}""");
        }

        void AssertOpens(string file)
        {
            using WeightSet set = WeightSet.Open(scratch.Folder, Base);
            Assert.Equal([scratch.PathOf(file)], set.Files);
            Assert.Equal(scratch.PathOf(file), set.FileOf("a"));
        }
    }

    public static TheoryData<string, string> BadIndexes => new()
    {
        { """{"weight_map":{"a":"1.safetensors"}}""", "does not list 'b'" },
        { """{"weight_map":{"a":"1.safetensors","b":"1.safetensors","c":"1.safetensors"}}""", "lists 'c'" },
        { """{"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors"}}""", "does not list 'b' for 1.safetensors" },
        { """{"weight_map":{"a":"1.safetensors","b":"1.safetensors","c":"3.safetensors"}}""", "3.safetensors" }, // which does not exist
        { """{"weight_map":{"a":"1.safetensors","b":"../1.safetensors"}}""", "not the name of" },
        { """{"weight_map":{"a":"/1.safetensors","b":"1.safetensors"}}""", "not the name of" },
        { """{"weight_map":{"a":"..\\1.safetensors","b":"1.safetensors"}}""", "not the name of" },
        { """{"weight_map":{"a":"C:1.safetensors","b":"1.safetensors"}}""", "not the name of" },
        { """{"weight_map":{"a":"1.bin","b":"1.safetensors"}}""", "not the name of" },
        { """{"weight_map":{"a":1,"b":"1.safetensors"}}""", "not the name of" },
        { """{"weight_map":{"a":"1.safetensors","b":"1.safetensors","a":"1.safetensors"}}""", "cannot read" },
        { """{"weight_map":{"a":"1.safetensors","b":"\ud800.safetensors"}}""", "cannot read" },
        { """{"weight_map":["1.safetensors"]}""", "no weight_map" },
        { """{"weight_map":{}}""", "no weight_map" },
        { """{"metadata":{}}""", "no weight_map" },
        { "[]", "no weight_map" },
        { "", "cannot read" },
    };

    [Theory]
    [MemberData(nameof(BadIndexes))]
    public void An_index_that_disagrees_with_its_shards_is_refused(string index, string reason)
    {
        using var scratch = new SafetensorsScratch();
        WriteTensors(scratch, "1.safetensors", "a", "b");
        WriteTensors(scratch, "2.safetensors", "c");
        File.WriteAllText(scratch.PathOf(Index), """{"weight_map":{"a":"1.safetensors","b":"1.safetensors","c":"2.safetensors"}}""");
        using (WeightSet sound = WeightSet.Open(scratch.Folder, Base)) Assert.Equal(["a", "b", "c"], sound.Names);
        File.WriteAllText(scratch.PathOf(Index), index);
        Refused(scratch.Folder, reason);
    }

    [Fact]
    public void A_tensor_in_two_shards_is_refused()
    {
        using var scratch = new SafetensorsScratch();
        WriteTensors(scratch, "1.safetensors", "a", "b");
        WriteTensors(scratch, "2.safetensors", "a");
        File.WriteAllText(scratch.PathOf(Index), """{"weight_map":{"a":"2.safetensors","b":"1.safetensors"}}""");
        Refused(scratch.Folder, "does not list 'a' for 1.safetensors");
    }

    [Theory]
    [InlineData("diffusion_pytorch_model.bin")]
    [InlineData("model.CKPT")]
    public void Pickled_weights_are_refused_with_the_way_to_convert_them(string name)
    {
        using var scratch = new SafetensorsScratch();
        scratch.WriteBytes(name, []);
        Refused(scratch.Folder, $"only pickled weights ({name})");
        Refused(scratch.Folder, "save_pretrained(..., safe_serialization=True)");
        WriteTensors(scratch, $"{Base}.safetensors", "a");
        WeightSet.Open(scratch.Folder, Base).Dispose(); // the pickle beside it is of no concern
    }

    [Fact]
    public void Nothing_there_is_told_as_such()
    {
        using var scratch = new SafetensorsScratch();
        Refused(scratch.Folder, $"{Base}.safetensors");
        Refused(scratch.PathOf("absent"), "is not a folder");
    }

    [Fact]
    public void An_unknown_name_is_an_error_that_names_it()
    {
        using WeightSet set = OpenGolden("single");
        foreach (Action action in new Action[] { () => set.Info("x.y"), () => set.Read("x.y").Dispose(), () => set.FileOf("x.y") })
            Assert.Contains("'x.y'", Assert.Throws<DoriException>(action).Message, StringComparison.Ordinal);
    }

    private static void WriteTensors(SafetensorsScratch scratch, string file, params string[] names)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(scratch.PathOf(file), [.. names.Select(name => (name, zeros(2)))]);
    }

    private static void Refused(string folder, string reason)
    {
        DoriException e = Assert.Throws<DoriException>(() => WeightSet.Open(folder, Base).Dispose());
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }
}
