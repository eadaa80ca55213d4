using Dori.Checkpoints;
using Dori.Cli;
using Dori.Signing;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Signing;

/// <summary>A signed run's units, computed again by the command line.</summary>
public sealed class RecomputationTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-again-").FullName;

    [Fact]
    public void Units_come_out_the_same_and_those_of_another_model_are_refused()
    {
        using var tiny = new TinyModel();
        string run = Path.Combine(_folder, "run"), key = Path.Combine(_folder, "key.pem");
        byte[] der = [.. Convert.FromHexString("302e020100300506032b657004220420"), .. new byte[32]];
        File.WriteAllText(key, new string(System.Security.Cryptography.PemEncoding.Write("PRIVATE KEY", der)) + "\n");
        Dori("audit", tiny.Folder, "--images", tiny.Pictures, "--starts", "prompt,caption", "-n", "1", "--curve", "none",
            "--despite-control", "-o", run);
        Dori("sign", run, "--key", key);
        Assert.Contains("Computed again: 3 units, 3 to the same bytes", Dori("verify", run, "--key", key, "--units", "3"),
            StringComparison.Ordinal);
        Assert.Contains("not the model of this run",
            Refused("verify", run, "--key", key, "--units", "1", "--model", Golden.EmojiModel), StringComparison.Ordinal);
        File.Delete(Path.Combine(tiny.Pictures, "verbatim-00.png"));
        Assert.Contains("verbatim-00.png", Refused("verify", run, "--key", key, "--units", "10"), StringComparison.Ordinal);
    }

    private static string Dori(params string[] args)
    {
        (int code, string said) = Call(args);
        Assert.True(code == 0, said);
        return said;
    }

    private static string Refused(params string[] args)
    {
        (int code, string said) = Call(args);
        Assert.Equal(2, code);
        return said;
    }

    private static (int Code, string Said) Call(string[] args)
    {
        using var console = new TestConsole().Width(200);
        using var said = new StringWriter();
        int code = DoriApp.Run(args, console, said, said);
        return (code, console.Output + said);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
