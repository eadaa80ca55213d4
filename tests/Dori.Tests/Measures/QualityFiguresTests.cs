using Dori.Diffusion;
using Dori.Measures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Measures;

public sealed class QualityFiguresTests
{
    private static QualitySamples Samples(string name, int n, int d, float shift, double clip) =>
        new(Golden.Rand(name, n, d) + shift, Golden.Rand("real", n, d),
        [.. Golden.HashedValues(name + ".clip", n, 0.1f).Select(x => clip + x)], [.. Enumerable.Repeat(0.5, n)],
            [.. Golden.HashedValues(name + ".diversity", 9, 0.05f).Select(x => 0.3 + x)]);

    private static Func<int, int> Below(string name) => RandomSource.For(name).Next;

    [Fact]
    public void Values_are_the_measures_own_and_intervals_hold_them()
    {
        using var scope = NewDisposeScope();
        QualitySamples samples = Samples("a", 60, 8, 0.5f, 0.3);
        QualityFigures figures = QualityFigures.Of(samples, Below("t"), 100);
        Assert.Equal(FrechetDistance.Between(samples.Features, samples.RealFeatures), figures.FrechetDistance.Value, 9);
        Assert.Equal(KernelDistance.Between(samples.Features, samples.RealFeatures), figures.KernelDistance.Value, 9);
        Assert.Equal(samples.ClipScores.Average(), figures.ClipScore.Value, 12);
        Assert.Equal(Statistics.Median(samples.Diversities), figures.Diversity!.Value, 12);
        Assert.Equal((60, 0.5), (figures.Captions, figures.RealClipScore));
        foreach (Interval i in new[] { figures.FrechetDistance, figures.KernelDistance, figures.ClipScore })
            Assert.True(i.Low < i.Value && i.Value < i.High, $"{i}");
        // The mean's interval: 2 standard errors either way.
        double error = Math.Sqrt(samples.ClipScores.Average(x => Math.Pow(x - samples.ClipScores.Average(), 2)) / 60);
        Assert.InRange((figures.ClipScore.High - figures.ClipScore.Low) / (2 * 1.96 * error), 0.75, 1.25);
        Assert.Equal(figures, QualityFigures.Of(samples, Below("t"), 100)); // the same draws, the same figures
        Assert.Throws<DoriException>(() => QualityFigures.Of(Samples("a", 1, 8, 0, 0), Below("t"), 10));
    }

    [Fact]
    public void More_values_than_pictures_give_the_same_distance()
    {
        using var scope = NewDisposeScope();
        QualitySamples wide = Samples("w", 10, 50, 0.3f, 0.3);
        // roots of rounding
        Assert.Equal(1,
            QualityFigures.Of(wide, Below("t"), 5).FrechetDistance.Value / FrechetDistance.Between(wide.Features, wide.RealFeatures), 6);
    }

    [Fact]
    public void Differences_are_second_minus_first_and_nothing_against_itself()
    {
        using var scope = NewDisposeScope();
        QualitySamples a = Samples("a", 50, 6, 0, 0.4), b = Samples("b", 50, 6, 1, 0.2);
        QualityDifference d = QualityFigures.Difference(a, b, Below("t"), 100);
        Assert.Equal(FrechetDistance.Between(b.Features, b.RealFeatures) - FrechetDistance.Between(a.Features, a.RealFeatures),
            d.FrechetDistance.Value, 9);
        Assert.True(d.FrechetDistance.Low > 0 && d.KernelDistance.Low > 0 && d.ClipScore.High < 0);
        Assert.Equal(b.ClipScores.Average() - a.ClipScores.Average(), d.ClipScore.Value, 12);
        QualityDifference none = QualityFigures.Difference(a, a, Below("t"), 20);
        foreach (Interval i in new[] { none.FrechetDistance, none.KernelDistance, none.ClipScore, none.Diversity! })
            Assert.Equal(new Interval(0, 0, 0), i);
        Assert.Throws<ArgumentException>(() => QualityFigures.Difference(a, Samples("c", 49, 6, 0, 0), Below("t"), 5));
    }

    [Fact]
    public void Bootstrap_by_hand()
    {
        // One resample, always row 0: the figure is the mean of all, the interval is moved onto it.
        Interval one = QualityFigures.Bootstrap(3, rows => rows.Sum(row => row * 10.0), _ => 0, 1);
        Assert.Equal(new Interval(30, 30, 30), one);
        int draw = 0; // two rows, resamples {0, 0} and {1, 1} in turn: 0 and 2
        Interval two = QualityFigures.Bootstrap(2, rows => rows.Sum(), _ => draw++ / 2 % 2, 1000);
        Assert.Equal((1, 0, 2), (two.Value, two.Low, two.High));
    }
}
