using Dori.Tests.Support;

namespace Dori.Tests.Cli;

/// <summary>The program itself, killed without warning at random moments and started again.</summary>
public sealed class KillTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-kill-").FullName;

    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void Killed_20_times_and_resumed_a_run_leaves_the_same_bytes()
    {
        Assert.Equal(0, Start("whole").Wait());
        Dictionary<string, string> expected = Files("whole");
        Assert.Equal(0, Start("again").Wait());
        Assert.Equal(expected, Files("again"));

        var random = new Random(20);
        int kills = 0;
        while (kills < 20)
        {
            using DoriProcess run = Start("killed");
            // it was done: begin anew
            if (!run.KillAfter(TimeSpan.FromSeconds(0.4 + 2.2 * random.NextDouble())))
                Directory.Delete(Path.Combine(_folder, "killed"), recursive: true);
            else kills++;
        }
        Assert.Equal(0, Start("killed").Wait());
        Assert.Equal(expected, Files("killed"));
    }

    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void A_training_killed_three_times_and_resumed_ends_in_the_same_weights()
    {
        Assert.Equal(0, Train("whole").Wait());
        var random = new Random(3);
        int kills = 0;
        while (kills < 3)
        {
            using DoriProcess run = Train("killed");
            if (run.KillAfter(TimeSpan.FromSeconds(2 + 6 * random.NextDouble())))
            {
                kills++;
                continue;
            }
            // it was done: begin anew
            foreach (string folder in new[] { "killed", "killed.work" }) Directory.Delete(Path.Combine(_folder, folder), recursive: true);
            kills = 0;
        }
        Assert.Equal(0, Train("killed").Wait());
        const string weights = "unet/diffusion_pytorch_model.safetensors";
        Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, "whole", weights)),
            File.ReadAllBytes(Path.Combine(_folder, "killed", weights)));
        Assert.Equal(Record("whole"), Record("killed"));

        string Record(string model) =>
            File.ReadAllText(Path.Combine(_folder, model, "mitigation.json")).Replace(model, "", StringComparison.Ordinal);
    }

    private DoriProcess Train(string model)
    {
        string options = Path.Combine(_folder, "options.json");
        File.WriteAllText(options, """
            { "ownGenerations": 4, "stepsPerSearch": 4, "searchSteps": 6, "snapshotSteps": [2], "searchBatch": 1, "ordinaryPairs": 4,
              "heldOut": { "pictures": 1, "generations": 1 } }
            """);
        return new(
            ["mitigate", "adversarial", Golden.EmojiModel, "--images", Emoji.Pictures, "--kinds", "verbatim", "--limit", "2", "-o",
            Path.Combine(_folder, model),
        "--ordinary", Path.Combine(Golden.EmojiModel, "ordinary.tar"), "--ordinary-limit", "40", "--surrogates", "2", "--train-steps", "40",
            "--options", options, "--check-every", "16",
            "--save-every", "2", "--quiet"]);
    }

    private DoriProcess Start(string run) =>
        new(["audit", Golden.EmojiModel, "--images", Emoji.Pictures, "-o", Path.Combine(_folder, run), "--limit", "4",
        "--steps", "4", "--search-batch", "2", "--sampler-steps", "4", "-n", "2", "--curve", "0,2", "--curve-generations", "1", "--quiet"]);

    private Dictionary<string, string> Files(string run) => RunFiles.Of(Path.Combine(_folder, run));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
