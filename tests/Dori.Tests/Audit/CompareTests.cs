using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Quality;
using Dori.Reporting;
using Dori.Tests.Reporting;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

public sealed class CompareTests
{
    private static Func<int, int> Below => RandomSource.For("test").Next;

    private static UnitRecord Unit(string item, string start, double best, string kind = "verbatim", string role = "audit") => new()
    {
        Id = $"{item}-{start}-0", Item = item, Files = [$"{item}.png"], Caption = item, Kind = kind.Kind(), Role = role.Role(),
            Start = start.Start(), Seed = 0, Losses = [],
        // An earlier step that passes must not count.
        Snapshots =
            [.. start == "prompt" ? Array.Empty<Snapshot>() : [new Snapshot { Step = 1, Similarities = [0.99f], Diversity = 0 }],
            new Snapshot { Step = start == "prompt" ? 0 : 50, Similarities = [0.1f, (float)best], Diversity = 0 }],
    };

    private static AuditedModel Model(string name, params UnitRecord[] units) =>
        new(name,
        new SampleAudit().Summary
        with { Model = new SummaryModel(name, "00"), Starts = [AuditStart.Prompt, AuditStart.Caption, AuditStart.Random] }, units);

    /// <summary>Ten verbatim items: the first model copies 0 to 8 by prompt and all by search; the second 0 by prompt, 0 to 4 by caption, 9
    /// by noise.</summary>
    private static Comparison Sample()
    {
        AuditedModel first =
            Model("original",
            [.. Enumerable.Range(0, 10)
            .SelectMany(i =>
            new[] { Unit($"v{i}", "prompt", i < 9 ? 0.9 : 0.2), Unit($"v{i}", "caption", 0.9), Unit($"v{i}", "random", 0.8) }),
            Unit("c0", "prompt", 0.1, "", "control"), Unit("t0", "prompt", 0.8, "template")]);
        AuditedModel second =
            Model("pruned",
            [.. Enumerable.Range(0, 10)
            .SelectMany(i =>
            new[] { Unit($"v{i}", "prompt", i == 0 ? 0.9 : 0.2), Unit($"v{i}", "caption", i < 5 ? 0.71 : 0.7),
            Unit($"v{i}", "random", i == 9 ? 0.95 : 0.3) }), Unit("c0", "prompt", 0.8, "", "control"),
            Unit("t0", "prompt", 0.8, "template")]);
        return Comparison.Of([first, second], Below);
    }

    [Fact]
    public void A_model_that_was_asked_by_its_captions_alone_is_compared_by_those_alone()
    {
        AuditedModel asked = Model("original", Unit("v0", "prompt", 0.9), Unit("c0", "prompt", 0.1, "", "control"));
        asked = asked with { Summary = asked.Summary with { Starts = [AuditStart.Prompt] } };
        AuditedModel searched = Model("pruned", Unit("v0", "prompt", 0.2), Unit("v0", "caption", 0.9));
        Comparison c = Comparison.Of([asked, searched], Below);
        Assert.Equal(["prompt", "caption", "random", "search"], c.Starts);
        Assert.Equal(["prompt"], c.Models[0].Rows.Select(row => row.Start).Distinct());
        Assert.Equal("prompt", Assert.Single(c.Tests).Start);
    }

    [Fact]
    public void Searches_that_stopped_are_compared_with_no_other_and_their_rates_are_lower_bounds()
    {
        AuditedModel Stopped(string name)
        {
            AuditedModel model = Model(name, Unit("v0", "prompt", 0.2), Unit("v0", "caption", 0.9));
            GroupSummary row = model.Summary.Groups[0] with { Group = "verbatim", Start = AuditStart.Caption, LowerBound = true };
            return model with { Summary = model.Summary with { StopAtVerdict = true, Groups = [row] } };
        }
        AuditedModel whole = Model("whole", Unit("v0", "prompt", 0.9), Unit("v0", "caption", 0.9));
        foreach (AuditedModel[] models in new[] { [whole, Stopped("a")], new[] { Stopped("a"), Stopped("b") } })
            Assert.Contains("lower bounds", Assert.Throws<DoriException>(() => Comparison.Of(models, Below)).Message,
                StringComparison.Ordinal);
        AuditedModel asked = whole with { Summary = whole.Summary with { Starts = [AuditStart.Prompt] } };
        ComparedRow[] rows = [.. Comparison.Of([asked, Stopped("a")], Below).Models[1].Rows];
        Assert.Equal([("prompt", false), ("caption", true)], rows.Select(row => (row.Start, row.LowerBound)));
    }

