using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Mitigation.Adversarial;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Mitigation;

/// <summary>Mitigations of one's own, and options in files.</summary>
public sealed class MitigationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-mitigation").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>A mitigation that this library does not know: it fades one layer.</summary>
    private sealed class Fading : IMitigation
    {
        public string Name => "fading";
        public string Title => "Fading";

        public MitigationOutcome Apply(DiffusionModel model, MitigationPictures pictures, MitigationControl control) => new()
        {
            Weight = (key, stored) => key == "conv_out.weight" ? stored.mul(0.5f) : stored,
            Summary = "the last layer was faded.",
            Options = new JsonObject { ["factor"] = 0.5 },
        };
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_mitigation_of_ones_own_gives_a_whole_model_with_card_and_record(bool adapted)
    {
        using var scope = NewDisposeScope();
        string adapter = Golden.PathOf("lora/kohya.safetensors");
        var folder = Checkpoint.Open(Golden.EmojiModel, new CheckpointOptions { Adapters = adapted ? [(adapter, 0.6)] : [] });
        PictureSet all = PictureSet.Load(Emoji.Pictures), forget = all.Where(item => item.Id == "v00");
        var method = new Fading();
        MitigationOutcome outcome = method.Apply(Emoji.Model, new MitigationPictures(all, forget), new MitigationControl());
        string target = Path.Combine(_folder, "faded");
        new MitigationRecord
        {
            Method = method.Name, Title = method.Title, Version = "1", Command = "mine",
            Model = new RecordedSource("emoji", folder.Sha256()), Pictures = new RecordedPictures("pictures", forget.Sha256, ["v00"]),
            Adapters = MergedAdapter.Of(folder), Seed = 0, Device = "cpu", Dtype = "float32", Threads = 1,
            Options = outcome.Options, Losses = outcome.Losses, Details = outcome.Details,
        }.Save(folder, target, outcome);
        using WeightSet before = folder.OpenUNet(), after = DiffusersFolder.Open(target).OpenUNet();
        foreach (string key in before.Names)
        {
            using var inner = NewDisposeScope();
            Tensor stored = after.Read(key), expected = key == "conv_out.weight" ? before.Read(key).mul(0.5f) : before.Read(key);
            Assert.True(expected.to(stored.dtype).equal(stored).all().item<bool>(), key);
        }
        string card = File.ReadAllText(Path.Combine(target, "README.md"));
        Assert.Contains("emoji, after Fading", card, StringComparison.Ordinal);
        JsonNode record = JsonNode.Parse(File.ReadAllText(Path.Combine(target, "mitigation.json")))!;
        Assert.Equal(0.5, (double)record["options"]!["factor"]!);
        Assert.Equal(adapted ? "kohya" : null, (string?)record["adapters"]?[0]!["name"]);
        Assert.Equal(adapted, card.Contains("the adapters below are merged", StringComparison.Ordinal));
        Assert.Equal(!adapted, card.Contains("Everything but `unet/` is the original's", StringComparison.Ordinal));
        Assert.Null(PruningRecord.Read(target));
    }

    [Fact]
    public void What_a_run_recorded_is_options_again_and_later_ones_win()
    {
        AdversarialOptions first = AdversarialOptions.For(Emoji.Model,
            ("a test", new JsonObject { ["epochs"] = 3, ["surrogates"] = new JsonObject { ["count"] = 2 } }));
        (int, int, int, double) beneath = (first.Epochs, first.OrdinaryPairs, first.Surrogates.Count, first.Surrogates.Sparsities[0]);
        Assert.Equal((3, 72, 2, 0.05), beneath); // its dori.json's
        JsonObject recorded = MitigationJson.Object(first, AdversarialJson.Default.AdversarialOptions);
        string whole = Path.Combine(_folder, "mitigation.json"), alone = Path.Combine(_folder, "options.json");
        File.WriteAllText(alone, recorded.ToJsonString());
        File.WriteAllText(whole, new JsonObject
        {
            ["schema"] = MitigationRecord.CurrentSchema, ["method"] = "adversarial", ["options"] = recorded.DeepClone(),
        }.ToJsonString());
        foreach (string file in new[] { whole, alone })
        {
            AdversarialOptions again = AdversarialOptions.For(Emoji.Model, (file, AdversarialOptions.Read(file)));
            Assert.Equal(recorded.ToJsonString(), MitigationJson.Object(again, AdversarialJson.Default.AdversarialOptions).ToJsonString());
            var over = new JsonObject { ["epochs"] = 5 };
            Assert.Equal(5, AdversarialOptions.For(Emoji.Model, (file, AdversarialOptions.Read(file)), ("line", over)).Epochs);
        }
    }

    [Theory]
    [InlineData("""{ "epoch": 3 }""", "\"epoch\" is not known")]
    [InlineData("""{ "surrogates": { "counts": 3 } }""", "\"surrogates.counts\" is not known")]
    [InlineData("""{ "epochs": "many" }""", "epochs")]
    [InlineData("""{ "epochs": 0 }""", "epochs: 0")]
    [InlineData("""{ "epochs": 1, "epochs": 2 }""", "a key is there twice")]
    [InlineData("""{ "surrogates": null }""", "must be an object")]
    [InlineData("[]", "object")]
    [InlineData("{", "not options in JSON")]
    [InlineData("""{ "schema": "dori.mitigation/2", "method": "esd", "options": {} }""", "esd")]
    public void A_file_of_options_is_read_strictly(string json, string expected)
    {
        string file = Path.Combine(_folder, "options.json");
        File.WriteAllText(file, json);
        DoriException e = Assert.Throws<DoriException>(() => AdversarialOptions.For(Emoji.Model, (file, AdversarialOptions.Read(file))));
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_folder_says_how_it_wants_to_be_trained()
    {
        File.WriteAllText(Path.Combine(_folder, "dori.json"), """
            { "esd": { "learningRate": 1e-3, "stepsPerPicture": 2 }, "adversarial": { "epochs": 7 } }
            """);
        ModelDefaults read = ModelDefaults.Read(_folder);
        Assert.Equal((1e-3, 2, 50), (read.Esd.LearningRate, read.Esd.StepsPerPicture, read.SamplerSteps));
        Assert.Equal(7, (int)read.Adversarial!["epochs"]!);
        Assert.Null(read.Siss.LearningRate);
        File.WriteAllText(Path.Combine(_folder, "dori.json"), """{ "esd": { "learningRates": 1e-3 } }""");
        Assert.Contains("learningRates", Assert.Throws<DoriException>(() => ModelDefaults.Read(_folder)).Message, StringComparison.Ordinal);
    }
}
