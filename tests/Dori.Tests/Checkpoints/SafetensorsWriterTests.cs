using CsCheck;
using Dori.Checkpoints;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

public class SafetensorsWriterTests
{
    private static readonly ScalarType[] s_dtypes =
    [
        ScalarType.Float64, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16, ScalarType.Int64,
        ScalarType.Int32, ScalarType.Int16, ScalarType.Int8, ScalarType.Byte, ScalarType.Bool,
    ];

    private static readonly string[] s_pieces = ["a", "b", "weight", ".", "0", "\"", "\\", "\n", "é", "語", "😀", "\u2028", " ", "<"];

    private static readonly Gen<string> s_text = OneOf(s_pieces).List[0, 6].Select(string.Concat);

    private static readonly Gen<(string Name, ScalarType Dtype, long[] Shape, int Seed)> s_tensor =
        Gen.Select(s_text, OneOf(s_dtypes), Gen.Long[0, 4].Array[0, 4], Gen.Int);

    private static Gen<T> OneOf<T>(T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    [Fact]
    public void What_is_written_is_read_back_bit_for_bit() =>
        Gen.Select(s_tensor.List[0, 8], Gen.Dictionary(s_text, s_text)[0, 3]).Sample((entries, metadata) =>
        {
            using var scratch = new SafetensorsScratch();
            using var scope = NewDisposeScope();
            (string Name, Tensor Tensor)[] tensors =
                [.. entries.DistinctBy(e => e.Name).Select(e => (e.Name, Filled(e.Dtype, e.Shape, e.Seed)))];
            SafetensorsWriter.Write(scratch.PathOf("x"), tensors, metadata);
            using SafetensorsFile file = SafetensorsFile.Open(scratch.PathOf("x"));
            Assert.Equal(tensors.Select(t => t.Name).Order(StringComparer.Ordinal), file.Tensors.Keys.Order(StringComparer.Ordinal));
            Assert.Equal(metadata.OrderBy(p => p.Key, StringComparer.Ordinal), file.Metadata.OrderBy(p => p.Key, StringComparer.Ordinal));
            foreach ((string name, Tensor tensor) in tensors)
            {
                Tensor read = file.Read(name);
                Assert.Equal(tensor.dtype, read.dtype);
                Assert.Equal(tensor.shape, read.shape);
                Assert.Equal(Bytes(tensor), Bytes(read));
                Assert.Equal(0, file.Tensors[name].Offset % tensor.ElementSize);
            }
            // The order in which tensors are given does not show.
            SafetensorsWriter.Write(scratch.PathOf("y"), [.. tensors.Reverse()], metadata);
            Assert.Equal(File.ReadAllBytes(scratch.PathOf("x")), File.ReadAllBytes(scratch.PathOf("y")));
            Assert.Equal(2, Directory.GetFileSystemEntries(scratch.Folder).Length);
        }, iter: 200, threads: 1);

    private static Tensor Filled(ScalarType dtype, long[] shape, int seed)
    {
        Tensor tensor = empty(shape, dtype);
        if (tensor.NumberOfElements == 0) return tensor;
        Span<byte> bytes = tensor.bytes;
        new Random(seed).NextBytes(bytes);
        if (dtype == ScalarType.Bool)
        {
            foreach (ref byte b in bytes) b &= 1;
        }
        return tensor;
    }

    private static byte[] Bytes(Tensor tensor) => tensor.NumberOfElements == 0 ? [] : tensor.bytes.ToArray();

    /// <summary>The golden files were written by the reference implementation.</summary>
    [Theory]
    [InlineData("checkpoints/single/diffusion_pytorch_model.safetensors")]
    [InlineData("checkpoints/fp16/diffusion_pytorch_model.fp16.safetensors")]
    [InlineData("hash.safetensors")]
    [InlineData("emoji_pipeline.safetensors")]
    [InlineData("schedulers.safetensors")]
    public void The_reference_implementation_s_files_come_out_byte_for_byte(string name)
    {
        using var scratch = new SafetensorsScratch();
        using var scope = NewDisposeScope();
        using SafetensorsFile golden = SafetensorsFile.Open(Golden.PathOf(name));
        SafetensorsWriter.Write(scratch.PathOf("x"), [.. golden.Tensors.Keys.Select(key => (key, golden.Read(key)))],
            golden.Metadata.Count > 0 ? golden.Metadata : null);
        Assert.Equal(File.ReadAllBytes(golden.Path), File.ReadAllBytes(scratch.PathOf("x")));
    }

    [Fact]
    public void Views_are_written_in_their_own_order()
    {
        using var scratch = new SafetensorsScratch();
        using var scope = NewDisposeScope();
        Tensor view = tensor(new long[] { 1, 2, 3, 4, 5, 6 }, [2, 3]).t();
        SafetensorsWriter.Write(scratch.PathOf("x"), [("t", view)]);
        using SafetensorsFile file = SafetensorsFile.Open(scratch.PathOf("x"));
        Assert.Equal([1L, 4, 2, 5, 3, 6], file.Read("t").data<long>().ToArray());
    }

    [Fact]
    public void Names_that_clash_and_dtypes_without_a_place_are_refused_and_leave_the_old_file()
    {
        using var scratch = new SafetensorsScratch();
        using var scope = NewDisposeScope();
        string path = scratch.WriteBytes("x", [1, 2, 3]);
        Tensor a = zeros(2), complex = zeros([2], ScalarType.ComplexFloat32);
        Assert.Contains("'a'", Refused([("a", a), ("a", a)]), StringComparison.Ordinal);
        Assert.Contains("__metadata__", Refused([("__metadata__", a)]), StringComparison.Ordinal);
        Assert.Contains("ComplexFloat32", Refused([("c", complex)]), StringComparison.Ordinal);
        Refused([("\ud800", a)]);
        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(scratch.Folder));

        string Refused((string, Tensor)[] tensors) => Assert.Throws<DoriException>(() => SafetensorsWriter.Write(path, tensors)).Message;
    }
}