    [Fact]
    public void Rates_and_tests_by_hand()
    {
        Comparison c = Sample();
        Assert.Equal(["prompt", "caption", "random", "search"], c.Starts);
        ComparedRow Row(int model, string group, string start) => c.Models[model].Rows.Single(r => r.Group == group && r.Start == start);
        Assert.Equal([9, 10, 10, 10], c.Starts.Select(s => Row(0, "verbatim", s).MemorizationRate.Count));
        Assert.Equal([1, 5, 1, 6], c.Starts.Select(s => Row(1, "verbatim", s).MemorizationRate.Count)); // 0.7 itself is no copy
        Assert.Equal(11, Row(0, "all", "prompt").Images);
        Assert.Equal(Statistics.Wilson(5, 10), Row(1, "verbatim", "caption").MemorizationRate);
        PairedTest prompt = c.Tests.Single(t => t.Group == "verbatim" && t.Start == "prompt"),
            any = c.Tests.Single(t => t.Group == "verbatim" && t.Start == "search");
        Assert.Equal(("pruned", 10, 8, 0), (prompt.Model, prompt.Images, prompt.OnlyFirst, prompt.OnlyThis));
        Assert.Equal(2 * Math.Pow(0.5, 8), prompt.PValue, 12); // 8 of 8 one way
        Assert.Equal((4, 0, 0.125), (any.OnlyFirst, any.OnlyThis, Math.Round(any.PValue, 12)));
        PairedTest control = c.Tests.Single(t => t.Group == "control");
        Assert.Equal((0, 1, 1.0), (control.OnlyFirst, control.OnlyThis, control.PValue));
        Assert.Contains(c.Warnings, w => w.Contains("--ordinary", StringComparison.Ordinal));
    }

    [Fact]
    public void A_search_that_was_not_run_is_not_a_clean_one()
    {
        AuditedModel whole = Model("a", Unit("v0", "caption", 0.9), Unit("v0", "random", 0.9)),
            part = Model("b", Unit("v0", "caption", 0.2));
        Comparison c = Comparison.Of([whole, part], Below);
        Assert.DoesNotContain(c.Models[1].Rows, r => r.Start is "random" or "search");
        Assert.Equal(["caption"], c.Tests.Select(t => t.Start));
    }

    [Fact]
    public void The_summarys_own_rates()
    {
        var sample = new SampleAudit();
        var model = new AuditedModel("a", sample.Summary, sample.Units);
        Comparison c = Comparison.Of([model, model with { Name = "b" }], Below);
        foreach (GroupSummary g in sample.Summary.Groups)
        {
            ComparedRow row = c.Models[0].Rows.Single(r => r.Group == g.Group && r.Start == g.Start.Text());
            Assert.Equal((g.Images, g.MemorizationRate), (row.Images, row.MemorizationRate));
        }
        Assert.All(c.Tests, t => Assert.Equal((0, 0, 1.0), (t.OnlyFirst, t.OnlyThis, t.PValue)));
    }

    [Fact]
    public void Models_that_were_judged_otherwise_are_refused()
    {
        AuditedModel a = Model("a", Unit("v0", "prompt", 0.9));
        Assert.Contains("at least two", Assert.Throws<DoriException>(() => Comparison.Of([a], Below)).Message, StringComparison.Ordinal);
        Assert.Contains("search steps 50 there, 25 here",
            Assert.Throws<DoriException>(() =>
            Comparison.Of([a, a with { Name = "b", Summary = a.Summary with { Steps = 25 } }], Below)).Message, StringComparison.Ordinal);
        Assert.Contains("copy detector",
            Assert.Throws<DoriException>(() =>
            Comparison.Of([a, a with { Summary = a.Summary with { CopyDetector = "other" } }], Below)).Message, StringComparison.Ordinal);
    }

    /// <summary>With quality, and a name that tries to be markup.</summary>
    private static Comparison WithQuality()
    {
        using var scope = NewDisposeScope();
        AuditedModel With(string name, float shift)
        {
            var samples =
                new QualitySamples(Golden.Rand("q", 30, 4) + shift, Golden.Rand("real", 30, 4), [.. Enumerable.Repeat(0.5 - shift, 30)],
                [.. Enumerable.Repeat(0.6, 30)], [0.2, 0.3]);
            AuditedModel model = Model(name, Unit("v0", "prompt", 0.9 - shift));
            var set =
                new QualitySet("ordinary", QualityFigures.Of(samples, Below, 20), 0.25, [.. Enumerable.Range(0, 30)], samples.ClipScores);
            var summary =
                new QualitySummary { Model = model.Summary.Model, Ordinary = new QualityOrdinary("o", "00", 30), FeatureNetwork = "net",
                Clip = "clip", CopyDetector = "d", Options = new QualityOptions(), Sets = [set], Warnings = ["w"] };
            return model with { Quality = summary, Samples = new Dictionary<string, QualitySamples> { ["ordinary"] = samples } };
        }
        return Comparison.Of([With("original", 0), With("<script>|_x_", 0.5f)], Below, 50);
    }

