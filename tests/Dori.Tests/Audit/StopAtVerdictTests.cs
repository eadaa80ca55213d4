using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
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
    private static readonly Lazy<TorchScriptCopyDetector> s_detector = new(() => TorchScriptCopyDetector.Load(Golden.EmojiModel));
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
    public void A_run_that_stops_gives_the_verdicts_of_the_whole_one_and_goes_on_where_it_was_left()
    {
        PictureSet pictures = PictureSet.Load(Emoji.Pictures)
            .Where(item => item.Id is "v00" or "t01" || (item.Role == PictureRole.Control && int.Parse(item.Id[1..]) < 19));
        var said = new List<string>();
        Summary whole = Run("whole", stop: false), stopped = Run("stopped", stop: true);
        Assert.Equal((0, 0), (whole.MissingUnits, stopped.MissingUnits));
        Assert.Equal(Judged(whole), Judged(stopped));
        PictureSummary retained = Assert.Single(stopped.Pictures, picture => picture.Verdict == Verdict.Retained);
        Assert.Equal(("v00", 0), (retained.Item, retained.Step));
        Assert.Equal(1, stopped.SparedUnits); // start other, after the caption had answered
        Assert.Contains(stopped.Groups, row => row.LowerBound);
        Assert.Contains(said, line => line.StartsWith("v00 comes back (", StringComparison.Ordinal));

        RunFolder run = Open("stopped", stop: true);
        IReadOnlyList<AuditUnit> plan = AuditPlan.Of(run.Manifest);
        Assert.Empty(run.Open(plan));
        Assert.All(run.ReadUnits().Records, unit => Assert.True(run.ReadCost(unit.Id) is { Forward: > 0, Backward: 0 }));
        string file = Path.Combine(run.Path, "units", "v00-caption-0.json"), bytes = File.ReadAllText(file);
        File.Delete(file);
        Assert.Equal(["v00-caption-0", "v00-other-0"], run.Open(plan).Select(unit => unit.Id));
        Run("stopped", stop: true);
        Assert.Equal(bytes, File.ReadAllText(file));

        AuditOptions Options(bool stop) => AuditOptions.For(Emoji.Model.Defaults, 0.7, "quick") with
        {
            Starts = [AuditStart.Caption, AuditStart.Other], Steps = 1, CurveSteps = [0], Generations = 1, CurveGenerations = 1,
            Mirror = false, StopAtVerdict = stop,
        };

        RunFolder Open(string name, bool stop) => RunFolder.Create(Path.Combine(_folder, name),
            VerdictsTests.ManifestOf([.. pictures.Items.Select(i =>
                new ManifestItem(i.Id, i.Folder, i.Files, i.Sha256, i.Caption, i.Kind, i.Role))]) with { Options = Options(stop) });

        Summary Run(string name, bool stop)
        {
            RunFolder folder = Open(name, stop);
            var runner = new UnitRunner(Emoji.Model, s_detector.Value, Options(stop), _ => new Staying(Options(stop).SearchOptions));
            new AuditRunner(runner, folder, () => TimeSpan.Zero, text => { lock (said) said.Add(text); })
                .Run(AuditPlan.Of(pictures, Options(stop)), new Workers(2, 1));
            return folder.Summarize();
        }

        static (string, Verdict, double)[] Judged(Summary summary) =>
            [.. summary.Pictures.Select(picture => (picture.Item, picture.Verdict, picture.PValue))];
    }

    /// <summary>Stays where it begins, and asks at every step whether that is enough.</summary>
    private sealed class Staying(SearchOptions options) : ISearch
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
