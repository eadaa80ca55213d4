using System.Text.RegularExpressions;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Locality;
using Dori.Measures;
using Dori.Reporting;

namespace Dori.Tests.Locality;

public sealed class LocalityReportTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-locality-").FullName;

    internal static LocalityOutcome Outcome(string caption = "a picture")
    {
        RandomSource random = RandomSource.For("report");
        DistanceMatrix d = Points.Distances(Points.Cloud(random, 9, 4));
        PrincipalComponents axes = PrincipalComponents.Of(d);
        IReadOnlyList<(double X, double Y)> tsne = Tsne.Embed(d);
        var map =
            new EmbeddingMap("v00",
            [.. Enumerable.Range(0, 9)
            .Select(i => new MapPoint(i < 3 ? "start" : i < 6 ? "trigger" : "caption", "v00", i % 3, tsne[i], axes.Points[i]))],
            axes.Shares, d);
        var wide = new Comparison(1.4, 1.2, 1.6, 0.001);
        var neighbours = new NeighbourTest(0, 0.25, 1);
        var input = new InputSpace
        {
            Captions = 3, AgainstStarts = wide, AgainstCaptions = wide, SilhouetteByPicture = 0.1,
                Verdict = LocalityVerdicts.Input(1, null),
            Pictures =
                [new InputPicture { Item = "v00", Triggers = 3, StartSpacing = 90, EndSpacing = 99, CaptionSpacing = 67,
                AgainstStarts = wide, AgainstCaptions = wide, Displacement = new Spread(0.5, 0.01), Silhouette = -0.1, StartSilhouette = 0,
                Neighbours = neighbours, StartNeighbours = neighbours }],
        };
        ActivationLayer[] layers =
            [new() { Method = "Wanda", Layer = "mid_block.attentions.0.transformer_blocks.0.ff.net.2", Triggers = 2, Starts = 3,
            DifferentCaptions = 4, AgainstCaptions = wide, Pictures = new Dictionary<string, Comparison> { ["v00"] = wide } }];
        WeightMethod method = new()
        {
            Method = "Wanda", Captions = 3,
                Transfer = new TransferRates(Statistics.Wilson(0, 2), 2, Statistics.Wilson(2, 2), 2, Statistics.Wilson(2, 2), 2),
            Layers = [
                new WeightLayer { Layer = "mid_block", Weights = 100, Marked = 5, Triggers = null, TriggersEmpty = 1, Captions = 0.5,
                CaptionsEmpty = 0, OtherTriggers = null, Difference = null, PValue = null }],
            Pictures =
                [new WeightPicture { Method = "Wanda", Item = "v00", Settings = "", Triggers = [0, 2], Unpruned = [0.9, 0.91],
                Transfer = [[0.2, 0.81], [0.82, 0.3]], Null = [[0.9, 0.9]], Unions = [new UnionStep(1, 5, 0.05, true, 1, 0.8, 1.01)] }],
        };
        return new LocalityOutcome(new LocalitySummary
        {
            Model = new SummaryModel("emoji", "00"), CopyDetector = "d", Threshold = 0.7, Searches = 3, Steps = 50, Generations = 2,
                Seed = 0,
            Pictures = [new LocalityPicture("v00", "v.png", caption, "verbatim", 3, 3, new Spread(0.9, 0.01), new Spread(0, 0.01), false)],
            Input = input with { Verdict = LocalityVerdicts.Input(1, input) },
                Activation =
                new ActivationSpace { Verdict = LocalityVerdicts.Activation(layers), Timestep = 961, Captions = 3, Layers = layers },
            Weight = new WeightSpace { Methods = [method], Verdict = LocalityVerdicts.Weight([method]) }, Warnings = ["One picture."],
        }, [map], [d]);
    }

    internal static void Write(string path, LocalityOutcome outcome) =>
        LocalityReport.Write(path, outcome,
            new ReportContext { OriginalPicture = _ => null, GeneratedPicture = _ => null, Command = "dori locality", Version = "1",
            Facts = [("Model", "emoji")] });

    private string Html(LocalityOutcome outcome)
    {
        string path = Path.Combine(_folder, "report.html");
        Write(path, outcome);
        return File.ReadAllText(path);
    }

    [Fact]
    public void Three_chapters_have_one_verdict_each_and_it_comes_first()
    {
        string html = Html(Outcome());
        string[] titles = [.. Regex.Matches(html, "<h2[^>]*>([^<]+)</h2>").Select(m => m.Groups[1].Value)];
        Assert.Equal(
            ["Before you rely on this", "Do the triggers lie together?", "Do they excite the network alike?",
            "Do they use the same weights?", "What was run", "How the verdicts are made", "What this study cannot say"], titles);
        Assert.Equal(3, Regex.Count(html, "<span class=\"badge "));
        Assert.Equal(["As embeddings: locality is refuted.", "As activations: locality is refuted.", "As weights: locality is undecided."],
            Regex.Matches(html, "class=\"headline\">([^<]+)<").Select(m => m.Groups[1].Value));
        Assert.Equal(html, Html(Outcome())); // the same bytes
        Assert.DoesNotContain("style=\"", html, StringComparison.Ordinal); // the policy would refuse it
    }

    [Fact]
    public void A_hostile_caption_stays_a_word()
    {
        string html = Html(Outcome("<img src=\"https://example.org/x\"> \u202Egnp"));
        Assert.DoesNotContain("<img src=\"https", html, StringComparison.Ordinal);
        Assert.DoesNotContain("\u202E", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_matrix_is_in_the_tables()
    {
        LocalityTables.Write(_folder, Outcome());
        Assert.Equal(
            ["activation.csv", "agreement.csv", "distances.safetensors", "input.csv", "maps.csv", "pictures.csv", "transfer.csv",
            "unions.csv"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        string[] transfer = File.ReadAllLines(Path.Combine(_folder, "transfer.csv"));
        Assert.Contains("Wanda,v00,trigger 0,2,0.81", transfer);
        Assert.Equal(1 + 2 + 4 + 2, transfer.Length);
        foreach (string file in Directory.GetFiles(_folder, "*.csv")) // every row has the header's fields
            Assert.Single(File.ReadAllLines(file).Select(line => line.Count(c => c == ',')).Distinct());
        using var distances = SafetensorsFile.Open(Path.Combine(_folder, "distances.safetensors"));
        Assert.Equal(["activation.Wanda.mid_block.attentions.0.transformer_blocks.0.ff.net.2", "input.v00"],
            distances.Tensors.Keys.Order(StringComparer.Ordinal));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