    [Fact]
    public void Quality_differences()
    {
        Comparison c = WithQuality();
        ComparedQuality d = Assert.Single(c.QualityDifferences);
        Assert.Equal(("<script>|_x_", "ordinary"), (d.Model, d.Set));
        Assert.Equal(c.Models[1].Quality[0].Figures.FrechetDistance.Value - c.Models[0].Quality[0].Figures.FrechetDistance.Value,
            d.Difference.FrechetDistance.Value, 9);
        Assert.Equal(-0.5, d.Difference.ClipScore.Value, 6);
        Assert.Equal(new Interval(0, 0, 0), d.Difference.Diversity);
        Assert.Equal(["w"], c.Warnings.Where(w => w == "w"));
    }

    [Fact]
    public void Markdown_table()
    {
        string[] lines = CompareTable.Markdown(Sample()).Split('\n');
        int columns = lines[0].Count(ch => ch == '|');
        Assert.StartsWith(
            "| Model | verbatim, prompt | verbatim, search from caption | verbatim, search from random | verbatim, any search |", lines[0],
            StringComparison.Ordinal);
        Assert.All(lines.Take(4), line => Assert.Equal(columns, line.Count(ch => ch == '|')));
        Assert.Contains("| 1 of 10 (1.8 to 40.4\u00A0%), 0.200 \u00B1 0.000, p 0.008 |", lines[3], StringComparison.Ordinal);
        string quality = CompareTable.Markdown(WithQuality());
        Assert.Contains("| real pictures | ordinary, 30 | 0.250 |", quality, StringComparison.Ordinal);
        Assert.Contains("0.000 (0.000 to 0.000), \u0394 \u22120.500 (\u22120.500 to \u22120.500)", quality, StringComparison.Ordinal);
        Assert.Contains("| &lt;script&gt;\\|\\_x\\_ |", quality, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", quality, StringComparison.Ordinal);
    }

    [Fact]
    public void Report_is_one_file_that_asks_for_nothing()
    {
        string folder = Directory.CreateTempSubdirectory("dori-compare-").FullName;
        try
        {
            string path = Path.Combine(folder, "compare.html");
            Write(path);
            string html = File.ReadAllText(path);
            Assert.Contains("&lt;script&gt;|_x_", html, StringComparison.Ordinal);
            Assert.Contains("data:image/png;base64,iVA=", html, StringComparison.Ordinal);
            Assert.Contains("&lt;b&gt;caption 0&lt;/b&gt;", html, StringComparison.Ordinal);
            Assert.Contains("\u0394 \u22120.500", html, StringComparison.Ordinal);
            Assert.Contains("What Wanda cut from &lt;script&gt;|_x_", html, StringComparison.Ordinal);
            Assert.Contains("15 of 600 weights (2.5\u00A0%) in 2 layers", html, StringComparison.Ordinal);
            Assert.Contains("width=\"40\"", html, StringComparison.Ordinal); // 1.25 % of a layer against 5 %, in a bar of 160
            foreach (string forbidden in new[] { "<script", "<b>", "http://", "https://", "url(" })
                Assert.DoesNotContain(forbidden, html, StringComparison.OrdinalIgnoreCase);
            foreach (string tag in new[] { "section", "table", "tr", "td", "div", "figure", "p", "tbody" })
                Assert.Equal(html.Split($"<{tag}>").Length + html.Split($"<{tag} ").Length - 2, html.Split($"</{tag}>").Length - 1);
        }
        finally { Directory.Delete(folder, recursive: true); }
    }

    /// <summary>A report with quality, a pruned model and names that mean harm.</summary>
    internal static void Write(string path) =>
        CompareReport.Write(path, WithQuality(), (model, index) => index == 0 ? [0x89, 0x50] : null, index => $"<b>caption {index}</b>",
            name => name == "<script>|_x_" ? Pruning() : null, "dori compare <a>", "0.1.0");

    private static PruningRecord Pruning() => new()
    {
        Method = "Wanda",
        Items = [new PrunedItem("v00", "a cat", [], 15)],
        Layers = [new LayerMarks("down_blocks.0.ff.net.2", 10, 20, 10), new LayerMarks("mid_block.ff.net.2", 20, 20, 5)],
    };
}
