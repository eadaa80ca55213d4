using System.Diagnostics;
using Dori.Cli;
using Dori.Tests.House;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

/// <summary>
/// <c>deploy/slurm</c> on a real Slurm of one machine, which <c>tests/slurm/slurm.sh</c> installs from Debian's packages and starts. Needs
/// root, and some minutes: Slurm holds a requeued task back for two of them.
/// </summary>
public sealed class SlurmTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-slurm-").FullName;
    private readonly TinyModel _model = new();

    [Fact(Explicit = true)]
    [Trait("Category", "Slurm")]
    public void Eight_tasks_two_killed_one_before_its_limit_leave_the_bytes_of_one_run()
    {
        Assert.Equal(DoriApp.Done, DoriApp.Run(["audit", .. Arguments.Split(' '), "-o", Path.Combine(_folder, "one")], new TestConsole(), TextWriter.Null, TextWriter.Null));
        Script("start");
        try
        {
            string[] jobs = Bash($"{Path.Combine(Sources.Root, "deploy", "slurm", "submit.sh")} 8 {Run} {Arguments}").Split(' ');
            (string array, string report) = (jobs[0], jobs[1].Trim());
            Await(() => Claims().Length >= 8, () => Bash("squeue"));
            Bash($"scancel --signal=KILL {array}_1 {array}_2");
            Bash($"scontrol update JobId={array}_3 TimeLimit=2"); // the signal comes 120 s before it: now
            Await(() => Bash($"scontrol show job {array}_3").Contains("Restarts=1", StringComparison.Ordinal), () => Log(array, 3));
            Assert.Contains("FAILED", Bash($"scontrol show job {array}_1"), StringComparison.Ordinal);
            Await(() => Bash($"scontrol show job {report}").Contains("JobState=COMPLETED", StringComparison.Ordinal), () => Bash("squeue"));
            Assert.Contains("interrupted", Log(array, 3), StringComparison.Ordinal);
            foreach (int task in new[] { 3, 4, 5, 6, 7, 8 })
                Assert.Contains("JobState=COMPLETED", Bash($"scontrol show job {array}_{task}"), StringComparison.Ordinal);
        }
        finally
        {
            Script("stop");
        }
        Assert.Equal(RunFiles.Of(Path.Combine(_folder, "one")), RunFiles.Of(Run));
        Assert.True(File.Exists(Path.Combine(Run, "report.html")));
    }

    private string Run => Path.Combine(_folder, "several");

    private string Arguments => $"{_model.Folder} --images {_model.Pictures} --search-steps 2000 --search-batch 1 --curve none -n 1 "
        + "--threads 1 --despite-control";

    private void Script(string verb) => Bash($"{Path.Combine(Sources.Root, "tests", "slurm", "slurm.sh")} {verb} {Slurm}");

    private string Slurm => Path.Combine(_folder, "slurm");

    private string Log(string array, int task) => File.ReadAllText(Path.Combine(_folder, $"dori-{array}_{task}.log"));

    private string[] Claims()
    {
        try { return Directory.GetFiles(Path.Combine(Run, "claims"), "*-0~*"); }
        catch (DirectoryNotFoundException) { return []; } // there are none
    }

    private static void Await(Func<bool> condition, Func<string> state) =>
        Assert.True(SpinWait.SpinUntil(condition, TimeSpan.FromMinutes(10)), state());

    private string Bash(string command)
    {
        string dori = Path.Combine(AppContext.BaseDirectory, "dori");
        var start = new ProcessStartInfo("bash", ["-c", command])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder,
            Environment = { ["SLURM_CONF"] = Path.Combine(Slurm, "slurm.conf"), ["DORI"] = dori },
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{command}: {error.Result}{output}");
        return output;
    }

    public void Dispose()
    {
        _model.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
