using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Pictures;
using Dori.Reporting;
using Dori.Search;
using Dori.Tests.Mitigation;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

/// <summary>
/// A picture whose verdict is certain is searched no further, and the verdict is the one that the whole search gives. A record that
/// stopped is believed only where that is so.
/// </summary>
[Collection(EmojiHooks.Name)]
public sealed class StopAtVerdictTests : IDisposable
{
    private static readonly AuditOptions s_options = SampleRun.Options with { StopAtVerdict = true };
    private static readonly Manifest s_manifest = SampleRun.ManifestOf(s_options, audited: 2);
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-stop-").FullName;

    [Fact]
    public void What_a_decided_picture_lacks_is_spared_and_not_missing()
    {
        Summary summary = Verdicts.Summarize(s_manifest, [.. Controls(0.3f), Unit("v00", AuditStart.Prompt, 0.9f)]);
        Assert.Equal((1, 2), (summary.SparedUnits, summary.MissingUnits)); // v01 has nothing yet
        Assert.Equal([Verdict.Retained, Verdict.NotJudged], summary.Pictures.Take(2).Select(picture => picture.Verdict));
        Assert.Equal(1.0 / 20, summary.Pictures[0].PValue, 12);
    }

    [Theory]
    [InlineData(0.9f)] // as near as the picture
    [InlineData(0.95f)]
    public void Nothing_is_spared_where_a_control_comes_as_near(float control)
    {
        Summary summary = Verdicts.Summarize(s_manifest, [.. Controls(0.3f, first: control), Unit("v00", AuditStart.Prompt, 0.9f)]);
        Assert.Equal((0, 3), (summary.SparedUnits, summary.MissingUnits));
    }

    [Fact]
    public void Nothing_is_spared_while_a_control_is_missing_or_the_positive_control_is()
    {
        UnitRecord prompt = Unit("v00", AuditStart.Prompt, 0.9f);
        Assert.Equal(0, Verdicts.Summarize(s_manifest, [.. Controls(0.3f).Skip(1), prompt]).SparedUnits);
        Assert.Equal(0, Verdicts.Summarize(s_manifest with { Control = null }, [.. Controls(0.3f), prompt]).SparedUnits);
        Assert.Equal(0, Verdicts.Summarize(s_manifest with { Options = SampleRun.Options }, [.. Controls(0.3f), prompt]).SparedUnits);
    }

    [Fact]
    public void A_search_that_stopped_counts_as_long_as_its_picture_is_decided()
    {
        UnitRecord[] audited = [Unit("v00", AuditStart.Prompt, 0.2f), Stopped("v00", 0.9f)];
        Summary summary = Verdicts.Summarize(s_manifest, [.. Controls(0.3f), .. audited]);
        Assert.Equal((Verdict.Retained, 2), (summary.Pictures[0].Verdict, summary.MissingUnits));
        GroupSummary row = summary.Groups.Single(g => g.Group == "verbatim" && g.Start == AuditStart.Caption);
        Assert.Equal((1, 1, true), (row.Images, row.MemorizationRate.Count, row.LowerBound));
        Assert.False(summary.Groups.Single(g => g.Group == "control" && g.Start == AuditStart.Caption).LowerBound);
        // A control that was added since comes nearer: the rest of the search is needed after all.
        summary = Verdicts.Summarize(s_manifest, [.. Controls(0.3f, first: 0.95f), .. audited]);
        Assert.Equal((Verdict.NotJudged, 3), (summary.Pictures[0].Verdict, summary.MissingUnits));
    }

    [Fact]
    public void A_record_that_stopped_where_nothing_was_decided_is_not_believed()
    {
        Assert.Null(Problem(Stopped("v00", 0.9f), s_options));
        Assert.Contains("nothing was decided", Problem(Stopped("v00", 0.6f), s_options), StringComparison.Ordinal);
        Assert.Contains("1 losses, 3 are planned", Problem(Stopped("v00", 0.9f), SampleRun.Options), StringComparison.Ordinal);
        Assert.Contains("1 losses, 3 are planned", Problem(Stopped("c00", 0.9f), s_options), StringComparison.Ordinal);
        UnitRecord between = Stopped("v00", 0.9f) with { Losses = [0.1f, 0.1f] };
        Assert.NotNull(Problem(RecordDigest.With(between), s_options)); // no snapshot is planned there
    }

    [Fact]
    public void The_published_search_ends_where_it_is_told_to_and_was_the_same_until_then()
    {
        using var scope = NewDisposeScope();
        DiffusionModel model = Emoji.Model;
        Tensor z0 = RandomSource.For("z0").Normal([1, .. model.LatentShape]);
        Conditioning y = model.Embed("");
        var search = new DoriSearch(new SearchOptions { Steps = 4, Batch = 1, MicroBatch = 1, SnapshotSteps = [0, 2, 4] });
        var seen = new List<int>();
        using SearchResult whole = search.Run(model, z0, y, RandomSource.For("unit"));
        using SearchResult ended = search.Run(model, z0, y, RandomSource.For("unit"), enough: (step, _) =>
        {
            seen.Add(step);
            return step == 2;
        });
        Assert.Equal([0, 2], seen);
        Assert.Equal(whole.Losses.Take(2), ended.Losses);
        Assert.Equal([0, 2], ended.Snapshots.Select(snapshot => snapshot.Step));
        Assert.True(ended.Snapshots[1].Y.Tokens.eq(whole.Snapshots[1].Y.Tokens).all().item<bool>());
    }

