using CsCheck;
using Dori.Diffusion;
using static TorchSharp.torch;
using Distribution = MathNet.Numerics.Distributions.Normal;

namespace Dori.Tests.Diffusion;

public class RandomSourceTests
{
    [Fact]
    public void Philox_gives_the_published_vectors()
    {
        // Random123's kat_vectors, philox4x32 with 10 rounds.
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), Philox4x32.Block(0, 0, 0, 0, 0, 0));
        const uint f = 0xffffffff;
        Assert.Equal((0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu), Philox4x32.Block(f, f, f, f, f, f));
        Assert.Equal((0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u),
            Philox4x32.Block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0));
    }

    [Fact]
    public void Normal_numbers_are_normal()
    {
        const int n = 1_000_000;
        double[] x = [.. RandomSource.For("normal").Normal(n).data<float>().Select(v => (double)v)];
        double mean = x.Average(), variance = x.Average(v => (v - mean) * (v - mean));
        Assert.InRange(mean * Math.Sqrt(n), -4, 4);
        Assert.InRange((variance - 1) * Math.Sqrt(n / 2.0), -4, 4);
        Assert.InRange(x.Average(v => v * v * v) * Math.Sqrt(n / 15.0), -4, 4);
        Assert.InRange((x.Average(v => v * v * v * v) - 3) * Math.Sqrt(n / 96.0), -4, 4);

        Array.Sort(x);
        double distance = 0; // Kolmogorov and Smirnov
        for (int i = 0; i < n; i++)
        {
            double p = Distribution.CDF(0, 1, x[i]);
            distance = Math.Max(distance, Math.Max(p - i / (double)n, (i + 1) / (double)n - p));
        }
        Assert.InRange(distance * Math.Sqrt(n), 0, 1.95); // one chance in a thousand
        // Neighbours are independent (the draws, not the sorted ones).
        float[] draws = [.. RandomSource.For("normal").Normal(n).data<float>()];
        Assert.InRange(Enumerable.Range(0, n - 1).Sum(i => (double)draws[i] * draws[i + 1]) / Math.Sqrt(n), -4, 4);
    }

    [Fact]
    public void The_quantile_inverts_the_distribution()
    {
        Assert.Equal(1.959963984540054, NormalQuantile.Of(0.975), 1e-14);
        Assert.Equal(0, NormalQuantile.Of(0.5));
        // Python's statistics.NormalDist().inv_cdf
        Assert.Equal(-9.262340089798405, NormalQuantile.Of(1e-20), 1e-13);
        Assert.Equal(-6.361340902404056, NormalQuantile.Of(1e-10), 1e-14);
        Assert.Equal(-3.090232306167813, NormalQuantile.Of(1e-3), 1e-14);
        Assert.Equal(8.2, NormalQuantile.Of(1 - Math.Pow(2, -53)), 0.02);
        Gen.Double[1e-9, 1 - 1e-9].Sample(p => Math.Abs(Distribution.CDF(0, 1, NormalQuantile.Of(p)) - p) < 1e-12);
        Gen.Double[1e-300, 1e300].Sample(x => Math.Abs(NormalQuantile.Log(x) - Math.Log(x)) <= 1e-15 * Math.Max(1, Math.Abs(Math.Log(x))));
    }

    /// <summary>Literal numbers: a change of the generator changes every audit, and must be seen.</summary>
    [Fact]
    public void The_numbers_of_an_identity_stay_what_they_are()
    {
        RandomSource source = RandomSource.For("dori", "1");
        Assert.Equal([0xc25d7b1a06915387UL, 0xe82d22efcb8016dcUL], [source.NextUInt64(), source.Derive("noise", 3).NextUInt64()]);
    }

    [Fact]
    public void Identities_do_not_run_together()
    {
        string[][] identities = [["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""], [""], [], ["c", "ab"]];
        Assert.Equal(identities.Length, identities.Select(parts => RandomSource.For(parts).NextUInt64()).Distinct().Count());
        RandomSource source = RandomSource.For("a");
        RandomSource[] derived =
            [source, source.Derive("b"), source.Derive("b", 1), source.Derive("b", -1), source.Derive("c"), RandomSource.For("a", "b"),
            source.Derive("b").Derive("b")];
        Assert.Equal(derived.Length, derived.Select(s => s.NextUInt64()).Distinct().Count());
    }

    [Fact]
    public void A_derived_source_does_not_depend_on_what_was_drawn()
    {
        RandomSource source = RandomSource.For("a");
        ulong before = source.Derive("b").NextUInt64();
        source.Normal(17);
        Assert.Equal(before, source.Derive("b").NextUInt64());
    }

    [Fact]
    public void Streams_are_uncorrelated()
    {
        const int n = 100_000;
        RandomSource source = RandomSource.For("streams");
        Tensor[] streams = [.. Enumerable.Range(0, 5).Select(i => source.Derive("unit", i).Normal(n))];
        for (int i = 0; i < streams.Length; i++)
            for (int j = 0; j < i; j++)
                Assert.InRange((streams[i] * streams[j]).sum().item<float>() / Math.Sqrt(n), -4, 4);
    }

    [Fact]
    public void Draws_follow_one_another_whatever_their_sizes()
    {
        RandomSource whole = RandomSource.For("x"), parts = RandomSource.For("x");
        float[] joined = [.. parts.Normal(3).data<float>(), .. parts.Normal(5).data<float>()];
        Assert.Equal(joined, whole.Normal(2, 4).data<float>().ToArray());
    }

    [Fact]
    public void Whole_numbers_are_uniform()
    {
        RandomSource source = RandomSource.For("integers");
        Tensor drawn = source.Integers(1000, 100, 1000);
        Assert.Equal([100, 1000], drawn.shape);
        Assert.Equal(int64, drawn.dtype);
        double[] counts = new double[1000];
        foreach (long value in drawn.data<long>()) counts[value]++;
        double chiSquare = counts.Sum(count => (count - 100) * (count - 100) / 100);
        Assert.InRange((chiSquare - 999) / Math.Sqrt(2 * 999), -4, 4);

        Gen.Long[1, long.MaxValue]
            .Sample(below => RandomSource.For("below").Derive("n", below).Next(below) is long value && value >= 0 && value < below);
        Assert.Equal(0, source.Next(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => source.Next(0));
    }

    [Fact]
    public void Uniform_numbers_lie_in_the_unit_interval()
    {
        RandomSource source = RandomSource.For("uniform");
        double[] x = [.. Enumerable.Range(0, 100_000).Select(_ => source.NextDouble())];
        Assert.All(x, v => Assert.InRange(v, 0, 1 - Math.Pow(2, -53)));
        Assert.InRange((x.Average() - 0.5) * Math.Sqrt(12 * x.Length), -4, 4);
    }
}
