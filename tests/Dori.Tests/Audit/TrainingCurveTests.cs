using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Checkpoints.Adapters;
using Dori.Cli;
using Dori.Pictures;
using Dori.Reporting;
using Dori.Tests.Reporting;
using Dori.Tests.Support;
using Spectre.Console.Testing;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

/// <summary>Checkpoints along one training: their order, and the curve of copies over them.</summary>
public sealed class TrainingCurveTests : IDisposable
{
    private const string Layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k";

    private readonly string _folder = Directory.CreateTempSubdirectory("dori-each-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <param name="metadata">By words: "ss_steps=100 ss_epoch=2".</param>
    private string Lora(string name, string metadata)
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(_folder, name + ".safetensors");
        using WeightSet unet = DiffusersFolder.Open(Golden.EmojiModel).OpenUNet();
        IReadOnlyList<long> shape = unet.Info("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight").Shape;
        SafetensorsWriter.Write(path, [(Layer + ".lora_down.weight", Golden.Hashed(name, 1, shape[1])),
            (Layer + ".lora_up.weight", zeros(shape[0], 1))],
            metadata.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToDictionary(pair => pair.Split('=')[0],
                pair => pair.Split('=')[1]));
        return path;
    }

    private static string[] Names(params string[] paths) => [.. AdapterOrder.Of(paths).Select(place => place.Name)];

    [Fact]
    public void Checkpoints_are_ordered_by_steps_else_epochs_else_names()
    {
        Assert.Equal(["b", "a"], Names(Lora("a", "ss_steps=300 ss_epoch=1"), Lora("b", "ss_steps=90 ss_epoch=3")));
        Assert.Equal(["c", "d"], Names(Lora("d", "ss_epoch=10"), Lora("c", "ss_epoch=9 ss_steps=5")));
        Assert.Equal(["toy-000005", "toy-000010", "toy"], Names(Lora("toy", ""), Lora("toy-000010", ""), Lora("toy-000005", "")));
        Assert.Equal(["x-step00000500", "x-step00001000"], Names(Lora("x-step00001000", ""), Lora("x-step00000500", "")));
        Assert.Equal(["2024-01-01_10-00-00-save-90-2-0", "2024-01-01_09-00-00-save-100-1-7"],
            Names(Lora("2024-01-01_09-00-00-save-100-1-7", ""), Lora("2024-01-01_10-00-00-save-90-2-0", "")));
        Assert.Contains("say the order of", Assert.Throws<DoriException>(() => Names(Lora("one", ""), Lora("two", ""))).Message,
            StringComparison.Ordinal);
        Assert.Contains("the same step, 7", Assert.Throws<DoriException>(() => Names(Lora("e", "ss_steps=7"), Lora("f", "ss_steps=7")))
            .Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_curve_says_when_it_began_and_which_picture_came_first()
    {
        Summary late = new SampleAudit().Summary;
        PictureSummary[] gone = [.. late.Pictures.Select(p => p with
        {
            Similarity = 0.3,
            PromptSimilarity = 0.3,
            Verdict = p.Role == PictureRole.Control ? p.Verdict : Verdict.NotFound,
        })];
        Summary early = late with { Pictures = gone }, middle = late with
        {
            Pictures = [.. gone.Select(p => p.Item == "v01" ? late.Pictures.Single(other => other.Item == "v01") : p)],
        };
        TrainingPlace Place(string name, long steps) => new(name, name, steps, null, "ss_steps");
        var curve = TrainingCurve.Of([(Place("a", 100), "a", null, early), (Place("b", 200), "b", "each seen 20 times", middle),
            (Place("c", 300), "c", null, late)]);
        Assert.Equal(0, curve.Points[0].Retained);
        Assert.Equal(1, curve.Points[1].Retained);
        Assert.Equal(late.Pictures.Count(p => p.Verdict == Verdict.Retained), curve.Points[2].Retained);
        Assert.Equal(("b", 1), (curve.Began!.Name, curve.Points[1].Copies.Count));
        Assert.StartsWith("b (200 steps) is the first to retain one: 1 of 24; the last retains ", curve.InOneLine(),
            StringComparison.Ordinal);
        Assert.Equal("b", curve.Pictures.Single(p => p.Item == "v01").First);
        Assert.Equal("c", curve.Pictures.Single(p => p.Item == "v00").First);
        Assert.Null(curve.Pictures.Single(p => p.Item == "v05").First);
        Assert.DoesNotContain(curve.Pictures, p => p.Lost);
        TrainingReport.Write(_folder, curve, "dori audit --each");
        string page = File.ReadAllText(Path.Combine(_folder, "training.html"));
        Assert.Contains("When did it begin to memorize?", page, StringComparison.Ordinal);
        Assert.Contains("each seen 20 times", page, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder, "training.json")));
        Assert.Equal(300, json.RootElement.GetProperty("points")[2].GetProperty("steps").GetInt32());
    }

    [Theory]
    [InlineData("two --lora or more are wanted", 1)]
    [InlineData("--shard is of one run", 2, "--shard", "1/2")]
    [InlineData("--gate is of one run", 2, "--gate")]
    public void What_no_curve_can_be_made_of_is_refused(string said, int count, params string[] more)
    {
        string[] loras = [.. Enumerable.Range(1, count).SelectMany(i => new[] { "--lora", Lora($"l{i}", $"ss_steps={i}") })];
        var error = new StringWriter();
        Assert.Equal(2, DoriApp.Run(["audit", Golden.EmojiModel, .. loras, "--each", "--images", Emoji.Pictures, "-o",
            Path.Combine(_folder, "run"), .. more], new TestConsole(), new StringWriter(), error));
        Assert.Contains(said, error.ToString(), StringComparison.Ordinal);
    }
}
