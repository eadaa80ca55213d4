using System.Text.RegularExpressions;
using System.Xml.Linq;
using CsCheck;
using Dori.Reporting;

namespace Dori.Tests.Reporting;

public class PlotsTests
{
    [Theory]
    [InlineData(0, 1, 5, 0.2)]
    [InlineData(0, 1, 6, 0.2)]
    [InlineData(0, 1, 10, 0.1)]
    [InlineData(0, 50, 6, 10)]
    [InlineData(0, 150, 6, 50)]
    [InlineData(-3, 3, 6, 1)]
    [InlineData(0, 0.003, 3, 0.001)]
    [InlineData(0, 7000, 4, 2000)]
    [InlineData(5, 5, 4, 1)]
    public void A_tick_step_is_one_two_or_five_times_a_power_of_ten(double low, double high, int most, double expected) =>
        Assert.Equal(expected, Ticks.Step(low, high, most), 12);

    [Fact]
    public void Ticks_are_clean_numbers_with_both_ends() => Assert.Equal([-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1], Ticks.Between(-0.2, 1, 6));

    [Fact]
    public void Ticks_lie_in_the_range_evenly_and_not_too_many()
    {
        Gen.Select(Gen.Double[-1000, 1000], Gen.Double[0.001, 1000], Gen.Int[2, 12]).Sample((low, width, most) =>
        {
            IReadOnlyList<double> ticks = Ticks.Between(low, low + width, most);
            double step = Ticks.Step(low, low + width, most);
            return ticks.Count <= most + 1 && ticks.All(t => t >= low - 1e-6 && t <= low + width + 1e-6)
                && ticks.Zip(ticks.Skip(1)).All(p => Math.Abs(p.Second - p.First - step) < step * 1e-3);
        });
    }

    [Fact]
    public void A_range_around_values_holds_them_and_ends_on_ticks()
    {
        Assert.Equal((0.1, 0.9), Ticks.Around([0.17, 0.81, double.NaN], 8));
        Assert.Equal((0, 1), Ticks.Around([]));
        (double low, double high) = Ticks.Around([3, 3]);
        Assert.True(low < 3 && 3 < high);
    }

    [Fact]
    public void Dots_of_one_lane_keep_their_distance()
    {
        Gen.Double[0, 1000].Array[0, 60].Sample(x =>
        {
            IReadOnlyList<int> lanes = Swarm.Lanes(x, 10, most: 60);
            return Enumerable.Range(0, x.Length)
                .All(i => Enumerable.Range(0, i).All(j => lanes[i] != lanes[j] || Math.Abs(x[i] - x[j]) >= 10));
        });
        Assert.Equal([0, -1, 1, 0], Swarm.Lanes([5, 5, 5, 50], 10, 9));
    }

    [Fact]
    public void Labels_move_apart_and_stay_inside()
    {
        Assert.Equal([10, 25, 100], Swarm.Apart([10, 12, 100], 15, 0, 200));
        Assert.Equal([170, 185, 200], Swarm.Apart([198, 199, 200], 15, 0, 200));
    }

    [Fact]
    public void A_line_chart_draws_every_point_at_its_place()
    {
        XElement svg = Drawn(html => Plots.Lines(html, new LineChart("t", "d", new PlotAxis("x", 0, 50), new PlotAxis("y", 0, 1),
            [new PlotSeries("a", [new(0, 0), new(25, 0.5, 0.4, 0.6), new(50, 1)], 0), new PlotSeries("b", [new(0, 0.5), new(50, 0.5)], 0)],
                new PlotMark(0.5, "half"), Bands: true)));
        (double X, double Y)[] a = Points(svg.Descendants("polyline").First()), b = Points(svg.Descendants("polyline").Last());
        Assert.Equal((a[0].X + a[2].X) / 2, a[1].X, 2); // linear in both directions, up is more
        Assert.Equal((a[0].Y + a[2].Y) / 2, a[1].Y, 2);
        Assert.True(a[2].Y < a[0].Y);
        Assert.Equal(b[0].Y, a[1].Y, 2);
        XElement mark = svg.Descendants("line").Single(l => (string?)l.Attribute("class") == "mark");
        Assert.Equal(a[1].Y, (double)mark.Attribute("y1")!, 2);
        Assert.Equal(5, svg.Descendants("title").Count());
        Assert.Contains("half", svg.Descendants("text").Select(t => t.Value));
    }

    [Fact]
    public void A_strip_chart_puts_equal_values_beside_each_other_and_the_mark_at_its_value()
    {
        XElement svg =
            Drawn(html =>
            Plots.Strip(html,
            new StripChart("t", "d", new PlotAxis("x", 0, 1), [new StripRow("a", 0, [(0.5, "p"), (0.5, "q"), (0.9, "r")])],
            new PlotMark(0.5, "half"))));
        XElement[] dots = [.. svg.Descendants("circle")];
        Assert.Equal(3, dots.Length);
        Assert.Equal((double)dots[0].Attribute("cx")!, (double)dots[1].Attribute("cx")!);
        Assert.NotEqual((double)dots[0].Attribute("cy")!, (double)dots[1].Attribute("cy")!);
        Assert.Equal((double)dots[0].Attribute("cx")!,
            (double)svg.Descendants("line").Single(l => (string?)l.Attribute("class") == "mark").Attribute("x1")!);
    }

    [Fact]
    public void Series_differ_by_more_than_colour()
    {
        string Marker(int look) =>
            Regex.Replace(Drawn(html => Plots.Share(html, 0.5, 0.4, 0.6, look)).Descendants().Last().ToString(), "look-\\d", "");
        Assert.Equal(6, Enumerable.Range(0, 6).Select(Marker).Distinct().Count());
    }

    private static XElement Drawn(Action<HtmlWriter> draw)
    {
        using var text = new StringWriter();
        draw(new HtmlWriter(text));
        return XElement.Parse(text.ToString());
    }

    private static (double, double)[] Points(XElement polyline) =>
        [.. polyline.Attribute("points")!.Value.Split(' ').Select(p => p.Split(','))
            .Select(p =>
            (double.Parse(p[0], System.Globalization.CultureInfo.InvariantCulture),
            double.Parse(p[1], System.Globalization.CultureInfo.InvariantCulture)))];
}
