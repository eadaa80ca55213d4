using System.Text.Json;
using Dori.Cli;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

/// <summary>What a person types and sees.</summary>
public sealed class DoriAppTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-cli-").FullName;

    [Theory]
    [InlineData("is not known; prompt, caption", "audit", "MODEL", "--images", "PICTURES", "-o", "RUN", "--starts", "promt")]
    [InlineData("no metadata", "audit", "MODEL", "--images", "EMPTY", "-o", "RUN")]
    [InlineData("--images DIR is missing", "audit", "MODEL", "-o", "RUN")]
    [InlineData("-o RUN is missing", "audit", "MODEL", "--images", "PICTURES")]
    [InlineData("model_index.json", "audit", "EMPTY", "--images", "PICTURES", "-o", "RUN")]
    [InlineData("--shard 3/2", "audit", "MODEL", "--images", "PICTURES", "-o", "RUN", "--shard", "3/2")]
    [InlineData("--search-steps", "audit", "MODEL", "--images", "PICTURES", "-o", "RUN", "--search-steps", "-1")]
    [InlineData("--curve x", "audit", "MODEL", "--images", "PICTURES", "-o", "RUN", "--curve", "x")]
    [InlineData("--dtype half", "generate", "MODEL", "t shirt", "--dtype", "half")]
    [InlineData("--device tpu", "generate", "MODEL", "t shirt", "--device", "tpu")]
    [InlineData("sampler \"fast\"", "generate", "MODEL", "t shirt", "--sampler", "fast")]
    [InlineData("no run folder", "report", "EMPTY")]
    [InlineData("--controls DIR is missing", "calibrate", "MODEL", "-o", "RUN")]
    [InlineData("auditt", "auditt")]
    [InlineData("name one of wanda, nemo, esd", "mitigate")]
    [InlineData("colour", "info", "MODEL", "--colour")]
    public void Wrong_input_gets_one_line_and_code_2_and_leaves_nothing(string part, params string[] args)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "EMPTY"));
        (int code, string output, string error) = Run([.. args.Select(Fill)]);
        Assert.Equal(DoriApp.WrongInput, code);
        Assert.Equal("", output);
        Assert.Contains(part.StartsWith("is not known", StringComparison.Ordinal) ? "\"promt\"" : part, error,
            StringComparison.OrdinalIgnoreCase);
        Assert.Single(error.TrimEnd().Split('\n'));
        Assert.StartsWith("dori: ", error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "RUN")));
    }

    [Fact]
    public void A_damaged_record_of_a_pruning_is_said_before_the_audit()
    {
        string model = Path.Combine(_folder, "pruned"), run = Path.Combine(_folder, "RUN");
        Directory.CreateDirectory(model);
        foreach (string part in Directory.GetDirectories(Golden.EmojiModel))
            Directory.CreateSymbolicLink(Path.Combine(model, Path.GetFileName(part)), part);
        foreach (string file in Directory.GetFiles(Golden.EmojiModel, "*.json"))
            File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(model, "mitigation.json"), """{ "schema": "dori.pruning/1" }""");
        (int code, string _, string error) = Run(["audit", model, "--images", Emoji.Pictures, "-o", run]);
        Assert.Equal(DoriApp.WrongInput, code);
        Assert.Contains("mitigation.json: not a record of a pruning", Assert.Single(error.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.False(Directory.Exists(run));
    }

    [Theory]
    [InlineData("audit")]
    [InlineData("calibrate")]
    [InlineData("compare")]
    [InlineData("locality")]
    [InlineData("mitigate")]
    public void Every_damaged_picture_is_named_before_the_first_unit(string verb)
    {
        string pictures = Path.Combine(_folder, "pictures"), run = Path.Combine(_folder, "RUN");
        Directory.CreateDirectory(pictures);
        foreach (string file in Directory.GetFiles(Emoji.Pictures)) File.Copy(file, Path.Combine(pictures, Path.GetFileName(file)));
        foreach (string name in new[] { "verbatim-03.png", "control-07.png" })
        {
            string file = Path.Combine(pictures, name);
            File.WriteAllBytes(file, File.ReadAllBytes(file)[..200]);
        }
        (int code, string _, string error) = Run(verb switch
        {
            "mitigate" => ["mitigate", "wanda", Golden.EmojiModel, "--images", pictures, "-o", run],
            "calibrate" => [verb, Golden.EmojiModel, "--controls", pictures, "-o", run],
            "compare" => [verb, Golden.EmojiModel, Golden.EmojiModel, "--images", pictures, "-o", run],
            _ => [verb, Golden.EmojiModel, "--images", pictures, "-o", run],
        });
        Assert.Equal(DoriApp.WrongInput, code);
        string said = error.TrimEnd().Split('\n')[^1];
        Assert.Contains("control-07.png", said, StringComparison.Ordinal);
        if (verb != "calibrate") Assert.Contains("verbatim-03.png", said, StringComparison.Ordinal); // it looks at controls alone
        Assert.False(Directory.Exists(run));
    }

    [Theory]
    [InlineData("demo")]
    [InlineData("info")]
    [InlineData("generate")]
    [InlineData("audit")]
    [InlineData("calibrate")]
    [InlineData("report")]
    [InlineData("evaluate")]
    [InlineData("compare")]
    [InlineData("diff")]
    [InlineData("locality")]
    public void Every_verb_has_help_with_an_example(string verb)
    {
        (int code, string output, string _) = Run([verb, "--help"]);
        Assert.Equal(0, code);
        Assert.Contains("EXAMPLES", output, StringComparison.Ordinal);
        Assert.Contains($"dori {verb}", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Info_says_what_the_model_holds()
    {
        (int code, string output, string _) = Run(["info", Golden.EmojiModel, "--json", "--threads",
            $"{TorchSharp.torch.get_num_threads()}"]);
        Assert.Equal(0, code); // with threads, since every weight is looked at
        JsonElement info = JsonDocument.Parse(output).RootElement;
        Assert.Equal(10860676,
            info.GetProperty("components").EnumerateArray().Single(c => c.GetProperty("name").GetString() == "unet")
            .GetProperty("parameters").GetInt64());
        Assert.Equal(64, info.GetProperty("pictureSize").GetInt32());
    }

    [Fact]
    public void Generate_writes_pictures_that_depend_on_seed_and_number_alone()
    {
        string a = Path.Combine(_folder, "a"), b = Path.Combine(_folder, "b");
        Assert.Equal(0, Run(["generate", Golden.EmojiModel, "t shirt", "-n", "2", "-o", a, "--sampler-steps", "2", "--quiet"]).Code);
        Assert.Equal(0, Run(["generate", Golden.EmojiModel, "t shirt", "-n", "1", "-o", b, "--sampler-steps", "2", "--quiet"]).Code);
        Assert.Equal(2, Directory.GetFiles(a).Length);
        Assert.Equal(File.ReadAllBytes(Path.Combine(a, "0-0.png")), File.ReadAllBytes(Path.Combine(b, "0-0.png")));
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(a, "0-0.png")), File.ReadAllBytes(Path.Combine(a, "0-1.png")));
    }

    [Fact]
    public void A_small_audit_leaves_summary_and_report_and_its_gate_does_not_open_unjudged()
    {
        string run = Path.Combine(_folder, "run");
        string[] audit =
            ["audit", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", run, "--limit", "1", "--steps", "1", "--search-batch", "1",
            "--sampler-steps", "1", "-n", "1", "--curve", "none", "--starts", "prompt,caption"];
        (int code, string output, string error) = Run([.. audit, "--json"]);
        Assert.Equal(0, code);
        JsonElement summary = JsonDocument.Parse(output).RootElement;
        Assert.Equal(6, summary.GetProperty("units").GetInt32()); // 3 items, 2 starts
        Assert.Equal("not judged", summary.GetProperty("pictures")[0].GetProperty("verdict").GetString());
        Assert.Contains("1 controls; 19 are needed", error, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(run, "report.html")));
        byte[] before = File.ReadAllBytes(Path.Combine(run, "summary.json"));

        Assert.Equal(DoriApp.WrongInput, Run([.. audit, "--gate", "--quiet"]).Code); // resumed: nothing to compute, nothing judged
        Assert.Equal(0, Run(["report", run, "--quiet"]).Code);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(run, "summary.json")));
        (int conflict, string _, string said) = Run([.. audit[..^1], "prompt"]);
        Assert.Equal(DoriApp.WrongInput, conflict);
        Assert.Contains("holds another run", said, StringComparison.Ordinal);
    }

    [Fact]
    public void Calibration_gives_a_budget_and_its_curve()
    {
        string run = Path.Combine(_folder, "calibration");
        (int code, string output, string _) =
            Run(["calibrate", Golden.EmojiModel, "--controls", Emoji.Pictures, "-o", run, "--limit", "2", "--steps", "2", "--search-batch",
            "1", "--sampler-steps", "1", "-n", "1", "--json"]);
        Assert.Equal(0, code);
        JsonElement calibration = JsonDocument.Parse(output).RootElement;
        Assert.Equal(2, calibration.GetProperty("budget").GetInt32()); // one sampler step makes no copies
        Assert.True(calibration.GetProperty("clean").GetBoolean());
        Assert.Equal(2, calibration.GetProperty("controls").GetInt32());
        Assert.True(File.Exists(Path.Combine(run, "calibration.json")));
    }

    private string Fill(string arg) => arg switch
    {
        "MODEL" => Golden.EmojiModel,
        "PICTURES" => Emoji.Pictures,
        "RUN" or "EMPTY" => Path.Combine(_folder, arg),
        _ => arg,
    };

    private static (int Code, string Output, string Error) Run(string[] args)
    {
        using var console = new TestConsole();
        console.Profile.Width = 200;
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = DoriApp.Run(args, console, output, error);
        return (code, args.Contains("--help") ? console.Output : output.ToString(), error.ToString());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
