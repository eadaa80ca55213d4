using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Search;
using Dori.Tests.Mitigation;
using Dori.Tests.Support;

namespace Dori.Tests.Audit;

/// <summary>Several runners at one folder, as processes of several machines would be: every unit once, and the bytes of one run.</summary>
[Collection(EmojiHooks.Name)]
public sealed class SharedRunTests : IDisposable
{
    private static readonly Lazy<TorchScriptCopyDetector> s_detector = new(() => TorchScriptCopyDetector.Load(Golden.EmojiModel));
    private static readonly AuditOptions s_options = new()
    {
        Starts = [AuditStart.Prompt, AuditStart.Caption], Steps = 1, SearchBatch = 1, MicroBatch = 1, CurveSteps = [0],
        Generations = 1, CurveGenerations = 1, GenerationBatch = 1, Guidance = 3, Sampler = "ddim", SamplerSteps = 1,
    };
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-shared-").FullName;
    private int _searches;

    [Fact]
    public void Several_at_one_folder_compute_each_unit_once_to_the_bytes_of_one()
    {
        AuditOptions options = s_options;
        Run("one", options);
        int once = Interlocked.Exchange(ref _searches, 0);
        Leave("several", "v00-caption-0", new ClaimHolder("elsewhere", 1, "7"), age: TimeSpan.FromHours(1)); // a machine that is gone
        Leave("several", "c01-prompt-0", ClaimHolder.Own with { Started = "1" }); // a process that was killed
        Parallel.For(0, 4, _ => Run("several", options));
        Assert.Equal(once, _searches);
        Assert.Equal(RunFiles.Of(In("one")), RunFiles.Of(In("several")));
        Assert.False(Directory.Exists(Path.Combine(In("several"), "claims")));
    }

    /// <summary>A picture may stop only once every control has its record, whoever computes it.</summary>
    [Fact]
    public void No_picture_is_searched_while_a_control_is_in_anothers_hand()
    {
        AuditOptions options = s_options with
        {
            StopAtVerdict = true, Sampler = "dpm-solver++", SamplerSteps = 2, Threshold = 0.3, Mirror = false,
        };
        string claim = Leave("waits", "c00-caption-0", new ClaimHolder("elsewhere", 1, "7"));
        bool waited = false;
        Run("waits", options, say: line =>
        {
            if (!line.StartsWith("other processes have the rest in hand (c00-caption-0)", StringComparison.Ordinal)) return;
            waited = true;
            Assert.Equal(19 * 2 - 1 + 2, Directory.GetFiles(Path.Combine(In("waits"), "units")).Length); // controls, and the two prompts
            File.Delete(claim); // dropped by its holder, without a record
        });
        Assert.True(waited);
        Parallel.For(0, 2, _ => Run("several", options));
        Assert.Equal(RunFiles.Of(In("waits")), RunFiles.Of(In("several")));
        Assert.DoesNotContain("units/v00-caption-0.json", RunFiles.Of(In("several")).Keys); // the prompt had answered
    }

    /// <summary>A process that was taken for dead finishes after its successor: nothing of the successor's is written again.</summary>
    [Fact]
    public void A_unit_that_stands_is_not_written_again()
    {
        AuditOptions options = s_options with { Starts = [AuditStart.Caption] };
        Run("one", options);
        Run("slow", options, search: () =>
        {
            if (Directory.Exists(Path.Combine(In("slow"), "units"))) return;
            foreach (string part in new[] { "units", "pictures", "embeddings", "costs" }) // all that its successors made meanwhile
            {
                Directory.CreateDirectory(Path.Combine(In("slow"), part));
                foreach (string file in Directory.GetFiles(Path.Combine(In("one"), part)))
                    File.Copy(file, Path.Combine(In("slow"), part, Path.GetFileName(file)));
            }
            File.WriteAllText(Path.Combine(In("slow"), "costs", "v00-caption-0.json"), "the successor's");
        });
        Assert.Equal(RunFiles.Of(In("one")), RunFiles.Of(In("slow")));
        Assert.Equal("the successor's", File.ReadAllText(Path.Combine(In("slow"), "costs", "v00-caption-0.json")));
    }

    /// <summary>Where pictures may stop, as many controls as it takes to judge.</summary>
    private static PictureSet Set(AuditOptions options) => PictureSet.Load(Emoji.Pictures).Where(item => item.Id is "v00" or "t01"
        || (item.Role == PictureRole.Control && int.Parse(item.Id[1..]) < (options.StopAtVerdict ? 19 : 2)));

    private string In(string run) => Path.Combine(_folder, run);

    private void Run(string run, AuditOptions options, Action<string>? say = null, Action? search = null)
    {
        RunFolder folder = RunFolder.Create(In(run), VerdictsTests.ManifestOf([.. Set(options).Items.Select(ManifestItem.Of)]) with
        {
            Options = options,
        });
        var counting = new Counting(() => { Interlocked.Increment(ref _searches); search?.Invoke(); }, options.SearchOptions);
        new AuditRunner(new UnitRunner(Emoji.Model, s_detector.Value, options, _ => counting), folder, say: say,
            claims: () => new RunClaims(In(run), TimeSpan.FromMinutes(1))).Run(AuditPlan.Of(Set(options), options), Workers.Single);
    }

    /// <summary>A claim as a process leaves it that ends without a word.</summary>
    private string Leave(string run, string unit, ClaimHolder holder, TimeSpan age = default)
    {
        string file = Path.Combine(Directory.CreateDirectory(Path.Combine(In(run), "claims")).FullName, unit + "~1");
        File.WriteAllText(file, holder.ToString());
        File.SetLastWriteTimeUtc(file, File.GetLastWriteTimeUtc(file) - age);
        return file;
    }

    /// <summary>Stays where it begins, and counts how often it was asked.</summary>
    private sealed class Counting(Action count, SearchOptions options) : ISearch
    {
        public string Description => "counting";

        public SearchResult Run(DiffusionModel model, TorchSharp.torch.Tensor targets, Conditioning start, RandomSource random,
            Action<int, float>? onStep = null, Func<int, Conditioning, bool>? enough = null, CancellationToken cancellation = default)
        {
            count();
            return new SearchResult([.. Enumerable.Repeat(1f, options.Steps)],
                [.. options.SnapshotSteps.Select(step => (step, start.Copy().DetachFromDisposeScope()))]);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
