using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Pictures;
using Dori.Reporting;
using Dori.Search;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

/// <summary>A search of one's own is one class in one file, and goes the whole way: units, records, verdicts, report.</summary>
public sealed class OwnSearchTests
{
    /// <summary>Finds nothing but what it begins from.</summary>
    private sealed class Standstill(SearchOptions options) : ISearch
    {
        public string Description => $"standing still for {options.Steps} steps";

        public SearchResult Run(DiffusionModel model, Tensor targets, Conditioning start, RandomSource random,
            Action<int, float>? onStep = null, Func<int, Conditioning, bool>? enough = null, CancellationToken cancellation = default) =>
            new([.. Enumerable.Repeat(1f, options.Steps)],
                [.. options.SnapshotSteps.Select(step => (step, start.Copy().DetachFromDisposeScope()))]);
    }

    [Fact]
    public void It_goes_the_whole_way()
    {
        string folder = Directory.CreateTempSubdirectory("dori-own-search").FullName;
        try
        {
            PictureSet pictures = PictureSet.Load(Path.Combine(Golden.EmojiModel, "pictures")).Where(item => item.Id is "v00" or "c00");
            var audit = new Dori.Audit.Audit(Checkpoint.Open(Golden.EmojiModel), pictures)
            {
                Options = own => own with
                {
                    Starts = [AuditStart.Prompt, AuditStart.Caption], Steps = 3, CurveSteps = [], Generations = 1, CurveGenerations = 1,
                    SamplerSteps = 4,
                },
                Search = options => new Standstill(options),
                Machine = new Machine { Threads = 1 },
            };
            RunFolder run = audit.Run(folder);
            Summary summary = Report.Write(run);
            Assert.Equal("standing still for 3 steps", run.Manifest.Options.Search);
            UnitRecord[] units = [.. run.ReadUnits().Records.Where(unit => unit.Item == "v00")];
            Assert.Equal([1f, 1f, 1f], units.Single(unit => unit.Start == AuditStart.Caption).Losses);
            // Standing still at the caption is the prompt.
            Assert.Equal(units[0].Snapshots[^1].Similarities, units[1].Snapshots[^1].Similarities);
            Assert.Equal(0, summary.MissingUnits);
            Assert.Contains("standing still for 3 steps; from prompt, caption", File.ReadAllText(Path.Combine(folder, "report.html")),
                StringComparison.Ordinal);

            DoriException e = Assert.Throws<DoriException>(() => new Dori.Audit.Audit(Checkpoint.Open(Golden.EmojiModel), pictures)
            {
                Options = audit.Options, Machine = audit.Machine,
            }.Run(folder));
            Assert.Contains("another run", e.Message, StringComparison.Ordinal); // the published search is another one
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
