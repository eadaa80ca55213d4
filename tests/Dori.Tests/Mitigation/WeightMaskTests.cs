using Dori.Mitigation;
using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

public class WeightMaskTests
{
    private static Tensor Bools(int rows, params int[] values) =>
        tensor(values.Select(v => v != 0).ToArray(), [rows, values.Length / rows]);

    [Fact]
    public void A_mask_keeps_every_position_past_word_boundaries()
    {
        using var scope = NewDisposeScope();
        bool[] values = [.. Enumerable.Range(0, 7 * 31).Select(i => i % 5 == 0 || i is 63 or 64 or 127 or 128)];
        LayerMask mask = LayerMask.Of("l", tensor(values, [7, 31]));
        Assert.Equal(values.Count(v => v), mask.Count);
        for (int i = 0; i < values.Length; i++) Assert.Equal(values[i], mask[i / 31, i % 31]);
        Assert.Equal(values, mask.ToTensor().data<bool>().ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => mask[7, 0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => mask[0, 31]);
    }

    [Fact]
    public void Whole_rows_are_marked_and_no_other()
    {
        using var scope = NewDisposeScope();
        LayerMask mask = LayerMask.OfRows("l", 3, 40, [2, 0, 2]);
        Assert.Equal(80, mask.Count);
        Assert.All(Enumerable.Range(0, 40), j => Assert.True(mask[0, j] && !mask[1, j] && mask[2, j]));
        Assert.Throws<ArgumentOutOfRangeException>(() => LayerMask.OfRows("l", 3, 40, [3]));
    }

    [Fact]
    public void Agreement_is_intersection_over_union_and_two_empty_sets_are_flagged()
    {
        using var scope = NewDisposeScope();
        // a marks 3, b marks 2 of which 1 is a's: union 4
        var a = new WeightMask(
            [LayerMask.Of("one", Bools(2, 1, 1, 0, 0, 0, 1)), LayerMask.Of("two", Bools(1, 0, 0)), LayerMask.Of("three", Bools(1, 0, 0))]);
        var b = new WeightMask(
            [LayerMask.Of("one", Bools(2, 0, 1, 1, 0, 0, 0)), LayerMask.Of("two", Bools(1, 0, 0)), LayerMask.Of("three", Bools(1, 0, 1))]);
        Assert.Equal([new("one", 0.25, false), new("two", 1, true), new("three", 0, false)], a.Agreement(b));
        Assert.Equal([new("one", 1, false), new("two", 1, true), new("three", 1, true)], a.Agreement(a));
        WeightMask union = WeightMask.Union([a, b]);
        Assert.Equal([new LayerMarks("one", 2, 3, 4), new LayerMarks("two", 1, 2, 0), new LayerMarks("three", 1, 2, 1)], union.Marks);
        Assert.Equal(5, union.Count);
        Assert.True(union["one"][0, 2] && union["one"][1, 2] && !union["one"][1, 0]);
    }

    [Fact]
    public void Masks_of_two_layers_are_not_compared()
    {
        using var scope = NewDisposeScope();
        LayerMask a = LayerMask.OfRows("a", 2, 2, []), b = LayerMask.OfRows("b", 2, 2, []), wide = LayerMask.OfRows("a", 2, 3, []);
        Assert.Throws<ArgumentException>(() => a.Agreement(b));
        Assert.Throws<ArgumentException>(() => a.Agreement(wide));
        Assert.Throws<ArgumentException>(() => LayerMask.Of("a", ones(2, 2)));
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Pruning_for_now_zeroes_what_is_marked_and_gives_the_very_bits_back(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var network = new Two();
        float[] odd = [-0f, float.NaN, float.PositiveInfinity, 1.1f, -3.3f, 1e-38f];
        network.first.weight.copy_(tensor(odd, [2, 3]));
        network.second.weight.copy_(tensor([1f, 2, 3, 4, 5, 6], [3, 2]));
        network.to(dtype);
        byte[][] before = Bits(network);
        var mask = new WeightMask([LayerMask.Of("first", Bools(2, 1, 1, 0, 0, 1, 1)), LayerMask.Of("second", Bools(3, 0, 0, 0, 0, 0, 1))]);
        using (mask.PruneForNow(network))
        {
            Assert.Equal([0f, 0, float.PositiveInfinity], network.first.weight[0].to(float32).data<float>().ToArray());
            Assert.Equal([1f, 2, 3, 4, 5, 0], network.second.weight.to(float32).data<float>().ToArray());
            Assert.Equal(0, network.first.weight[1, 1].to(float32).item<float>());
        }
        Assert.Equal(before, Bits(network));
        mask.Prune(network);
        Assert.Equal(0, network.second.weight[2, 1].to(float32).item<float>());
        Assert.Equal(5, network.second.weight[2, 0].to(float32).item<float>());
    }

    [Fact]
    public void A_mask_survives_being_packed_a_bit_a_weight()
    {
        using var scope = NewDisposeScope();
        // 133 positions: two words and a piece of a third
        LayerMask mask = LayerMask.Of("one", rand(7, 19, generator: new Generator(1)).gt(0.5));
        Tensor packed = mask.Packed();
        Assert.Equal([3L], packed.shape);
        Assert.Equal(mask[0, 1], (packed[0].item<long>() & 2) != 0);
        LayerMask unpacked = LayerMask.Unpacked("one", 7, 19, packed);
        Assert.Equal(1, mask.Agreement(unpacked).Value);
        Assert.Equal(mask.Count, unpacked.Count);
        Assert.Throws<DoriException>(() => LayerMask.Unpacked("one", 7, 29, packed));
    }

    [Fact]
    public void Weights_outside_a_network_are_pruned_by_their_key()
    {
        using var scope = NewDisposeScope();
        var mask = new WeightMask([LayerMask.Of("first", Bools(2, 1, 0, 0, 0))]);
        Tensor weight = tensor([1f, 2, 3, 4], [2, 2]);
        Assert.Equal([0f, 2, 3, 4], mask.Apply("first.weight", weight).data<float>().ToArray());
        Assert.Equal([1f, 2, 3, 4], mask.Apply("first.bias", weight).data<float>().ToArray());
        Assert.Equal([1f, 2, 3, 4], mask.Apply("other.weight", weight).data<float>().ToArray());
        Assert.Equal([1f, 2, 3, 4], weight.data<float>().ToArray());
    }

    [Fact]
    public void A_mask_of_another_model_is_refused_before_anything_changes()
    {
        using var scope = NewDisposeScope();
        var network = new Two();
        using (no_grad()) network.first.weight.fill_(1);
        var absent = new WeightMask([LayerMask.OfRows("first", 2, 3, [0]), LayerMask.OfRows("third", 2, 3, [0])]);
        Assert.Contains("third", Assert.Throws<DoriException>(() => absent.Prune(network)).Message);
        var misshapen = new WeightMask([LayerMask.OfRows("first", 2, 3, [0]), LayerMask.OfRows("second", 2, 3, [0])]);
        Assert.Contains("second", Assert.Throws<DoriException>(() => misshapen.PruneForNow(network)).Message);
        Assert.Equal(6, network.first.weight.sum().item<float>());
    }

    private static byte[][] Bits(Two network) =>
        [.. new[] { network.first, network.second }.Select(layer => layer.weight.detach().clone().bytes.ToArray())];

    private sealed class Two : nn.Module
    {
        public readonly Linear first = new(3, 2, hasBias: false), second = new(2, 3, hasBias: false);
        public Two() : base(nameof(Two)) => RegisterComponents();
    }
}
