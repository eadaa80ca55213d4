using System.Diagnostics;
using Dori.Audit;
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

    /// <summary>Killed as by lack of memory: the process, and not its job.</summary>
    [Fact(Explicit = true)]
    [Trait("Category", "Slurm")]
    public void Eight_tasks_two_killed_one_before_its_limit_leave_the_bytes_of_one_run()
    {
        Script("start");
        try
        {
            using var own = new RunClaims(Run);
            IDisposable kept = own.Take("c02-other-0")!; // no task ends before this unit stands
            string[] jobs = Bash($"{Path.Combine(Sources.Root, "deploy", "slurm", "submit.sh")} 8 {Run} {Arguments}").Split(' ');
            (string array, string report) = (jobs[0], jobs[1].Trim());
            Await(() => AtWork().Length >= 3, () => Bash("squeue"));
            int[] tasks = AtWork();
            Bash($"scancel --signal=KILL {array}_{tasks[0]}.0 {array}_{tasks[1]}.0");
            Bash($"scontrol update JobId={array}_{tasks[2]} TimeLimit=2"); // the signal comes 120 s before it: now
            Await(() => Job(tasks[2]).Contains("Restarts=1", StringComparison.Ordinal), () => Log(array, tasks[2]));
            foreach (int task in tasks[..2]) Assert.Contains("JobState=FAILED", Job(task), StringComparison.Ordinal);
            kept.Dispose();
            Await(() => Bash($"scontrol show job {report}").Contains("JobState=COMPLETED", StringComparison.Ordinal), () => Bash("squeue"));
            Assert.Contains("interrupted", Log(array, tasks[2]), StringComparison.Ordinal);
            foreach (int task in Enumerable.Range(1, 8).Except(tasks[..2]))
                Assert.Contains("JobState=COMPLETED", Job(task), StringComparison.Ordinal);

            string Job(int task) => Bash($"scontrol show job {array}_{task}");
        }
        finally
        {
            Script("stop");
        }
        Assert.Equal(DoriApp.Done, DoriApp.Run(["audit", .. Arguments.Split(' '), "-o", Path.Combine(_folder, "one")], new TestConsole(),
            TextWriter.Null, TextWriter.Null));
        Assert.Equal(RunFiles.Of(Path.Combine(_folder, "one")), RunFiles.Of(Run));
        Assert.True(File.Exists(Path.Combine(Run, "report.html")));
    }

    /// <summary>Tasks that have a unit in hand: a claim says whose it is, and the process knows its task.</summary>
    private int[] AtWork()
    {
        try
        {
            return [.. Directory.GetFiles(Path.Combine(Run, "claims"), "*-0~*").Select(TaskOf).OfType<int>().Distinct()];
        }
        catch (IOException) { return []; } // a claim was given back, a process has ended
    }

    private static int? TaskOf(string claim)
    {
        const string name = "SLURM_ARRAY_TASK_ID=";
        return ClaimHolder.Parse(File.ReadAllText(claim)) is { } holder
            && File.ReadAllText($"/proc/{holder.Process}/environ").Split('\0')
                .FirstOrDefault(variable => variable.StartsWith(name, StringComparison.Ordinal)) is { } own
            ? int.Parse(own[name.Length..]) : null;
    }

    private string Run => Path.Combine(_folder, "several");

    private string Arguments => $"{_model.Folder} --images {_model.Pictures} --search-steps 200 --search-batch 1 --curve none -n 1 "
        + "--threads 1 --despite-control";

    private void Script(string verb) => Bash($"{Path.Combine(Sources.Root, "tests", "slurm", "slurm.sh")} {verb} {Slurm}");

    private string Slurm => Path.Combine(_folder, "slurm");

    private string Log(string array, int task) => File.ReadAllText(Path.Combine(_folder, $"dori-{array}_{task}.log"));

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
