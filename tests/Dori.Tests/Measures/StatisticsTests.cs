using CsCheck;
using Dori.Measures;

namespace Dori.Tests.Measures;

public class StatisticsTests
{
    /// <summary>A small generator of its own: the same numbers on every run and machine.</summary>
    private sealed class Draws(ulong seed)
    {
        private ulong _state = seed;

        private ulong Next()
        {
            ulong z = _state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }

        public int Below(int n) => (int)(Next() % (ulong)n);

        public double Uniform() => (Next() >> 11) * (1.0 / (1UL << 53));
    }

    [Fact]
    public void Median_and_mad()
    {
        Assert.Equal(2, Statistics.Median([3, 1, 2]));
        Assert.Equal(2.5, Statistics.Median([4, 1, 3, 2]));
        Assert.Equal(new Spread(2, 1), Statistics.Spread([1, 1, 2, 2, 4, 6, 9])); // distances 1 1 0 0 2 4 7
        Assert.Throws<ArgumentException>(() => Statistics.Median([]));
        Assert.Throws<ArgumentException>(() => Statistics.Median([1, double.NaN]));
    }

    /// <summary>Its ends are where the binomial's tails are 2.5 %, summed term by term.</summary>
    [Fact]
    public void Clopper_Pearson_cuts_tails_of_2_5_percent()
    {
        foreach (int total in new[] { 1, 2, 16, 60 })
            for (int count = 0; count <= total; count++)
            {
                Rate rate = Statistics.ClopperPearson(count, total);
                Assert.Equal(((double)count / total, count), (rate.Value, rate.Count));
                Assert.InRange(rate.Value, rate.Low, rate.High);
                if (count == 0) Assert.Equal(0, rate.Low);
                else Assert.Equal(0.025, Tail(total, rate.Low, k => k >= count), 9);
                if (count == total) Assert.Equal(1, rate.High);
                else Assert.Equal(0.025, Tail(total, rate.High, k => k <= count), 9);
            }
        Assert.Equal(new Rate(0, 0, 0, 1), Statistics.ClopperPearson(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Statistics.ClopperPearson(2, 1));

        static double Tail(int n, double p, Func<int, bool> counts)
        {
            double sum = 0, term = Math.Pow(1 - p, n);
            for (int k = 0; k <= n; k++)
            {
                if (counts(k)) sum += term;
                term *= (double)(n - k) / (k + 1) * p / (1 - p);
            }
            return sum;
        }
    }

    [Theory]
    [InlineData(2, 112, 0.0049, 0.0628)]   // method.md: 0.5 to 6.3 %
    [InlineData(0, 10, 0, 0.2775)]         // z^2 / (n + z^2)
    [InlineData(10, 10, 0.7225, 1)]
    [InlineData(81, 263, 0.2553, 0.3662)]  // Newcombe 1998, table I
    [InlineData(15, 148, 0.0624, 0.1605)]
    [InlineData(1, 29, 0.0061, 0.1718)]
    public void Wilson_is_the_published_interval(int count, int total, double low, double high)
    {
        Rate rate = Statistics.Wilson(count, total);
        Assert.Equal((double)count / total, rate.Value);
        Assert.Equal(count, rate.Count);
        Assert.Equal(low, rate.Low, 4);
        Assert.Equal(high, rate.High, 4);
    }

    /// <summary>All sequences of wins and losses, counted.</summary>
    [Fact]
    public void The_sign_test_is_the_enumeration_of_fair_coins()
    {
        for (int n = 0; n <= 10; n++)
            for (int wins = 0; wins <= n; wins++)
            {
                int asMany = Enumerable.Range(0, 1 << n).Count(coins => System.Numerics.BitOperations.PopCount((uint)coins) >= wins);
                Assert.Equal(asMany / (double)(1 << n), Statistics.SignTest(wins, n - wins), 12);
            }
    }

    [Theory]
    [InlineData(1, 0.95)]
    [InlineData(19, 0.1459)] // the rule of three says 3 / n
    [InlineData(200, 0.014867)]
    public void Of_none_the_bound_is_exact_and_one_sided(int n, double bound)
    {
        Assert.Equal(bound, Statistics.Share(0, n).High, 4);
        Assert.Equal(0.05, Math.Pow(1 - Statistics.UpperBoundOfZero(n), n), 12); // so rare is none of n at the bound
        Assert.Equal(Statistics.Share(0, n).High, Statistics.ExactShare(0, n).High, 12);
        Assert.Equal(Statistics.ClopperPearson(1, n), Statistics.ExactShare(1, n));
        Assert.Equal(Statistics.Share(0, n).High, Statistics.BoundedMean(new double[n]).High, 12);
        Assert.Equal(Statistics.Wilson(1, n), Statistics.Share(1, n));
        Assert.Equal(new Rate(0, 0, 0, 1), Statistics.Share(0, 0));
    }

    /// <summary>By exact enumeration over the binomial, not by chance: the interval holds the share in at least 95 % of cases.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(40)]
    public void Exact_intervals_cover_as_often_as_they_say(int n)
    {
        for (double share = 0.002; share < 1; share += 0.007)
        {
            double clopper = 0, bounded = 0;
            for (int k = 0; k <= n; k++)
            {
                double weight = Math.Exp(MathNet.Numerics.SpecialFunctions.BinomialLn(n, k) + k * Math.Log(share)
                    + (n - k) * Math.Log(1 - share));
                double[] values = [.. Enumerable.Range(0, n).Select(i => i < k ? 1.0 : 0)];
                if (Holds(Statistics.ClopperPearson(k, n))) clopper += weight;
                if (Holds(Statistics.BoundedMean(values))) bounded += weight;
            }
            // Of none the bound is one-sided at 5 %, so that a share may be missed there by 5 % and above it by 2.5 % / e.
            Assert.True(clopper >= 0.95 - 1e-9 && bounded >= 0.94, $"{share}: {clopper}, {bounded}");
            bool Holds(Rate rate) => rate.Low <= share && share <= rate.High;
        }
    }

    /// <summary>Values between 0 and 1 spread less than shares of 0 and 1 do: simulated, of several laws.</summary>
    [Theory]
    [InlineData("uniform", 0.5)]
    [InlineData("rare", 0.05)]
    [InlineData("thirds", 0.3)]
    public void The_interval_of_a_bounded_mean_covers_it(string law, double mean)
    {
        var random = new Random(7);
        double Value() => law switch
        {
            "uniform" => random.NextDouble(),
            "rare" => random.NextDouble() < 0.1 ? random.NextDouble() : 0,
            _ => random.NextDouble() < 0.9 ? 1 / 3.0 : 0,
        };
        int covered = Enumerable.Range(0, 2000).Count(_ =>
            Statistics.BoundedMean([.. Enumerable.Range(0, 40).Select(_ => Value())]) is var rate && rate.Low <= mean && mean <= rate.High);
        Assert.InRange(covered, 1900, 2000);
    }

    [Fact]
    public void Wilson_of_nothing_says_nothing() => Assert.Equal(new Rate(0, 0, 0, 1), Statistics.Wilson(0, 0));

    [Fact]
    public void Wilson_holds_its_rate() => Gen.Int[1, 3000].SelectMany(n => Gen.Int[0, n].Select(k => (k, n))).Sample((k, n) =>
    {
        Rate rate = Statistics.Wilson(k, n), other = Statistics.Wilson(n - k, n);
        Assert.True(0 <= rate.Low && rate.Low <= rate.Value && rate.Value <= rate.High && rate.High <= 1);
        Assert.Equal(1 - rate.High, other.Low, 12);
    });

    [Fact]
    public void Benjamini_and_Hochbergs_example()
    {
        double[] p = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1.0];
        int[] shuffled = [7, 3, 14, 0, 9, 1, 12, 5, 2, 11, 4, 13, 6, 10, 8];
        Discoveries result = Statistics.BenjaminiHochberg([.. shuffled.Select(i => p[i])], 0.05);
        Assert.Equal(shuffled.Select(i => i < 4), result.Rejected);
        double[] adjusted = new double[15];
        for (int i = 0; i < 15; i++) adjusted[shuffled[i]] = result.AdjustedPValues[i];
        Assert.Equal(.0015, adjusted[0], 12);
        Assert.Equal(.0095 * 15 / 4, adjusted[3], 12);
        Assert.Equal(.0201 * 15 / 5, adjusted[4], 12);
        Assert.Equal(.0298 * 15 / 7, adjusted[5], 12); // .0278 * 15 / 6 is more than its successor's
        Assert.Equal(1, adjusted[14]);
    }

