using System.Text.Json;
using Dori.Checkpoints;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Mitigation;
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
        Method = "nemo", Version = "1", Command = "dori mitigate nemo m", Model = "m", ModelSha256 = "00", PicturesSha256 = "11",
        Nemo = new NemoSettings(10, 0.428, false, 100, 0),
        Items =
        [
            new PrunedItem("a", caption, ["22"], 6, Neurons: PrunedNeurons.Of(new NemoFinding([0.5, 0.9],
                new NemoSelected(new NemoNeurons([[0, 1], [2]]), 0.4, 3.5, 6, 0.428, new NemoNeurons([[1], [2]]), 0.42, 9), [0.2, 0.3]))),
            new PrunedItem("b", "plain", ["33"], 0, Skipped: true, PrunedNeurons.Of(new NemoFinding([0.1, 0.2], null, []))),
        ],
        Layers = [new LayerMarks("x.to_v", 2, 3, 3), new LayerMarks("y.to_v", 4, 3, 3)],
    };

    [Fact]
    public void A_record_survives_json()
    {
        string json = JsonSerializer.Serialize(Record("c"), PruningJson.Default.PruningRecord);
        PruningRecord back = JsonSerializer.Deserialize(json, PruningJson.Default.PruningRecord)!;
        Assert.Equal(json, JsonSerializer.Serialize(back, PruningJson.Default.PruningRecord));
        Assert.DoesNotContain("wanda", json, StringComparison.Ordinal);
        Assert.Equal(6, back.Marked);
        Assert.Equal(18, back.Weights);
        PrunedNeurons found = back.Items[0].Neurons!;
        Assert.Equal((0.9, 0.3, 0.42, 3.5, 6, 3), (found.Similarity, found.SimilarityAfter, found.BlockedSimilarity, found.Theta, found.TopK, found.Initial));
        Assert.Equal([[1], [2]], found.Layers);
        Assert.True(back.Items[1].Skipped);
        Assert.Null(back.Items[1].Neurons!.Threshold);
    }

    [Fact]
    public void The_card_says_what_was_done_and_that_silence_is_not_absence()
    {
        string card = PruningCard.Of(Record("<script>|x|\n# y [l](z)"));
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
        Assert.Contains("For 1 of 2 prompts no selection of neurons", PruningCard.Of(record), StringComparison.Ordinal);
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
        (int code, string output, string error) = Run("mitigate", "wanda", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", target, "--items", "v02", "-n", "1", "--json", "--threads", $"{get_num_threads()}");
        Assert.Equal((0, ""), (code, error));
        string json = File.ReadAllText(Path.Combine(target, "mitigation.json"));
        Assert.Equal(json.Trim(), output.Trim());
        PruningRecord record = JsonSerializer.Deserialize(json, PruningJson.Default.PruningRecord)!;
        Assert.Equal(("wanda", 0.05, 10), (record.Method, record.Wanda!.Sparsity, record.Wanda.Steps));
        Assert.Equal("t shirt", Assert.Single(record.Items).Caption);
        Assert.Equal(record.Layers, PruningRecord.Read(target)!.Layers);
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
        Assert.Contains("mitigation.json", Assert.Throws<DoriException>(() => PruningRecord.Read(_folder)).Message, StringComparison.Ordinal);
        File.WriteAllText(file, "{");
        Assert.Throws<DoriException>(() => PruningRecord.Read(_folder));
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
        (int code, string _, string error) = Run("mitigate", "wanda", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", target, "--quiet", "--threads", $"{get_num_threads()}", option, value);
        Assert.Equal(2, code);
        Assert.Single(error.Trim().Split('\n'));
        Assert.False(Directory.Exists(target));
    }

    [Fact]
    public void Nemo_writes_no_model_where_its_test_skips_every_prompt()
    {
        string target = Path.Combine(_folder, "none");
        (int code, string _, string error) = Run("mitigate", "nemo", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", target, "--items", "v02", "-n", "2", "--threshold", "0.9999", "--quiet", "--threads", $"{get_num_threads()}");
        Assert.Equal(2, code);
        Assert.Contains("none is memorized by NeMo's test", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(target));
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        using StringWriter console = new(), output = new(), error = new();
        int code = DoriApp.Run(args, AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(console), Ansi = AnsiSupport.No }), output, error);
        return (code, output.ToString(), error.ToString());
    }
}
