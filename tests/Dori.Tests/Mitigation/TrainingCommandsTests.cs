using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Cli;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Mitigation;

public class TrainingCommandsTests
{
    [Fact]
    public void A_new_model_is_written_with_its_record_and_twice_alike()
    {
        string folder = Directory.CreateTempSubdirectory("dori").FullName;
        string[] outputs = [Path.Combine(folder, "a"), Path.Combine(folder, "b")];
        foreach (string output in outputs)
        {
            (int code, string error) =
                Run("mitigate", "esd", Golden.EmojiModel, "--images", Emoji.Pictures, "--limit", "1", "-o", output, "--iterations", "2",
                "--sampler-steps", "2", "--threads", "1", "--quiet");
            Assert.True(code == 0, error);
        }
        Assert.Equal(Hash(outputs[0]), Hash(outputs[1]));
        Assert.NotEqual(Hash(Golden.EmojiModel), Hash(outputs[0]));
        string record = File.ReadAllText(Path.Combine(outputs[0], "mitigation.json"));
        Assert.Contains("\"method\": \"esd\"", record);
        Assert.Contains("\"negativeGuidance\": 2", record);
        Assert.Contains("after Erased Stable Diffusion", File.ReadAllText(Path.Combine(outputs[0], "README.md")));
        Assert.Equal(2, Directory.EnumerateFileSystemEntries(folder).Count()); // no state is left

        static string Hash(string model) => DiffusersFolder.Open(model).Sha256();
    }

    [Fact]
    public void Adversarial_fine_tuning_takes_ordinary_pictures_and_those_the_model_draws_from_their_captions()
    {
        string output = Path.Combine(Directory.CreateTempSubdirectory("dori").FullName, "new"), options = output + ".json";
        File.WriteAllText(options,
            """{ "ownGenerations": 3, "searchSteps": 1, "snapshotSteps": [], "searchBatch": 1, "ordinaryPairs": 2, "steps": 7 }""");
        (int code, string error) =
            Run("mitigate", "adversarial", Golden.EmojiModel, "--images", Emoji.Pictures, "--limit", "1", "-o", output, "--ordinary",
            Path.Combine(Golden.EmojiModel, "ordinary.tar"),
            "--ordinary-limit", "20", "--surrogates", "1", "--train-steps", "1", "--options", options, "--threads", "2", "--quiet");
        Assert.True(code == 0, error);
        JsonElement record = JsonDocument.Parse(File.ReadAllText(Path.Combine(output, "mitigation.json"))).RootElement;
        JsonElement details = record.GetProperty("details");
        Assert.Equal(["ordinary.tar", "drawn by the model"],
            details.GetProperty("ordinary").EnumerateArray().Select(source => source.GetProperty("name").GetString()));
        Assert.Equal(23, details.GetProperty("ordinaryPairs").GetInt32() + details.GetProperty("ordinaryDropped").GetInt32());
        JsonElement used = record.GetProperty("options");
        Assert.Equal(1, used.GetProperty("distillationShare").GetDouble()); // the model's own
        Assert.Equal(1, used.GetProperty("steps").GetInt32()); // the command line over the file
        string[] drawn =
            [.. File.ReadLines(Assert.Single(Directory.GetFiles(output + ".work", "metadata.jsonl", SearchOption.AllDirectories)))
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!)];
        OrdinaryPictures ordinary = OrdinaryPictures.Load(Path.Combine(Golden.EmojiModel, "ordinary.tar"), 3);
        Assert.Equal(ordinary.Captions, drawn);
    }

    [Theory]
    [InlineData("--variant esd-y", "esd-x", "esd")]
    [InlineData("--learning-rate 7", "--learning-rate", "esd")]
    [InlineData("--loss hinge", "noise", "concept-ablation")]
    [InlineData("--lambda 1", "--lambda", "siss")]
    [InlineData("--ordinary nothing.tar", "nothing.tar", "adversarial")]
    [InlineData("--ordinary-captions nothing.txt", "nothing.txt", "adversarial")]
    [InlineData("--options nothing.json", "nothing.json", "adversarial")]
    [InlineData("--epochs 0", "epochs: 0", "adversarial")]
    [InlineData("--steps 0", "--steps is called --train-steps now", "adversarial")]
    public void Wrong_arguments_are_said_in_one_line(string arguments, string remedy, string method)
    {
        string output = Path.Combine(Directory.CreateTempSubdirectory("dori").FullName, "new");
        (int code, string error) =
            Run(["mitigate", method, Golden.EmojiModel, "--images", Emoji.Pictures, "--limit", "1", "-o", output, "--threads", "1",
            .. arguments.Split(' ')]);
        Assert.Equal(2, code);
        Assert.Contains(remedy, error);
        Assert.Single(error.TrimEnd().Split('\n'), line => !line.Contains("warning", StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(output)!)); // no work folder either
    }

    [Fact]
    public void Small_models_take_a_larger_rate_and_steps_for_every_picture()
    {
        ConceptAblationOptions ablation = ConceptAblationOptions.For(Emoji.Model, 3);
        Assert.Equal((90, 1e-4, 8), (ablation.Training.Steps, ablation.Training.LearningRate, ablation.Batch));
        SissOptions siss = SissOptions.For(Emoji.Model, 3);
        Assert.Equal((36, 1e-4, 1.0), (siss.Training.Steps, siss.Training.LearningRate, siss.Training.MaxGradientNorm));
        Assert.Equal((400, 4e-6), (new ConceptAblationOptions().Training.Steps, new ConceptAblationOptions().Training.LearningRate));
        Assert.Equal((35, 1e-5), (new SissOptions().Training.Steps, new SissOptions().Training.LearningRate));
    }

    private static (int Code, string Error) Run(params string[] arguments)
    {
        using var console = new TestConsole();
        using var error = new StringWriter();
        return (DoriApp.Run(arguments, console, TextWriter.Null, error), error.ToString());
    }
}