    [Fact]
    public void Benjamini_Hochberg_at_the_edge()
    {
        Assert.Empty(Statistics.BenjaminiHochberg([], 0.05).Rejected);
        Assert.Equal([true, true], Statistics.BenjaminiHochberg([0.05, 0.05], 0.05).Rejected); // on the line: let through
        Assert.Equal([false, false], Statistics.BenjaminiHochberg([0.0501, 0.0501], 0.05).Rejected);
    }

    [Fact]
    public void Rejected_are_those_whose_adjusted_p_is_low() =>
        Gen.Double[0, 1].Select(u => u * u * u).List[1, 40].Sample(p =>
        {
            Discoveries result = Statistics.BenjaminiHochberg(p, 0.1);
            Assert.Equal(result.AdjustedPValues.Select(a => a <= 0.1), result.Rejected);
        });

    [Fact]
    public void McNemar_by_hand()
    {
        Assert.Equal(1, Statistics.McNemar(0, 0));
        Assert.Equal(2 / 32.0, Statistics.McNemar(5, 0), 12);
        Assert.Equal(2 * (1 + 10 + 45) / 1024.0, Statistics.McNemar(2, 8), 10);
        Assert.Equal(Statistics.McNemar(8, 2), Statistics.McNemar(2, 8));
        Assert.Equal(1, Statistics.McNemar(4, 4));
    }

