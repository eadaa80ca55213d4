using System.Text;
using Dori.Checkpoints;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

public class SafetensorsFileTests
{
    /// <summary>Each header stands before 8 bytes of data and breaks one rule; the words are from the rule's message.</summary>
    public static TheoryData<string, string> UnsoundHeaders => new()
    {
        { "", "does not start with '{'" },
        { "[]", "does not start with '{'" },
        { """ {"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "does not start with '{'" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}""", "not proper JSON" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}} x""", "not proper JSON" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},}""", "not proper JSON" },
        { """{"a":{"dtype":"U8","shape":[8],/**/"data_offsets":[0,8]}}""", "not proper JSON" },
        { """{"\ud800":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "not proper JSON" },
        { """{"a":[[[[[]]]]]}""", "is not an object" },
        { """{"a":{"dtype":"U8","shape":[[8]],"data_offsets":[0,8]}}""", "not proper JSON" }, // nested deeper than any sound header
        { """{"a":null}""", "is not an object" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""",
            "'a' is there twice" },
        { """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""",
            "'a' is there twice" },
        { """{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""", "dtype 'F8_E4M3'" },
        { """{"a":{"dtype":"u8","shape":[8],"data_offsets":[0,8]}}""", "dtype 'u8'" },
        { """{"a":{"dtype":8,"shape":[8],"data_offsets":[0,8]}}""", "a dtype that is not a string" },
        { """{"a":{"shape":[8],"data_offsets":[0,8]}}""", "lacks one of" },
        { """{"a":{"dtype":"U8","data_offsets":[0,8]}}""", "lacks one of" },
        { """{"a":{"dtype":"U8","shape":[8]}}""", "lacks one of" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[8]}}""", "lacks one of" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,4,8]}}""", "more than 2 numbers in data_offsets" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"strides":[1]}}""", "field 'strides'" },
        { """{"a":{"dtype":"U8","dtype":"I8","shape":[8],"data_offsets":[0,8]}}""", "field 'dtype'" },
        { """{"a":{"dtype":"U8","shape":8,"data_offsets":[0,8]}}""", "a shape that is not an array" },
        { """{"a":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}}""", "whole numbers" },
        { """{"a":{"dtype":"U8","shape":[-2,-4],"data_offsets":[0,8]}}""", "whole numbers" },
        { """{"a":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}}""", "whole numbers" },
        { """{"a":{"dtype":"U8","shape":[8e0],"data_offsets":[0,8]}}""", "whole numbers" },
        { """{"a":{"dtype":"U8","shape":["8"],"data_offsets":[0,8]}}""", "whole numbers" },
        { """{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,8]}}""", "whole numbers" },
        { """{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,8],"data_offsets":[0,8]}}""", "more than 8 numbers in shape" },
        { """{"a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,8]}}""", "too large" }, // 2^32 modulo 2^64
        { """{"a":{"dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8]}}""", "too large" }, // 8 bytes modulo 2^64
        {
            """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[0,9223372036854775807,3],"data_"""
            + """offsets":[8,8]}}""", "too large"
        },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[-1,7]}}""", "whole numbers" },
        { """{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}""", "the file has 8 bytes of data" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}}""", "the file has 8 bytes of data" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[9223372036854775807,9223372036854775807]}}""", "the file has 8 bytes of data" },
        { """{"a":{"dtype":"U8","shape":[7],"data_offsets":[0,8]}}""", "ask for 7" },
        { """{"a":{"dtype":"F32","shape":[],"data_offsets":[0,8]}}""", "ask for 4" },
        { """{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", "'b' overlaps" },
        { """{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "overlaps" },
        { """{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""",
            "1 bytes before tensor 'b'" },
        { """{"a":{"dtype":"U8","shape":[7],"data_offsets":[1,8]}}""", "1 bytes before tensor 'a'" },
        { """{"a":{"dtype":"U8","shape":[7],"data_offsets":[0,7]}}""", "last 1 bytes" },
        { "{}", "last 8 bytes" },
        { """{"__metadata__":{"step":1},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "'step' is not a string" },
        { """{"__metadata__":"pt","a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "__metadata__ is not an object" },
        { """{"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "'k' is there twice" },
        { """{"__metadata__":{},"__metadata__":{},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "__metadata__ is there twice" },
    };

    [Theory]
    [MemberData(nameof(UnsoundHeaders))]
    public void Unsound_headers_are_refused_with_the_reason(string header, string reason)
    {
        using var scratch = new SafetensorsScratch();
        AssertRefused(scratch.Write("x.safetensors", header, 8), reason);
    }

    [Fact]
    public void A_header_that_is_not_utf8_is_refused()
    {
        using var scratch = new SafetensorsScratch();
        byte[] header = [.. "{\""u8, 0xC3, 0x28, .. "\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}"u8];
        AssertRefused(scratch.Write("x.safetensors", header, 8), "not UTF-8");
    }

    [Theory]
    [InlineData(ulong.MaxValue, "100000000 at most")]
    [InlineData(1UL << 63, "100000000 at most")]
    [InlineData(100_000_001UL, "100000000 at most")]
    [InlineData(100_000_000UL, "the whole file has 18")]
    [InlineData(11UL, "the whole file has 18")]
    public void A_header_longer_than_the_file_or_the_limit_is_refused(ulong length, string reason)
    {
        using var scratch = new SafetensorsScratch();
        byte[] file = SafetensorsScratch.Prefixed(length, Encoding.UTF8.GetBytes("{}        "), []);
        AssertRefused(scratch.WriteBytes("x.safetensors", file), reason);
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        using var scratch = new SafetensorsScratch();
        byte[] whole = File.ReadAllBytes(scratch.Write("whole", Sound, 8));
        using (SafetensorsFile.Open(scratch.PathOf("whole"))) { }
        for (int length = 0; length < whole.Length; length++) AssertRefused(scratch.WriteBytes("cut", whole[..length]), "cut");
    }

    [Fact]
    public void Files_that_cannot_be_opened_are_refused()
    {
        using var scratch = new SafetensorsScratch();
        AssertRefused(scratch.PathOf("absent"), "absent");
        AssertRefused(scratch.Folder, "a folder");
        AssertRefused("nul\0l", "cannot read");
    }

    [Fact]
    public void A_long_name_is_cut_short_in_the_message_so_that_the_reason_stays()
    {
        using var scratch = new SafetensorsScratch();
        string name = new('n', 100_000);
        AssertRefused(scratch.Write("x", $$$"""{"{{{name}}}":{"dtype":"U8","shape":[7],"data_offsets":[0,8]}}""", 8), "ask for 7");
    }

    private const string Sound =
        """{"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2,3],"data_offsets":[2,8]},"a":{"dty"""
        + """pe":"BF16","shape":[],"data_offsets":[0,2]},"e":{"dty"""
        + """pe":"F64","shape":[3,0],"data_offsets":[2,2]}}   """;

    [Fact]
    public void A_sound_header_tells_names_shapes_offsets_and_metadata()
    {
        using var scratch = new SafetensorsScratch();
        using SafetensorsFile file = SafetensorsFile.Open(scratch.Write("x", Sound, 8));
        Assert.Equal(["a", "b", "e"], file.Tensors.Keys.Order());
        Assert.Equal(new KeyValuePair<string, string>("format", "pt"), Assert.Single(file.Metadata));
        TensorInfo b = file.Tensors["b"];
        Assert.Equal((ScalarType.Byte, 8 + Sound.Length + 2, 6), (b.Dtype, b.Offset, b.ByteCount));
        Assert.Equal([2L, 3L], b.Shape);
        Assert.Empty(file.Tensors["a"].Shape);
        using Tensor read = file.Read("b"), empty = file.Read("e");
        Assert.Equal([0, 1, 0, 1, 0, 1], read.bytes.ToArray());
        Assert.Equal([3L, 0L], empty.shape);
        DoriException e = Assert.Throws<DoriException>(() => file.Read("c"));
        Assert.Contains(file.Path, e.Message, StringComparison.Ordinal);
        Assert.Contains("'c'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_shrinks_after_opening_fails_by_tensor_name()
    {
        using var scratch = new SafetensorsScratch();
        string path = scratch.Write("x", Sound, 8);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (!OperatingSystem.IsWindows()) // there, the open file cannot be cut
        {
            using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                stream.SetLength(8 + Sound.Length + 4);
            Assert.Contains("tensor 'b'", Assert.Throws<DoriException>(() => file.Read("b")).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Golden_files_read_as_their_bytes_say_from_many_threads()
    {
        foreach (string name in new[] { "hash", "checkpoints/single/diffusion_pytorch_model", "emoji_pipeline" })
        {
            Dictionary<string, Tensor> expected = GoldenFile.Read(name);
            using SafetensorsFile file = SafetensorsFile.Open(Golden.PathOf(name + ".safetensors"));
            Assert.Equal(expected.Keys.Order(), file.Tensors.Keys.Order());
            Parallel.ForEach(expected.Concat(expected), pair =>
            {
                using Tensor read = file.Read(pair.Key);
                Assert.Equal(pair.Value.dtype, read.dtype);
                Assert.Equal(pair.Value.shape, read.shape);
                Assert.True(read.bytes.SequenceEqual(pair.Value.bytes), pair.Key);
            });
            foreach (Tensor t in expected.Values) t.Dispose();
        }
    }

    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void Tensors_over_2_GB_are_read_whole()
    {
        using var scratch = new SafetensorsScratch();
        const long count = (1L << 31) + 1000;
        string header = $$$"""{"a":{"dtype":"U8","shape":[{{{count}}}],"data_offsets":[0,{{{count}}}]}}""";
        string path = scratch.Write("x", header, 0);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write)) // sparse
        {
            stream.SetLength(8 + header.Length + count);
            stream.Position = 8 + header.Length + count - 1;
            stream.WriteByte(7);
        }
        using SafetensorsFile file = SafetensorsFile.Open(path);
        using Tensor read = file.Read("a"), last = read.narrow(0, count - 1, 1);
        Assert.Equal(7, last.bytes[0]);
    }

    private static void AssertRefused(string path, string reason)
    {
        DoriException e = Assert.Throws<DoriException>(() => SafetensorsFile.Open(path).Dispose());
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(e.Message, char.IsControl);
    }
}
