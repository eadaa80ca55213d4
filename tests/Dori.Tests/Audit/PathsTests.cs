using System.Text.Json;
using Dori.Audit;
using Dori.Measures;

namespace Dori.Tests.Audit;

/// <summary>From how many random starts a picture comes back, on records that nobody computed.</summary>
public sealed class PathsTests
{
    [Fact]
    public void The_number_of_starts_is_judged_among_the_controls()
    {
        using var run = new SampleRun([0.4f, 0.4f], [0.4f, 0.4f]);
        RunFolder folder = run.Open();
        // v00 comes back from all 4 starts, v01 from one; c00 from 2, c01 from 1, the other 17 controls from none.
        int Succeeds(string item) => item switch { "v00" => 4, "v01" => 1, "c00" => 2, "c01" => 1, _ => 0 };
        for (int k = 1; k <= 4; k++)
        {
            RunFolder path = folder.CreatePath(k);
            Assert.Equal((SampleRun.Options.Seed + k, true), (path.Manifest.Options.Seed, path.Manifest.Options.StopAtCopy));
            Directory.CreateDirectory(Path.Combine(path.Path, "units"));
            foreach (AuditUnit unit in AuditPlan.Of(path.Manifest))
                File.WriteAllText(Path.Combine(path.Path, "units", unit.Id + ".json"), JsonSerializer.Serialize(
                    SampleRun.Record(path.Manifest, unit, Succeeds(unit.Item.Id) >= k ? 0.8f : 0.3f), AuditJson.Default.UnitRecord));
        }
        PathsSummary paths = folder.ReadPaths()!;
        Assert.Equal((4, 8, 5, 76, 3), (paths.Paths, paths.Starts, paths.Copies, paths.ControlStarts, paths.ControlCopies));
        Assert.Equal([(4, 1 / 20.0), (1, 3 / 20.0)], paths.Items.Where(item => !item.Control).Select(item => (item.Succeeded!.Value,
            item.PValue!.Value)));
        Dori.Reporting.Report.Write(folder);
        Assert.Contains("5 of 8 bring a picture back, 3 of 76 a control", File.ReadAllText(Path.Combine(run.Run, "report.html")),
            StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(run.Run, "paths.json")));

        File.Delete(Path.Combine(folder.OpenPath(3)!.Path, "units", $"v00-random-{SampleRun.Options.Seed + 3}.json"));
        Assert.Null(folder.ReadPaths()!.Items[0].Succeeded); // not all of its starts are there
        File.Delete(Path.Combine(folder.OpenPath(3)!.Path, "units", $"c09-random-{SampleRun.Options.Seed + 3}.json"));
        Assert.All(folder.ReadPaths()!.Items, item => Assert.Null(item.PValue)); // 18 controls
    }

    /// <summary>All ways to draw, counted.</summary>
    [Fact]
    public void Fishers_test_is_the_enumeration_of_draws()
    {
        const int first = 4, all = 9, won = 5;
        for (int successes = 0; successes <= 4; successes++)
        {
            int draws = 0, asMany = 0;
            for (int set = 0; set < 1 << all; set++)
            {
                if (System.Numerics.BitOperations.PopCount((uint)set) != won) continue;
                draws++;
                if (System.Numerics.BitOperations.PopCount((uint)set & ((1 << first) - 1)) >= successes) asMany++;
            }
            Assert.Equal(asMany / (double)draws, Statistics.Fisher(successes, first - successes, won - successes,
                all - first - won + successes), 12);
        }
        Assert.Equal(1, Statistics.Fisher(0, 0, 0, 0));
    }
}