    [Fact]
    public void Conformal_counts_ties_against_the_find()
    {
        Assert.Equal(0.25, Statistics.ConformalPValue(0.9, [0.1, 0.2, 0.3]));
        Assert.Equal(0.5, Statistics.ConformalPValue(0.3, [0.1, 0.2, 0.3]));
        Assert.Equal(1, Statistics.ConformalPValue(0.9, []));
        Assert.Throws<ArgumentException>(() => Statistics.ConformalPValue(double.NaN, [0.1]));
    }

    [Fact]
    public void Conformal_p_is_uniform_for_what_is_no_different()
    {
        var draws = new Draws(1);
        double[] p = [.. Enumerable.Range(0, 1000).Select(_ =>
            Statistics.ConformalPValue(draws.Uniform(), [.. Enumerable.Range(0, 39).Select(_ => draws.Uniform())]))];
        foreach (double level in new[] { 0.025, 0.05, 0.1, 0.25, 0.5, 0.75 })
        {
            // Exact: a multiple of 1/40. Four standard errors either way.
            double share = p.Count(value => value <= level + 1e-12) / 1000.0;
            Assert.InRange(share, level - 4 * Math.Sqrt(level * (1 - level) / 1000), level + 4 * Math.Sqrt(level * (1 - level) / 1000));
        }
    }

    [Fact]
    public void Bootstrap_interval_is_the_normal_one_for_many_items()
    {
        var draws = new Draws(2);
        double[] a = [.. Enumerable.Range(0, 400).Select(_ => draws.Uniform())], b = [.. Enumerable.Range(0, 400).Select(i => a[i] / 2)];
        double[] d = [.. a.Zip(b, (x, y) => x - y)];
        double mean = d.Average(), error = Math.Sqrt(d.Sum(x => (x - mean) * (x - mean)) / 400 / 400);
        Interval interval = Statistics.PairedBootstrap(a, b, new Draws(3).Below, 4000);
        Assert.Equal(mean, interval.Value, 12);
        Assert.InRange((interval.Value - interval.Low) / error, 1.86, 2.06);
        Assert.InRange((interval.High - interval.Value) / error, 1.86, 2.06);
        Assert.Equal(interval, Statistics.PairedBootstrap(a, b, new Draws(3).Below, 4000));
        Assert.Equal(new Interval(0, 0, 0), Statistics.PairedBootstrap(a, a, new Draws(3).Below, 100));
    }

    [Fact]
    public void Permutation_p_is_the_share_of_orders()
    {
        // Three of six items carry the label; the true order has the three largest: 1 of 20 choices.
        double[] values = [6, 5, 4, 3, 2, 1];
        double p = Statistics.PermutationPValue(6, order => order.Take(3).Sum(i => values[i]), new Draws(4).Below, 20_000);
        Assert.InRange(p, 0.05 - 0.007, 0.05 + 0.007);
        Assert.Equal(1, Statistics.PermutationPValue(6, _ => 1.0, new Draws(5).Below, 50));
    }
}
