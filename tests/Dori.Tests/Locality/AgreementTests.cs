using Dori.Diffusion;
using Dori.Locality;
using Dori.Measures;
using Dori.Mitigation;
using static TorchSharp.torch;

namespace Dori.Tests.Locality;

public class AgreementTests
{
    private static LayerMask Mask(params int[] marked)
    {
        var bits = new bool[12];
        foreach (int i in marked) bits[i] = true;
        using Tensor t = tensor(bits, [3, 4]);
        return LayerMask.Of("layer", t);
    }

    private static AgreementMatrix Of(params LayerMask[] masks) =>
        new(masks.Length, (i, j) => masks[i].Agreement(masks[j]) is { BothEmpty: false } agreed ? agreed.Value : null);

    [Fact]
    public void Intersection_over_union_of_masks_made_by_hand_with_empty_pairs_apart()
    {
        AgreementMatrix a = Of(Mask(0, 1, 2), Mask(1, 2, 3), Mask(), Mask(), Mask(11));
        Assert.Equal(0.5, a[0, 1]);     // {1, 2} of {0, 1, 2, 3}
        Assert.Equal(0, a[0, 2]);       // one of them empty: no agreement
        Assert.True(double.IsNaN(a[2, 3]));
        Assert.Equal(1, a[0, 0]);
        (double? mean, double empty) = a.Within([0, 1, 2, 3]);
        Assert.Equal(0.1, mean!.Value, 12); // 0.5 and four zeros
        Assert.Equal(1.0 / 6, empty, 12);
        Assert.Equal((null, 1.0), a.Within([2, 3]));
        Assert.Equal(0.5, a.Within([0, 1, 0]).Mean); // a bootstrap sample: 0 is no pair with itself
        Assert.Equal((0.0, 0.25), a.Between([[0, 2], [3, 4]]));
    }

    [Fact]
    public void A_planted_agreement_is_found_and_equal_groups_are_not()
    {
        RandomSource random = RandomSource.For("agreement");
        LayerMask Drawn(int below) => Mask([.. Enumerable.Range(0, 4).Select(_ => random.Next(below))]);
        AgreementMatrix planted = Of([.. Enumerable.Range(0, 8).Select(_ => Drawn(5)), .. Enumerable.Range(0, 8).Select(_ => Drawn(12))]);
        (Interval difference, double p) = planted.Compare([Points.Range(0, 8)], Points.Range(8, 8), random.Next)!.Value;
        Assert.True(difference.Low > 0 && p < 0.02);
        double distance = Points.FromUniform(Enumerable.Range(0, 1000).Select(_ =>
            Of([.. Enumerable.Range(0, 10).Select(_ => Drawn(12))])
                .Compare([Points.Range(0, 5)], Points.Range(5, 5), random.Next, 1, 99)!.Value.PValue));
        Assert.InRange(distance, 0, 0.07);
        // no pair that is not empty
        Assert.Null(Of(Mask(), Mask(), Mask(), Mask(1), Mask(1), Mask(1)).Compare([[0, 1, 2]], [3, 4, 5], random.Next));
        Assert.Null(Of(Mask(2), Mask(2), Mask(1), Mask(1), Mask(1)).Compare([[0, 1]], [2, 3, 4], random.Next)); // one pair has no spread
    }

    [Fact]
    public void Transfer_counts_only_triggers_that_work_and_intervals_count_each_once()
    {
        var picture = new WeightPicture
        {
            Method = "Wanda", Item = "v00", Settings = "", Triggers = [0, 1, 2], Unpruned = [0.9, 0.8, 0.5], Unions = [],
            Transfer = [[0.1, 0.8, 0.1], [0.9, 0.2, 0.1], [0.3, 0.8, 0.1]],
            Null = [[0.9, 0.9, 0.9]],
        };
        TransferRates rates = WeightTransfer.Rates([picture], 0.7)!;
        Assert.Equal((0, 2), (rates.Own.Count, rates.OwnTried));
        Assert.Equal((3, 4), (rates.Other.Count, rates.OtherTried)); // 0.9 | 0.3 for the first, 0.8 | 0.8 for the second
        Assert.Equal((2, 2), (rates.Null.Count, rates.NullTried));
        Assert.Equal(0.75, rates.Other.Value);
        Rate two = Statistics.Wilson(2, 2);
        Assert.Equal((two.Low, two.High), (rates.Null.Low, rates.Null.High));
        Assert.Null(WeightTransfer.Rates([picture with { Unpruned = [0.1, 0.1, 0.1] }], 0.7));
    }
}
