using Dori.Cli;

namespace Dori.Tests.Cli;

/// <summary>The line of progress: on a terminal, and where nobody looks at one.</summary>
public sealed class LiveLineTests
{
    private readonly StringWriter _written = new() { NewLine = "\n" };
    private TimeSpan _now = TimeSpan.FromSeconds(1);

    private LiveLine Line(int? width) => new(_written, () => width, () => _now);

    [Fact]
    public void On_a_terminal_one_line_is_kept_up_to_date_and_ended_when_it_is_done()
    {
        LiveLine line = Line(width: 25);
        line.Show("a third", 0.3);
        line.Show("too soon", 0.4);
        _now += TimeSpan.FromSeconds(1);
        line.Show("two thirds", 0.6);
        line.Show("all of what there was to do", 1); // also where it is soon
        Assert.Equal($"\r{"a third",-24}\r{"two thirds",-24}\rall of what there was to\n", _written.ToString());
    }

    [Fact]
    public void What_is_said_meanwhile_begins_on_a_line_of_its_own()
    {
        LiveLine line = Line(width: 25);
        line.Close(); // nothing is open
        line.Show("a third", 0.3);
        line.Close();
        line.Close();
        line.Begin(0);
        Assert.Equal($"\r{"a third",-24}\n", _written.ToString());
    }

    [Fact]
    public void Elsewhere_every_tenth_is_said_once_by_each_work()
    {
        LiveLine line = Line(width: null);
        for (int run = 0; run < 2; run++)
            for (int done = 1; done <= 40; done++) line.Show($"{done}", done / 40.0);
        line.Begin(0.5); // goes on from its half
        line.Show("half", 0.55);
        line.Show("more", 0.6);
        string[] once = [.. Enumerable.Range(1, 10).Select(tenth => $"dori: {4 * tenth}")];
        Assert.Equal([.. once, .. once, "dori: more"], _written.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
