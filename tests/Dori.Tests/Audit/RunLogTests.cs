using Dori.Audit;

namespace Dori.Tests.Audit;

public sealed class RunLogTests : IDisposable
{
    private static readonly DateTimeOffset s_noon = new(2026, 11, 28, 12, 0, 0, TimeSpan.Zero);
    private readonly SampleRun _sample = new();

    [Fact]
    public void It_tells_when_work_began_and_ended_and_keeps_what_was_said()
    {
        RunFolder run = _sample.Open();
        Assert.Null(run.ReadLog().Started);
        run.Begin(new RunSession(s_noon, null, "0.1.0+abc", "dori audit", "a 1"), "A title", "An auditor");
        Assert.Equal((s_noon, null), (run.ReadLog().Started, run.ReadLog().Finished)); // as a killed run leaves it
        var later = new RunSession(s_noon.AddHours(1), null, "0.1.0+def", "dori audit", "a 2");
        run.Begin(later, note: "A note");
        run.End(later, s_noon.AddHours(2));
        RunLog log = run.ReadLog();
        Assert.Equal((s_noon, s_noon.AddHours(2)), (log.Started, log.Finished));
        Assert.Equal(("A title", "An auditor", "A note"), (log.Title, log.Auditor, log.Note));
        Assert.Equal([null, s_noon.AddHours(2)], log.Sessions.Select(session => session.Finished));
        Assert.Equal(["0.1.0+abc", "0.1.0+def"], log.Versions);
    }

    [Fact]
    public void Of_several_processes_at_a_time_each_ends_its_own()
    {
        RunFolder run = _sample.Open();
        RunSession[] sessions =
            [.. Enumerable.Range(0, 6).Select(i => new RunSession(s_noon, null, "0.1.0", "dori audit", $"machine {i}"))];
        Parallel.ForEach(sessions, session => _sample.Open().Begin(session));
        Assert.Equal(6, run.ReadLog().Sessions.Count);
        run.End(sessions[2], s_noon.AddHours(1));
        Assert.Equal("machine 2", Assert.Single(run.ReadLog().Sessions, session => session.Finished is not null).Process);
        Parallel.ForEach(sessions, session => _sample.Open().End(session, s_noon.AddHours(2)));
        Assert.All(run.ReadLog().Sessions, session => Assert.NotNull(session.Finished));
        Assert.False(Directory.Exists(Path.Combine(_sample.Run, RunClaims.Folder)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("""{ "schema": "dori.run/9" }""")]
    [InlineData("""{ "schema": "dori.run/1", "sessions": [null] }""")]
    [InlineData("""
        { "schema": "dori.run/1", "sessions":
            [{ "started": "2026-11-28T12:00:00+00:00", "finished": null, "version": "1", "command": "" }] }
        """)]
    public void What_cannot_be_read_says_nothing_and_stops_nothing(string json)
    {
        File.WriteAllText(Path.Combine(_sample.Run, RunLog.FileName), json);
        Assert.Null(_sample.Open().ReadLog().Started);
    }

    [Fact]
    public void It_changes_no_other_file()
    {
        Dori.Reporting.Report.Write(_sample.Open());
        string before = File.ReadAllText(Path.Combine(_sample.Run, "summary.json"));
        _sample.Open().Begin(new RunSession(s_noon, null, "0.1.0+abc", "", "a 1"));
        Dori.Reporting.Report.Write(_sample.Open());
        Assert.Equal(before, File.ReadAllText(Path.Combine(_sample.Run, "summary.json")));
    }

    public void Dispose() => _sample.Dispose();
}
