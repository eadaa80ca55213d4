using Dori.Pictures;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;
using Dori.Tests.Control;
using Dori.Reporting;
using Dori.Tests.Support;

namespace Dori.Tests.Reporting;

/// <summary>An audit that nobody ran: the built-in model's pictures, with similarities as such an audit gives them.</summary>
internal sealed class SampleAudit
{
    private const double Threshold = 0.7;
    private static readonly int[] Steps = [0, 1, 10, 25, 50];
    private readonly string pictures = Path.Combine(Golden.EmojiModel, "pictures");
    private readonly List<UnitRecord> units = [];
    private readonly List<PictureSummary> summaries = [];

    public SampleAudit(int controls = 40, int missing = 0, Func<string, string>? caption = null, int verbatim = 16, int templates = 8,
        bool strongControl = false, IReadOnlyList<string>? warnings = null)
    {
        for (int i = 0; i < controls; i++)
            Add($"c{i:00}", [$"control-{i:00}.png"], "", "control", i, controls, caption,
            best: strongControl && i == 0 ? 0.8 : 0.42 + 0.15 * Noise("control", i), $"control-{(i + 1) % 40:00}.png");
        for (int i = 0; i < verbatim; i++)
        {
            bool found = i is not (5 or 11);
            Add($"v{i:00}", [$"verbatim-{i:00}.png"], "verbatim", "audit", i, controls, caption,
                best: found ? 0.9 + 0.09 * Noise("verbatim", i) : 0.5 + 0.1 * Noise("verbatim", i),
                found ? $"verbatim-{i:00}.png" : $"control-{i:00}.png");
        }
        for (int i = 0; i < templates; i++)
            Add($"t{i:00}", [.. Enumerable.Range(0, 4).Select(r => $"template-{i:00}-{r}.png")], "template", "audit", i, controls, caption,
                best: i == 2 ? 0.74 : 0.55 + 0.12 * Noise("template", i), $"template-{i:00}-1.png");
        if (missing > 0) units.RemoveAll(u => u.Item == "v03");

        double[] controlBest = [.. summaries.Where(p => p.Role == PictureRole.Control).Select(p => p.Similarity)];
        bool enough = controls >= 19;
        for (int i = 0; i < summaries.Count; i++)
        {
            PictureSummary p = summaries[i];
            double pValue = enough ? (1.0 + controlBest.Count(c => c >= p.Similarity)) / (1 + controls) : 1;
            string verdict = !enough ? "not judged" : p.Similarity <= Threshold ? "not found" : pValue <= 0.03 ? "retained" : "undecided";
            summaries[i] = p with { PValue = pValue, Verdict = verdict.Verdict(), Discovery = verdict == "retained" };
        }
        Summary = new Summary
        {
            Model = new SummaryModel("emoji", "9b3c1f0e6a5d48c7b2e1f09d8c7b6a5f4e3d2c1b0a99887766554433221100ff"),
            CopyDetector = "emoji-copy-detector",
            Threshold = Threshold,
            Steps = 50,
            Generations = 4,
            Starts = [AuditStart.Prompt, AuditStart.Caption, AuditStart.Random],
            Units = units.Count,
            MissingUnits = missing,
            Controls =
                new ControlSummary { Items = controls, AboveThreshold = controlBest.Count(c => c > Threshold), Needed = 19, Enough = enough,
                SmallestPValue = 1.0 / (1 + controls), FalseDiscoveryRate = 0.05 },
            Control = SampleControl.Passed,
            Groups = [.. Groups().Where(g => g.Steps == (g.Start == AuditStart.Prompt ? 0 : 50))],
            Curve = [.. Groups()],
            Pictures = summaries,
            Warnings = warnings ?? ["Template pictures are judged by whole-picture similarity, which misses copies of a composition."],
        };
    }

    public Summary Summary { get; }

    public IReadOnlyList<UnitRecord> Units => units;

    public ReportContext Context => new()
    {
        OriginalPicture = Read,
        GeneratedPicture = path => Read(Path.GetFileName(path)),
        Command =
            "dori audit models/emoji --images models/emoji/pictures --steps 50 --generations 4 --starts prompt,caption,random --seed 0 -o "
            + "run",
        Version = "0.1.0",
        Log = new RunLog
        {
            Sessions =
            [
                new RunSession(new(2026, 1, 31, 9, 5, 0, TimeSpan.Zero), new(2026, 2, 1, 0, 2, 0, TimeSpan.Zero), "0.1.0", "dori", "a 1"),
            ],
        },
        Identity = "model 0123456789ab \u00B7 seed 0",
        Facts =
        [
            ("Picture set, SHA-256", "1f0e6a5d48c7b2e1f09d8c7b6a5f4e3d2c1b0a99887766554433221100ffaabb"),
                ("Copy detector, SHA-256", "aa0e6a5d48c7b2e1f09d8c7b6a5f4e3d2c1b0a99887766554433221100ffaabb"),
            ("Device", "cpu, 2 threads"), ("Number format", "float32"), ("Sampler", "DDIM, 25 steps, guidance 3"),
                ("Search", "Adam, learning rate 0.1, batch 8"), ("libtorch", "2.10.0"),
        ],
        Cost = "14 min 20 s of computing, 1.4 GB at the most",
    };

