using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Tests.Checkpoints;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Diffusion;

/// <summary>A condition of three parts keeps them together.</summary>
public sealed class ConditioningTests
{
    private static Conditioning Sample(long rows = 3) =>
        new(Golden.Rand("tokens", rows, 4, 5), Golden.Rand("pooled", rows, 6), Golden.Rand("ids", rows, 2));

    [Fact]
    public void Rows_of_all_parts_stay_together()
    {
        using var scope = NewDisposeScope();
        Conditioning all = Sample(), two = all.Rows([2, 0]), last = all.Narrow(2, 1), back = Conditioning.Cat(last, all.Narrow(0, 1));
        Assert.Equal(2, two.Count);
        foreach (
            (Tensor whole, Tensor picked, Tensor joined) in new[] { (all.Tokens, two.Tokens, back.Tokens),
            (all.Pooled!, two.Pooled!, back.Pooled!), (all.TimeIds!, two.TimeIds!, back.TimeIds!) })
        {
            Assert.True(picked[0].equal(whole[2]).all().item<bool>());
            Assert.True(picked[1].equal(whole[0]).all().item<bool>());
            Assert.True(joined.equal(picked).all().item<bool>());
        }
        Conditioning wide = last.Expand(4);
        Assert.Equal([4L, 4, 5], wide.Tokens.shape);
        Assert.Equal([4L, 6], wide.Pooled!.shape);
        Assert.True(wide.TimeIds![3].equal(all.TimeIds![2]).all().item<bool>());
    }

    /// <summary>Time ids say sizes: no search moves them, so they are no part of what embeddings are compared by.</summary>
    [Fact]
    public void What_a_search_moves_lies_side_by_side()
    {
        using var scope = NewDisposeScope();
        Conditioning all = Sample();
        Tensor flat = all.Flat();
        Assert.Equal([3L, 26], flat.shape);
        Assert.True(flat.narrow(1, 20, 6).equal(all.Pooled!).all().item<bool>());
        Assert.Equal([3L, 20], new Conditioning(all.Tokens).Flat().shape);
    }

    [Fact]
    public void What_is_stored_comes_back()
    {
        using var scope = NewDisposeScope();
        using var scratch = new SafetensorsScratch();
        string path = scratch.PathOf("y.safetensors");
        Conditioning all = Sample(), plain = new(Golden.Rand("plain", 1, 4, 5));
        SafetensorsWriter.Write(path, [.. all.Stored("y.10"), .. plain.Stored("y.5")]);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(["y.10", "y.5"], file.Tensors.Keys.Where(Conditioning.IsTokens).Order(StringComparer.Ordinal));
        Conditioning read = Conditioning.Read(file, "y.10"), alone = Conditioning.Read(file, "y.5");
        Assert.True(read.Flat().equal(all.Flat()).all().item<bool>() && read.TimeIds!.equal(all.TimeIds!).all().item<bool>());
        Assert.True(alone.Pooled is null && alone.TimeIds is null && alone.Tokens.equal(plain.Tokens).all().item<bool>());
    }
}
