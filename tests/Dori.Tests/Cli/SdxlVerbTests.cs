using Dori.Cli;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

/// <summary>Every verb takes a model with two text encoders: nothing after Diffusion knows how many there are.</summary>
public sealed class SdxlVerbTests : IDisposable
{
    private readonly SdxlTiny _model = new();
    private readonly TinyModel _tiny = new(); // its pictures
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-sdxl-verbs-").FullName;

    [Theory]
    [InlineData("info MODEL")]
    [InlineData("generate MODEL goblin -n 1 --sampler-steps 1 -o OUT")]
    [InlineData("mitigate wanda MODEL --images PICTURES --limit 1 -o OUT")]
    [InlineData("mitigate esd MODEL --images PICTURES --limit 1 --iterations 1 --sampler-steps 1 -o OUT")]
    public void A_verb_runs(string command) => Run(command);

    [Fact]
    public void An_audit_is_interrupted_resumed_sharded_and_reported_to_the_same_bytes()
    {
        const string audit = "audit MODEL --images PICTURES --search-steps 2 --search-batch 1 --curve none -n 1 --sampler-steps 1 "
            + "--despite-control --limit 2";
        Run(audit + " -o one");
        Assert.Contains("embeddings/v00-random-0.safetensors", RunFiles.Of(In("one")).Keys);
        Run(audit + " --shard 1/2 -o several --no-report");
        Run(audit + " --shard 2/2 -o other --no-report");
        Run("report several other");
        Assert.Equal(RunFiles.Of(In("one")), RunFiles.Of(In("several")));
        File.Delete(Path.Combine(In("several"), "units", "v00-random-0.json"));
        Run(audit + " -o several");
        Assert.Equal(RunFiles.Of(In("one")), RunFiles.Of(In("several")));
    }

    private string In(string run) => Path.Combine(_folder, run);

    private void Run(string command)
    {
        string[] args = [.. command.Split(' ').Select(arg => arg switch
        {
            "MODEL" => _model.Folder, "PICTURES" => _tiny.Pictures, "OUT" or "one" or "several" or "other" => In(arg), _ => arg,
        }), "--threads", "1", "--quiet"];
        using var error = new StringWriter();
        int code = DoriApp.Run(args, new TestConsole(), TextWriter.Null, error);
        Assert.True(code == 0, error.ToString());
    }

    public void Dispose()
    {
        _model.Dispose();
        _tiny.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