    [Fact]
    public void A_run_that_stops_gives_the_verdicts_of_the_whole_one_and_goes_on_after_a_kill()
    {
        PictureSet pictures = PictureSet.Load(Emoji.Pictures).Where(item => item.Id is "v00" or "v02" || item.Role == PictureRole.Control)
            .Limit(19);
        Summary whole = Run("whole", stop: false), stopped = Run("stopped", stop: true);
        Assert.Equal((0, 0), (whole.MissingUnits, stopped.MissingUnits));
        Assert.Contains(stopped.Groups, row => row.LowerBound); // from their captions, after no step
        Assert.Equal(Verdicts(whole), Verdicts(stopped));
        Assert.Contains(stopped.Pictures, picture => picture.Verdict == Verdict.Retained);
        // Nothing of it is left to do; without a unit that decided, what it spared is.
        var run = RunFolder.Open(Path.Combine(_folder, "stopped"));
        IReadOnlyList<AuditUnit> plan = AuditPlan.Of(run.Manifest);
        Assert.Empty(run.Open(plan));
        string bytes = Bytes("stopped");
        foreach (string file in Directory.GetFiles(Path.Combine(_folder, "stopped", "units"), "v00-*")) File.Delete(file);
        Assert.NotEmpty(run.Open(plan));
        Run("stopped", stop: true);
        Assert.Equal(bytes, Bytes("stopped"));
        Assert.All(run.ReadUnits().Records, unit => Assert.True(run.ReadCost(unit.Id) is { Forward: > 0 }));

        Summary Run(string name, bool stop) => Report.Write(new Dori.Audit.Audit(Checkpoint.Open(Golden.EmojiModel), pictures)
        {
            Protocol = "quick",
            Options = own => own with
            {
                Starts = [AuditStart.Other, AuditStart.Caption], Steps = 1, CurveSteps = [0], Generations = 1,
                CurveGenerations = 1, StopAtVerdict = stop,
            },
            Search = options => new Returning(options),
            Machine = new Machine { Threads = 2 },
        }.Run(Path.Combine(_folder, name)));

        static (string, Verdict, double)[] Verdicts(Summary summary) =>
            [.. summary.Pictures.Select(picture => (picture.Item, picture.Verdict, picture.PValue))];

        string Bytes(string name) => string.Concat(Directory.GetFiles(Path.Combine(_folder, name, "units")).Order(StringComparer.Ordinal)
            .Select(File.ReadAllText));
    }

    /// <summary>Stays where it begins, and asks at every step whether that is enough.</summary>
    private sealed class Returning(SearchOptions options) : ISearch
    {
        public string Description => "staying";

        public SearchResult Run(DiffusionModel model, Tensor targets, Conditioning start, RandomSource random,
            Action<int, float>? onStep = null, Func<int, Conditioning, bool>? enough = null, CancellationToken cancellation = default)
        {
            var snapshots = new List<(int, Conditioning)>();
            int step = -1;
            do snapshots.Add((++step, start.Copy().DetachFromDisposeScope()));
            while (!(enough?.Invoke(step, snapshots[^1].Item2) ?? false) && step < options.Steps);
            return new SearchResult([.. Enumerable.Repeat(1f, step)],
                [.. snapshots.Where(snapshot => options.SnapshotSteps.Contains(snapshot.Item1))]);
        }
    }

    private static string? Problem(UnitRecord record, AuditOptions options) =>
        UnitCheck.Problem(record, Planned(record.Item, record.Start), s_manifest with { Options = options });

    private static AuditUnit Planned(string item, AuditStart start) =>
        AuditPlan.Of(s_manifest).Single(unit => unit.Item.Id == item && unit.Start == start);

    private static UnitRecord Unit(string item, AuditStart start, float best) => SampleRun.Record(s_manifest, Planned(item, start), best);

    /// <summary>From the caption, after one step.</summary>
    private static UnitRecord Stopped(string item, float best)
    {
        UnitRecord whole = Unit(item, AuditStart.Caption, best);
        Snapshot first = whole.Snapshots[0] with { Pictures = [$"pictures/{whole.Id}-0.png"] };
        return RecordDigest.With(whole with { Losses = [0.1f], Snapshots = [first], Digest = null });
    }

    /// <param name="first">Of the first control's search, where it comes nearer than the others.</param>
    private static IEnumerable<UnitRecord> Controls(float best, float? first = null) => AuditPlan.Of(s_manifest)
        .Where(unit => unit.Item.Role == PictureRole.Control)
        .Select(unit => SampleRun.Record(s_manifest, unit, unit.Id == "c00-caption-0" ? first ?? best : best));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
