using System.Text.Json;
using Dori.Cli;
using Dori.Tests.Audit;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Control;

/// <summary>What a person sees of a model that cannot draw.</summary>
public sealed class ControlCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-control-cli-").FullName;
    private static readonly string[] s_quick = ["--sampler-steps", "1", "-n", "1", "--curve", "none", "--starts", "prompt", "--no-mirror"],
        s_judging = ["--limit", "19", .. s_quick, "--quiet"];

    [Theory]
    [InlineData("unet zero", "hand", false)]
    [InlineData("v_prediction on an epsilon model", "hand", true)]
    [InlineData("vae decoder zero", "eye", false)]
    [InlineData("text encoder zero", "ear", true)]
    [InlineData("another number of heads", "hand", false)]
    [InlineData("sample_size 4", "eye", true)]
    public void It_is_refused_in_one_line_and_nothing_is_searched(string kind, string part, bool gate)
    {
        string model = BrokenModel.Make(_folder, kind), run = Path.Combine(_folder, "run");
        string[] audit = ["audit", model, "--images", Emoji.Pictures, "-o", run, .. s_judging];
        (int code, string output, string error) = Run(gate ? [.. audit, "--gate"] : audit);
        Assert.Equal(DoriApp.WrongInput, code);
        Assert.Equal("", output);
        string said = Assert.Single(error.TrimEnd().Split('\n'), line => !line.StartsWith("dori: warning:", StringComparison.Ordinal));
        Assert.Contains($"positive control failed: {part}: ", said, StringComparison.Ordinal);
        Assert.Contains("wanted", said, StringComparison.Ordinal);
        Assert.Contains("--despite-control", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    [Theory]
    [InlineData("calibrate")]
    [InlineData("locality")]
    [InlineData("compare")]
    public void Every_verb_that_judges_or_counts_refuses_it(string verb)
    {
        string model = BrokenModel.Make(_folder, "unet zero"), run = Path.Combine(_folder, "run");
        string[] args = verb switch
        {
            "calibrate" => [model, "--controls", Emoji.Pictures],
            "compare" => [model, Golden.EmojiModel, "--images", Emoji.Pictures],
            _ => [model, "--images", Emoji.Pictures, "--searches", "3"],
        };
        (int code, string _, string error) = Run([verb, .. args, "-o", run, "--quiet"]);
        Assert.Equal(DoriApp.WrongInput, code);
        Assert.Contains("positive control failed: hand", error, StringComparison.Ordinal);
        Assert.Empty(Directory.Exists(run) ? Directory.GetFiles(run, "*.json", SearchOption.AllDirectories) : []);
    }

    [Fact]
    public void Searched_all_the_same_it_is_not_judged_and_no_manifest_talks_it_sound()
    {
        string model = BrokenModel.Make(_folder, "unet zero"), run = Path.Combine(_folder, "run");
        string[] audit = ["audit", model, "--images", Emoji.Pictures, "-o", run, .. s_judging];
        (int code, string output, string error) = Run([.. audit, "--despite-control", "--json"]);
        Assert.Equal(0, code);
        Assert.Contains("nothing judged", error, StringComparison.Ordinal);
        JsonElement summary = JsonDocument.Parse(output).RootElement;
        Assert.False(summary.GetProperty("control").GetProperty("passed").GetBoolean());
        Assert.All(summary.GetProperty("pictures").EnumerateArray(),
            picture => Assert.Equal("not judged", picture.GetProperty("verdict").GetString()));
        Assert.Contains(summary.GetProperty("warnings").EnumerateArray(),
            warning => warning.GetString()!.Contains("positive control failed", StringComparison.Ordinal));
        Assert.Contains("The positive control failed", File.ReadAllText(Path.Combine(run, "report.html")), StringComparison.Ordinal);
        Assert.Equal(DoriApp.WrongInput, Run([.. audit, "--despite-control", "--gate"]).Code);
        Assert.Equal(DoriApp.WrongInput, Run(["report", run, "--gate", "--quiet"]).Code);

        string manifest = Path.Combine(run, "manifest.json");
        SampleRun.Edit(manifest, json =>
        {
            json["control"]!["passed"] = true;
            foreach (var figure in json["control"]!["figures"]!.AsArray()) (figure!["atMost"], figure["atLeast"]) = (null, null);
        });
        File.Delete(Directory.GetFiles(Path.Combine(run, "units"))[0]);
        (int resumed, string _, string said) = Run(audit);
        Assert.Equal(DoriApp.WrongInput, resumed);
        Assert.Contains("positive control failed", said, StringComparison.Ordinal);

        SampleRun.Edit(manifest, json => json.Remove("control"));
        Assert.Equal(DoriApp.WrongInput, Run(["report", run, "--gate", "--quiet"]).Code);
        Assert.Contains("no positive control is recorded", File.ReadAllText(Path.Combine(run, "summary.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_sound_model_is_told_so_in_one_line_and_the_record_stands_in_manifest_and_summary()
    {
        string run = Path.Combine(_folder, "run");
        string[] audit = ["audit", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", run, "--limit", "2", .. s_quick];
        (int code, string _, string error) = Run(audit);
        Assert.Equal(0, code);
        Assert.Contains("dori: positive control: passed (eye 4 of 4, hand ", error, StringComparison.Ordinal);
        foreach (string file in new[] { "manifest.json", "summary.json" })
        {
            JsonElement record = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, file))).RootElement.GetProperty("control");
            Assert.True(record.GetProperty("passed").GetBoolean());
        }
        string report = File.ReadAllText(Path.Combine(run, "report.html"));
        Assert.Contains("Could this audit have found anything?", report, StringComparison.Ordinal);
        Assert.DoesNotContain("positive control: passed", Run(audit).Error, StringComparison.Ordinal); // all is there: the record stands
    }

    private static (int Code, string Output, string Error) Run(string[] args)
    {
        using var console = new TestConsole();
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = DoriApp.Run(args, console, output, error);
        return (code, output.ToString(), error.ToString());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
