using Dori.Measures;
using MathNet.Numerics;

namespace Dori.Tests.Measures;

/// <summary>How a share rises with a dose, and what right guesses say: against closed forms, enumeration and simulation.</summary>
public sealed class DoseTests
{
    /// <summary>With two doses the model is saturated, and Firth's penalty adds half a success and half a failure to each.</summary>
    [Theory]
    [InlineData(0, 10, 10, 10)] // separated
    [InlineData(3, 10, 8, 12)]
    [InlineData(0, 5, 1, 7)]
    public void With_two_doses_half_a_success_and_half_a_failure_are_added_to_each(int k1, int n1, int k2, int n2)
    {
        double[] x = [.. Enumerable.Repeat(1.0, n1), .. Enumerable.Repeat(3.0, n2)];
        bool[] y = [.. Enumerable.Range(0, n1).Select(i => i < k1), .. Enumerable.Range(0, n2).Select(i => i < k2)];
        (double a, double b) = Statistics.Firth(x, y);
        Assert.Equal((k1 + 0.5) / (n1 + 1), 1 / (1 + Math.Exp(-(a + b))), 6);
        Assert.Equal((k2 + 0.5) / (n2 + 1), 1 / (1 + Math.Exp(-(a + 3 * b))), 6);
    }

    [Fact]
    public void The_dose_of_half_lies_where_the_outcomes_are_symmetric_and_open_ends_are_said()
    {
        double[] doses = [.. Enumerable.Repeat(10.0, 10), .. Enumerable.Repeat(100.0, 10), .. Enumerable.Repeat(1000.0, 10)];
        bool[] rising = [.. Enumerable.Range(0, 30).Select(i => i >= 20 || (i >= 10 && i % 2 == 0))];
        HalfDose half = Statistics.DoseOfHalf(doses, rising);
        Assert.Equal(100, half.Value!.Value, 0.5);
        Assert.InRange(half.Low!.Value, 10, 99);
        Assert.Equal(half.Value.Value * half.Value.Value / half.Low.Value, half.High!.Value, 1.0); // symmetric in log dose

        // All are retained from the smallest dose on but one there: the lower end is open.
        HalfDose all = Statistics.DoseOfHalf(doses, [.. Enumerable.Range(0, 30).Select(i => i != 0)]);
        Assert.True(all.Low is null, $"{all}");
        Assert.Null(Statistics.DoseOfHalf(doses, [.. rising.Reverse()]).Value); // falling
    }

    /// <summary>The interval holds the true dose: simulated, 12 pictures at each of five doses.</summary>
    [Fact]
    public void The_profile_interval_covers_the_dose_of_half()
    {
        var random = new Random(11);
        double[] doses = [.. new[] { 10.0, 30, 100, 300, 1000 }.SelectMany(dose => Enumerable.Repeat(dose, 12))];
        const double truth = 120;
        int covered = 0;
        const int trials = 120;
        for (int trial = 0; trial < trials; trial++)
        {
            bool[] y = [.. doses.Select(dose => random.NextDouble() < 1 / (1 + Math.Exp(-1.5 * Math.Log(dose / truth))))];
            HalfDose half = Statistics.DoseOfHalf(doses, y);
            if (half.Value is null || ((half.Low ?? 0) <= truth && truth <= (half.High ?? double.MaxValue))) covered++;
        }
        Assert.InRange(covered, 0.89 * trials, trials); // 95 % less three standard errors
    }

    [Theory]
    [InlineData(10, 10)]
    [InlineData(9, 10)]
    [InlineData(40, 50)]
    public void The_largest_refuted_epsilon_is_where_so_many_right_guesses_become_as_rare_as_5_percent(int right, int guesses)
    {
        double epsilon = Statistics.EpsilonBound(right, guesses), p = Math.Exp(epsilon) / (1 + Math.Exp(epsilon)), tail = 0;
        for (int k = right; k <= guesses; k++)
            tail += Math.Exp(SpecialFunctions.BinomialLn(guesses, k) + k * Math.Log(p) + (guesses - k) * Math.Log(1 - p));
        Assert.Equal(0.05, tail, 6);
        if (right == guesses) Assert.Equal(Math.Pow(0.05, 1.0 / guesses), p, 9); // closed form
        Assert.Equal(0, Statistics.EpsilonBound(guesses / 2, guesses)); // what a coin does refutes nothing
        Assert.Equal(0, Statistics.EpsilonBound(0, guesses));
    }
}
