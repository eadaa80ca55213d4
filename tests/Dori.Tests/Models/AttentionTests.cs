using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Models;

public class AttentionTests
{
    [Fact]
    public void Blocks_give_what_the_whole_gives()
    {
        using var scope = NewDisposeScope();
        // 1,100 rows: four whole blocks of 256 and a part of one.
        (Tensor q, Tensor k, Tensor v) = (Golden.Rand("q", 2, 3, 1100, 8), Golden.Rand("k", 2, 3, 70, 8), Golden.Rand("v", 2, 3, 70, 8));
        Tensor expected = (q.matmul(k.transpose(2, 3)) / Math.Sqrt(8)).softmax(-1).matmul(v);
        Assert.InRange(Golden.RelativeError(Attention.Mixed(q, k, v), expected), 0, 1e-6);
    }

    [Fact]
    public void In_bfloat16_blocks_add_little_to_what_rounding_the_inputs_does()
    {
        using var scope = NewDisposeScope();
        Tensor Queries(string name) => 2 * Golden.Rand(name, 1, 1, 2100, 40); // scores of several units: attention that looks somewhere
        (Tensor q, Tensor k, Tensor v) = (Queries("q"), Queries("k"), Queries("v"));
        Tensor exact = Attention.Mixed(q, k, v);
        Tensor Rounded(Tensor x) => x.to(bfloat16);
        Tensor inputs = Attention.Mixed(Rounded(q).to(float32), Rounded(k).to(float32), Rounded(v).to(float32)).to(bfloat16).to(float32);
        double floor = Golden.RelativeError(inputs, exact),
            error = Golden.RelativeError(Attention.Mixed(Rounded(q), Rounded(k), Rounded(v)).to(float32), exact);
        Assert.InRange(floor, 1e-4, 0.1);
        Assert.InRange(error, 0, 2.5 * floor);
    }
}
