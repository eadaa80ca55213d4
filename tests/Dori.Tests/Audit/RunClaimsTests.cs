using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Dori.Audit;

namespace Dori.Tests.Audit;

/// <summary>One holder at a time, and none for longer than it lives.</summary>
public sealed class RunClaimsTests : IDisposable
{
    private static readonly ClaimHolder s_elsewhere = new("elsewhere", 1, "7");
    private readonly string _run = Directory.CreateTempSubdirectory("dori-claims-").FullName;

    private string Claims => Path.Combine(_run, "claims");

    [Fact]
    public void Of_many_processes_one_gets_each_claim()
    {
        var got = new ConcurrentBag<string>();
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, n =>
        {
            var claims = new RunClaims(_run, holder: s_elsewhere with { Process = n }); // not disposed of: it would give them back
            for (int unit = 0; unit < 40; unit++)
                if (claims.Take($"u{unit}") is not null) got.Add($"u{unit}");
        });
        Assert.Equal(40, got.Count);
        Assert.Equal(40, got.Distinct().Count());
    }

    [Fact]
    public void What_is_given_back_can_be_had_and_leaves_nothing()
    {
        using (var first = new RunClaims(_run))
        using (var second = new RunClaims(_run))
        {
            using (first.Take("u")) Assert.Null(second.Take("u"));
            using (second.Take("u")) Assert.Null(first.Take("u"));
            Assert.NotNull(first.Take("dropped by its process's end"));
        }
        Assert.Empty(Directory.GetFileSystemEntries(_run));
    }

    [Fact]
    public void A_dead_process_of_this_machine_holds_nothing()
    {
        using Process process = Process.Start("true");
        process.WaitForExit();
        using var claims = new RunClaims(_run);
        Left("dead", ClaimHolder.Own with { Process = process.Id });
        Left("another of its number", ClaimHolder.Own with { Started = "1" });
        Left("living", ClaimHolder.Own);
        Left("elsewhere", s_elsewhere);
        Left("just being made", null);
        Assert.NotNull(claims.Take("dead"));
        Assert.NotNull(claims.Take("another of its number"));
        Assert.Null(claims.Take("living"));
        Assert.Null(claims.Take("elsewhere"));
        Assert.Null(claims.Take("just being made"));
    }

    /// <summary>The lease is measured from one file's time to another's, so that no machine's own clock has a say.</summary>
    [Fact]
    public void What_was_not_renewed_for_a_lease_is_taken_over_by_one()
    {
        foreach (ClaimHolder? holder in new[] { s_elsewhere, null }) // also one that left no name
        {
            string file = Left("u", holder);
            var got = new ConcurrentBag<IDisposable?>();
            File.SetLastWriteTimeUtc(file, FileSystemNow().AddSeconds(-100)); // of two minutes
            Parallel.For(0, 8, _ => got.Add(new RunClaims(_run).Take("u")));
            Assert.All(got, Assert.Null);
            got.Clear();
            File.SetLastWriteTimeUtc(file, FileSystemNow().AddSeconds(-130));
            Parallel.For(0, 8, _ => got.Add(new RunClaims(_run).Take("u")));
            Assert.Equal("u~2", Path.GetFileName(Assert.Single(Directory.GetFiles(Claims))));
            Assert.Single(got.OfType<IDisposable>()).Dispose();
        }
    }

    [Fact]
    public void A_holder_that_was_only_slow_takes_nothing_from_its_successor()
    {
        using var slow = new RunClaims(_run, holder: s_elsewhere);
        using var next = new RunClaims(_run);
        using IDisposable? lost = slow.Take("u");
        File.SetLastWriteTimeUtc(Path.Combine(Claims, "u~1"), FileSystemNow().AddHours(-1));
        Assert.NotNull(next.Take("u"));
        lost!.Dispose();
        Assert.Null(slow.Take("u"));
        Assert.Equal("u~2", Path.GetFileName(Assert.Single(Directory.GetFiles(Claims))));
    }

    [Fact]
    public void A_holder_renews_its_claims()
    {
        using var claims = new RunClaims(_run, lease: TimeSpan.FromSeconds(0.3), holder: s_elsewhere);
        Assert.NotNull(claims.Take("u"));
        string file = Path.Combine(Claims, "u~1");
        for (int times = 0; times < 3; times++)
        {
            DateTime before = FileSystemNow().AddHours(-1);
            File.SetLastWriteTimeUtc(file, before);
            while (File.GetLastWriteTimeUtc(file) < before.AddMinutes(1)) claims.Pause(CancellationToken.None);
        }
        Assert.Equal(s_elsewhere, ClaimHolder.Parse(File.ReadAllText(file)));
    }

    [Fact]
    public void Who_waits_may_be_interrupted()
    {
        using var claims = new RunClaims(_run);
        Left("u", s_elsewhere);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => claims.Wait("u", source.Token));
    }

    /// <summary>A claim as a process leaves it that is killed.</summary>
    private string Left(string name, ClaimHolder? holder)
    {
        Directory.CreateDirectory(Claims);
        string file = Path.Combine(Claims, name + "~1");
        File.WriteAllText(file, string.Create(CultureInfo.InvariantCulture, $"{holder}"));
        return file;
    }

    private DateTime FileSystemNow()
    {
        string probe = Path.Combine(_run, "probe");
        File.WriteAllText(probe, "now");
        DateTime now = File.GetLastWriteTimeUtc(probe);
        File.Delete(probe);
        return now;
    }

    public void Dispose() => Directory.Delete(_run, recursive: true);
}
