using Dori.Cli;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

/// <summary>
/// The program itself, several times at one folder: one is killed, one is told of a time limit and gives its units back, two do the rest.
/// </summary>
public sealed class SharedRunTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-shared-").FullName;
    private readonly TinyModel _model = new();

    [Fact]
    public void A_killed_process_and_one_before_its_time_limit_leave_the_bytes_of_one()
    {
        Assert.Equal(DoriApp.Done, DoriApp.Run(Arguments("one"), new TestConsole(), TextWriter.Null, TextWriter.Null));

        using (DoriProcess killed = Start("several"), told = Start("several", "--no-report"))
        {
            WaitForUnit(told, killed);
            told.Signal("USR1");
            Assert.Equal(DoriApp.Interrupted, told.Wait());
            killed.Signal("KILL");
            killed.Wait();
        }
        Assert.False(File.Exists(Path.Combine(_folder, "several", "summary.json")));
        Assert.NotEmpty(Claims()); // the killed one's

        using (DoriProcess worker = Start("several", "--no-report"), reports = Start("several"))
        {
            Assert.Equal(DoriApp.Done, worker.Wait());
            Assert.Equal(DoriApp.Done, reports.Wait());
        }
        Assert.Equal(RunFiles.Of(Path.Combine(_folder, "one")), RunFiles.Of(Path.Combine(_folder, "several")));
        Assert.Empty(Claims());
    }

    private string[] Claims()
    {
        try { return Directory.GetFiles(Path.Combine(_folder, "several", "claims"), "*-0~*"); }
        catch (DirectoryNotFoundException) { return []; } // there are none
    }

    /// <summary>Until both have a unit in hand.</summary>
    private void WaitForUnit(params DoriProcess[] running) => SpinWait.SpinUntil(() =>
    {
        Assert.All(running, process => Assert.False(process.HasExited));
        return Claims().Length >= running.Length;
    });

    private DoriProcess Start(string run, params string[] more) => new(Arguments(run, more));

    private string[] Arguments(string run, params string[] more) =>
        ["audit", _model.Folder, "--images", _model.Pictures, "-o", Path.Combine(_folder, run), "--search-steps", "40",
        "--search-batch", "1", "--curve", "none", "-n", "1", "--starts", "caption,random", "--threads", "1", "--despite-control",
        "--quiet", .. more];

    public void Dispose()
    {
        _model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