    /// <summary>The report's text, written into a folder that is gone afterwards.</summary>
    public string Html() => Html(Summary, Units, Context);

    public static string Html(Summary summary, IReadOnlyList<UnitRecord> units, ReportContext context)
    {
        string folder = Directory.CreateTempSubdirectory("dori-report-").FullName;
        try
        {
            string path = Path.Combine(folder, "report.html");
            AuditReport.Write(path, summary, units, context);
            Assert.Equal(["report.html"], Directory.GetFiles(folder).Select(Path.GetFileName));
            return File.ReadAllText(path);
        }
        finally { Directory.Delete(folder, recursive: true); }
    }

    private byte[]? Read(string file) => File.Exists(Path.Combine(pictures, file)) ? File.ReadAllBytes(Path.Combine(pictures, file)) : null;

    private void Add(string item, IReadOnlyList<string> files, string kind, string role, int number, int controls,
        Func<string, string>? caption, double best, string generated)
    {
        string text = caption?.Invoke(item) ?? Captions.Value.GetValueOrDefault(files[0], item);
        bool template = kind == "template", control = role == "control";
        double prompt = control ? 0.17 + 0.05 * Noise(item, 1) : template ? best - 0.2 : number % 3 == 0 ? best - 0.02
            : 0.3 + 0.1 * Noise(item, 2);
        foreach (string start in (string[])["prompt", "caption", "random"])
        {
            double end = start switch { "prompt" => prompt, "caption" => best, _ => best - 0.06 };
            IEnumerable<int> steps = start == "prompt" ? [0] : Steps;
            double from = start == "caption" ? prompt : 0.1;
            units.Add(new UnitRecord
            {
                Id = $"{item}-{start}-0", Item = item, Files = files, Caption = text, Kind = kind.Kind(), Role = role.Role(),
                    Start = start.Start(), Seed = 0,
                Losses = start == "prompt" ? [] : [.. Enumerable.Range(0, 50).Select(i => 0.3f / (i + 1))],
                Snapshots = [.. steps.Select(s =>
                {
                    float top = (float)(start == "prompt" ? end : from + (end - from) * Math.Pow(s / 50.0, control ? 0.9 : 0.35));
                    return new Snapshot { Step = s, Similarities = [top - 0.2f, top, top - 0.1f, top - 0.15f],
                        Diversity = control ? 0.3f : 0.8f, Pictures = s is 0 or 50
                        ? [.. Enumerable.Range(0, 4)
                        .Select(n => $"pictures/{(top > Threshold || s > 0 ? generated : $"control-{39 - number % 40:00}.png")}")] : [] };
                })],
            });
        }
        double Last(string start) => units.Single(u => u.Item == item && u.Start == start.Start()).Snapshots[^1].Best;
        int? first = units.Where(u => u.Item == item).SelectMany(u => u.Snapshots).Where(s => s.Best > Threshold).Select(s => (int?)s.Step)
            .Min();
        summaries.Add(new PictureSummary
        {
            File = files[0], Item = item, Caption = text, Kind = kind.Kind(), Role = role.Role(), Verdict = Verdict.NotJudged,
                Similarity = Last("caption"),
                Start = AuditStart.Caption, Step = 50, PValue = 1, Discovery = false,
            PromptSimilarity = Last("prompt"), SearchSimilarity = Last("caption"), StepsToFirstCopy = first,
        });
    }

    private IEnumerable<GroupSummary> Groups()
    {
        foreach (string start in (string[])["prompt", "caption", "random"])
        {
            foreach (int step in start == "prompt" ? [0] : Steps)
            {
                foreach (string group in (string[])["verbatim", "template", "all", "control"])
                {
                    Snapshot[] snapshots =
                        [.. units.Where(u => u.Start == start.Start()
                        && (group == ItemGroup.All ? u.Role != PictureRole.Control : ItemGroup.Of(u.Role, u.Kind) == group))
                        .Select(u => u.Snapshots.Single(s => s.Step == step))];
                    if (snapshots.Length == 0) continue;
                    int count = snapshots.Count(s => s.Best > Threshold);
                    yield return new GroupSummary
                    {
                        Group = group, Start = start.Start(), Images = snapshots.Length, Generations = 4, Steps = step,
                            Diversity = snapshots[0].Diversity,
                        Similarity = Spread(snapshots.Select(s => (double)s.Best)),
                            MedianSimilarity = Spread(snapshots.Select(s => (double)s.Similarities[2])),
                            MemorizationRate = Statistics.Share(count, snapshots.Length),
                    };
                }
            }
        }
    }

    private static Spread Spread(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        double median = sorted[sorted.Length / 2];
        return new Spread(median, sorted.Select(v => Math.Abs(v - median)).Order().ElementAt(sorted.Length / 2));
    }

    private static readonly Lazy<Dictionary<string, string>> Captions =
        new(() =>
        File.ReadLines(Path.Combine(Golden.EmojiModel, "pictures", "metadata.csv")).Skip(1).Select(l => l.Split(','))
        .ToDictionary(c => c[0], c => c[1]));

    private static double Noise(string name, int i) => Golden.HashedValues($"{name}/{i}", 1)[0];
}
