using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Tests.Audit;
using Dori.Tests.Support;
using Spectre.Console;
using static TorchSharp.torch;
using Emoji = Dori.Tests.Support.Emoji;

namespace Dori.Tests.Mitigation;

/// <summary>Records, model cards and the pruned folder.</summary>
[Collection(EmojiHooks.Name)]
public sealed class PruningTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-pruning").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static PruningRecord Record(string caption) => new()
    {
        Method = "NeMo",
        Items =
        [
            new PrunedItem("a", caption, ["22"], 6, Neurons: PrunedNeurons.Of(new NemoFinding([0.5, 0.9],
                new NemoSelected(new NemoNeurons([[0, 1], [2]]), 0.4, 3.5, 6, 0.428, new NemoNeurons([[1], [2]]), 0.42, 9), [0.2, 0.3]),
                0.428)),
            new PrunedItem("b", "plain", ["33"], 0, Skipped: true, PrunedNeurons.Of(new NemoFinding([0.1, 0.2], null, []), 0.428)),
        ],
        Layers = [new LayerMarks("x.to_v", 2, 3, 3), new LayerMarks("y.to_v", 4, 3, 3)],
    };

    private static string Card(PruningRecord record, string original = "") => MitigationCard.Of(new MitigationRecord
    {
        Method = "nemo", Title = "pruning by NeMo", Version = "1", Command = "dori mitigate nemo m", Model = new RecordedSource("m", "00"),
        Pictures = new RecordedPictures("p", "11", ["a", "b"]), Seed = 0, Device = "cpu", Dtype = "float32", Threads = 1,
        Options = [], Losses = [], Details = [],
    }, new MitigationOutcome { Weight = (_, stored) => stored, Summary = Pruning.Summary(record), Card = Pruning.Card(record) }, original);

    [Fact]
    public void A_record_survives_json()
    {
        string json = JsonSerializer.Serialize(Record("c"), MitigationJson.Default.PruningRecord);
        PruningRecord back = JsonSerializer.Deserialize(json, MitigationJson.Default.PruningRecord)!;
        Assert.Equal(json, JsonSerializer.Serialize(back, MitigationJson.Default.PruningRecord));
        Assert.Equal(6, back.Marked);
        Assert.Equal(18, back.Weights);
        PrunedNeurons found = back.Items[0].Neurons!;
        Assert.Equal((0.9, 0.3, 0.42, 3.5, 6, 3),
            (found.Similarity, found.SimilarityAfter, found.BlockedSimilarity, found.Theta, found.TopK, found.Initial));
        Assert.Equal([[1], [2]], found.Layers);
        Assert.True(back.Items[1].Skipped);
        Assert.Null(back.Items[1].Neurons!.Threshold);
    }

    [Fact]
    public void The_card_says_what_was_done_and_that_silence_is_not_absence()
    {
        string card = Card(Record("<script>|x|\n# y [l](z)"), "---\r\nlicense: mit\r\n---\r\nAs it was.");
        Assert.StartsWith("---\nlicense: mit\n---\n\n# m, after pruning by NeMo\n", card, StringComparison.Ordinal);
        Assert.EndsWith("## The original's card\n\nAs it was.\n", card, StringComparison.Ordinal);
        Assert.Contains("6 of 18 weights of 2 UNet layers set to 0 (33.33 %)", card, StringComparison.Ordinal);
        Assert.Contains("Silence by prompt is not absence", card, StringComparison.Ordinal);
        Assert.Contains("dori mitigate nemo m", card, StringComparison.Ordinal);
        Assert.Contains("| `x.to_v` | 6 | 3 | 50 % |", card, StringComparison.Ordinal);
        Assert.Contains("not memorized by NeMo's test", card, StringComparison.Ordinal);
        Assert.Contains(@"| a | \<script\>\|x\| \# y \[l\]\(z\) | 6 |", card, StringComparison.Ordinal);
        Assert.DoesNotContain("no selection of neurons", card, StringComparison.Ordinal);
    }

    [Fact]
    public void A_selection_that_never_reached_the_threshold_is_said()
    {
        PruningRecord record = Record("c");
        PrunedItem item = record.Items[0] with { Neurons = record.Items[0].Neurons! with { Threshold = 0.99 } };
        record = record with { Items = [item, record.Items[1]] };
        Assert.Equal(1, record.NotReached);
        Assert.Contains("For 1 of 2 prompts no selection of neurons", Card(record), StringComparison.Ordinal);
    }

    [Fact]
    public void The_built_in_model_has_its_own_sparsity()
    {
        Assert.Equal(0.05, Emoji.Model.Defaults.WandaSparsity);
        Assert.Equal(0.01, new ModelDefaults().WandaSparsity);
        File.WriteAllText(Path.Combine(_folder, "dori.json"), """{ "guidance": 4 }""");
        ModelDefaults partly = ModelDefaults.Read(_folder); // what it leaves out is as published
        Assert.Equal((4.0, 50, 0.01, (double?)null), (partly.Guidance, partly.SamplerSteps, partly.WandaSparsity, partly.Esd.LearningRate));
        File.WriteAllText(Path.Combine(_folder, "dori.json"), """{ "wandaSparsity": 0 }""");
        Assert.Contains("wandaSparsity", Assert.Throws<DoriException>(() => ModelDefaults.Read(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_verb_writes_a_whole_model_in_which_only_marked_weights_differ()
    {
        using var scope = NewDisposeScope();
        string target = Path.Combine(_folder, "pruned");
        (int code, string output, string error) =
            Run("mitigate", "wanda", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", target, "--items", "v02", "-n", "1", "--json",
            "--threads", $"{get_num_threads()}");
        Assert.Equal((0, ""), (code, error));
        string json = File.ReadAllText(Path.Combine(target, "mitigation.json"));
        Assert.Equal(json.Trim(), output.Trim());
        MitigationRecord whole = JsonSerializer.Deserialize(json, MitigationJson.Default.MitigationRecord)!;
        Assert.Equal(("wanda", 0.05, 10), (whole.Method, (double)whole.Options["sparsity"]!, (int)whole.Options["steps"]!));
        PruningRecord record = PruningRecord.Read(target)!;
        Assert.Equal("Wanda", record.Method);
        Assert.Equal("t shirt", Assert.Single(record.Items).Caption);
        Assert.Contains("Silence by prompt", File.ReadAllText(Path.Combine(target, "README.md")), StringComparison.Ordinal);

        using WeightSet before = DiffusersFolder.Open(Golden.EmojiModel).OpenUNet(), after = DiffusersFolder.Open(target).OpenUNet();
        Assert.Equal(before.Names, after.Names);
        Dictionary<string, long> marked = record.Layers.ToDictionary(layer => layer.Layer + ".weight", layer => layer.Marked);
        foreach (string key in before.Names)
        {
            using var inner = NewDisposeScope();
            Tensor old = before.Read(key), pruned = after.Read(key), changed = old != pruned;
            long zeroed = changed.sum().item<long>();
            if (!marked.TryGetValue(key, out long expected)) Assert.Equal(0, zeroed);
            else
            {
                Assert.InRange(zeroed, 1, expected); // some marked weights may be 0 already
                Assert.Equal(0, pruned.masked_select(changed).to(float32).abs().sum().item<float>());
            }
        }
        Assert.Equal(2, Run("mitigate", "wanda", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", target).Code); // taken
    }

    [Fact]
    public void A_record_is_read_where_a_pruning_left_one_and_nowhere_else()
    {
        string file = Path.Combine(_folder, "mitigation.json");
        Assert.Null(PruningRecord.Read(_folder));
        File.WriteAllText(file, """{ "schema": "dori.mitigation/1", "method": "esd" }""");
        Assert.Null(PruningRecord.Read(_folder));
        File.WriteAllText(file, """{ "schema": "dori.pruning/1", "method": "wanda" }""");
        Assert.Contains("mitigation.json", Assert.Throws<DoriException>(() => PruningRecord.Read(_folder)).Message,
            StringComparison.Ordinal);
        File.WriteAllText(file, """{ "schema": "dori.mitigation/2", "method": "esd", "details": { "layers": 3 } }""");
        Assert.Null(PruningRecord.Read(_folder)); // another method's own
        File.WriteAllText(file, "{");
        Assert.Throws<DoriException>(() => PruningRecord.Read(_folder));
    }

    private const string First = """
        { "schema": "dori.pruning/1", "method": "nemo", "version": "0.1.0", "command": "", "model": "m", "modelSha256": "",
          "picturesSha256": "",
          "nemo": { "latents": 10, "threshold": 0.5, "thresholdMeasured": true, "heldOutCaptions": 40, "seed": 0 },
          "items": [ { "id": "a", "caption": "c", "sha256": [], "marked": 3, "skipped": false, "neurons":
            { "similarity": 0.9, "similarityAfter": 0.8, "blockedSimilarity": 0.7, "theta": 2, "topK": 1, "threshold": 0.7,
              "initial": 2, "layers": [[1]] } } ],
          "layers": [ { "layer": "x.to_v", "rows": 2, "columns": 3, "marked": 3 } ] }
        """;

    private const string Now = """
        { "schema": "dori.mitigation/2", "method": "nemo", "details": { "pruning": { "method": "NeMo",
          "items": [ { "id": "a", "caption": "c", "sha256": [], "marked": 3, "skipped": false, "neurons":
            { "similarity": 0.9, "similarityAfter": 0.8, "blockedSimilarity": 0.7, "theta": 2, "topK": 1, "threshold": 0.7,
              "initial": 2, "layers": [[1]], "asked": 0.5 } } ],
          "layers": [ { "layer": "x.to_v", "rows": 2, "columns": 3, "marked": 3 } ] } } }
        """;

    [Theory]
    [InlineData(First)]
    [InlineData(Now)]
    public void A_record_of_either_kind_is_read_and_a_run_keeps_it(string json)
    {
        File.WriteAllText(Path.Combine(_folder, "mitigation.json"), json);
        var run = RunFolder.Create(Path.Combine(_folder, "run"), SampleRun.ManifestOf(SampleRun.Options));
        run.KeepPruning(_folder);
        foreach (PruningRecord record in new[] { PruningRecord.Read(_folder)!, run.ReadPruning()! })
            Assert.Equal(("NeMo", 3, 6, 1), (record.Method, record.Marked, record.Weights, record.NotReached)); // 0.7 reached, 0.5 asked
    }

    [Theory]
    [InlineData("\"rows\": 2", "\"rows\": 0")]
    [InlineData("\"marked\": 3 }", "\"marked\": 7 }")]
    [InlineData("\"caption\": \"c\"", "\"caption\": null")]
    [InlineData("\"layer\": \"x.to_v\", ", "")]
    [InlineData("[[1]]", "[null]")]
    [InlineData("\"theta\": 2", "\"theta\": 1e39")]
    [InlineData("\"theta\": 2", "\"thetas\": 2")]
    [InlineData("\"id\": \"a\"", "\"id\": \"a\", \"id\": \"b\"")]
    public void A_damaged_record_of_either_kind_is_refused(string sound, string damaged)
    {
        foreach (string json in new[] { First, Now })
        {
            Assert.Contains(sound, json, StringComparison.Ordinal);
            File.WriteAllText(Path.Combine(_folder, "mitigation.json"), json.Replace(sound, damaged, StringComparison.Ordinal));
            string message = Assert.Throws<DoriException>(() => PruningRecord.Read(_folder)).Message;
            Assert.Contains("mitigation.json: not a record of a pruning", message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("--items", "v99")]
    [InlineData("--kinds", "other")]
    [InlineData("--sparsity", "2")]
    [InlineData("--limit", "0")]
    [InlineData("--pool", "0")]
    public void Wrong_arguments_are_one_line_and_leave_nothing(string option, string value)
    {
        string target = Path.Combine(_folder, "none");
        (int code, string _, string error) =
            Run("mitigate", "wanda", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", target, "--quiet", "--threads",
            $"{get_num_threads()}", option, value);
        Assert.Equal(2, code);
        Assert.Single(error.Trim().Split('\n'));
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void Nemo_writes_no_model_where_its_test_skips_every_prompt()
    {
        string target = Path.Combine(_folder, "none");
        (int code, string _, string error) =
            Run("mitigate", "nemo", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", target, "--items", "v02", "-n", "2", "--threshold",
            "0.9999", "--quiet", "--threads", $"{get_num_threads()}");
        Assert.Equal(2, code);
        Assert.Contains("none is memorized by NeMo's test", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        using StringWriter console = new(), output = new(), error = new();
        int code =
            DoriApp.Run(args, AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(console), Ansi = AnsiSupport.No }),
            output, error);
        return (code, output.ToString(), error.ToString());
    }
}
