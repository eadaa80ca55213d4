using Dori.Cli;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

public sealed class CommandLineErrorsTests
{
    [Theory]
    [InlineData("--steps abc: a whole number is wanted (dori audit --help", "audit", "M", "--steps", "abc")]
    [InlineData("--steps abc: a whole number is wanted", "audit", "M", "--steps=abc")]
    [InlineData("--limit abc: a whole number is wanted", "audit", "M", "--limit", "abc")]
    [InlineData("-n 1.5: a whole number is wanted", "audit", "M", "-n", "1.5")]
    [InlineData("--steps 99999999999: this number is out of range", "audit", "M", "--steps", "99999999999")]
    [InlineData("--steps: a whole number is wanted after it", "audit", "M", "--steps")]
    [InlineData("--guidance x: a number, such as 0.5, is wanted", "audit", "M", "--guidance", "x")]
    [InlineData("audti: no such verb; did you mean audit? (dori --help", "audti", "M")]
    [InlineData("xyzzy: no such verb; known: demo, doctor, info", "xyzzy")]
    [InlineData("mitigate wnda: no such verb; did you mean wanda? (dori mitigate --help", "mitigate", "wnda")]
    [InlineData("--imags: no such option; did you mean --images? (dori audit --help", "audit", "M", "--imags", "x")]
    [InlineData("--device: an option of other verbs, which info does not take (dori info --help", "info", "M", "--device", "cuda")]
    [InlineData("'/proc/x': no folder can be made there; choose another with -o", "generate", "MODEL", "a cat", "-o", "/proc/x")]
    public void A_person_is_told_what_is_wanted(string said, params string[] args)
    {
        using var console = new TestConsole();
        using StringWriter output = new(), error = new() { NewLine = "\n" };
        string[] typed = [.. args.Select(arg => arg == "MODEL" ? Golden.EmojiModel : arg)];
        Assert.Equal(DoriApp.WrongInput, DoriApp.Run(typed, console, output, error));
        Assert.Contains(said, error.ToString(), StringComparison.Ordinal);
        Assert.Single(error.ToString().TrimEnd().Split('\n'));
    }

    [Fact]
    public void Escapes_in_a_path_do_not_reach_the_terminal()
    {
        using var console = new TestConsole();
        using StringWriter output = new(), error = new() { NewLine = "\n" };
        Assert.Equal(DoriApp.WrongInput, DoriApp.Run(["info", "a\u001b]0;x\u0007\u202E\u2028\nb"], console, output, error));
        Assert.StartsWith("dori: a\uFFFD]0;x\uFFFD\uFFFD  b: no such folder", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_of_the_program_is_one_line_with_its_details_in_a_file()
    {
        using var console = new TestConsole();
        using StringWriter output = new(), error = new() { NewLine = "\n" };
        const string typed = "dori audit https://me:secret@host/x?token=abc hf_abcdefghijkl";
        var shell = new Shell(console, output, error, typed, CancellationToken.None);
        Exception thrown = Assert.Throws<AggregateException>(() => Task.Run(() => throw new InvalidOperationException("a\nb")).Wait());
        Assert.Equal(70, Failures.Say(thrown, shell, text => text));
        string line = Assert.Single(error.ToString().TrimEnd().Split('\n'));
        Assert.StartsWith("dori: an error of the program itself: InvalidOperationException: a; the details are in ", line,
            StringComparison.Ordinal);
        string file = line[line.IndexOf(Path.GetTempPath(), StringComparison.Ordinal)..], details = File.ReadAllText(file);
        File.Delete(file);
        Assert.Contains(nameof(An_error_of_the_program_is_one_line_with_its_details_in_a_file), details, StringComparison.Ordinal);
        Assert.Contains($"dori {ProgramVersion.Text}", details, StringComparison.Ordinal);
        Assert.Contains("dori audit https://***@host/x?token=*** ***", details, StringComparison.Ordinal);
    }

    private sealed class LibtorchException(string message) : System.Runtime.InteropServices.ExternalException(message);

    [Theory]
    [InlineData("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 11.76 GiB\nException raised from ...")]
    [InlineData("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1759218604 bytes")]
    public void Too_little_memory_is_one_line_that_says_what_to_do(string libtorchs)
    {
        using var console = new TestConsole();
        using StringWriter output = new(), error = new() { NewLine = "\n" };
        var shell = new Shell(console, output, error, "dori", CancellationToken.None);
        Assert.Equal(70, Failures.Say(new LibtorchException(libtorchs), shell, text => text));
        string line = Assert.Single(error.ToString().TrimEnd().Split('\n'));
        Assert.StartsWith("dori: there is not enough memory", line, StringComparison.Ordinal);
        Assert.Contains("--micro-batch", line, StringComparison.Ordinal);
        File.Delete(line[line.IndexOf(Path.GetTempPath(), StringComparison.Ordinal)..]);
    }

    [Fact]
    public void Errors_of_libtorch_are_one_line()
    {
        using var console = new TestConsole();
        using StringWriter output = new(), error = new() { NewLine = "\n" };
        var shell = new Shell(console, output, error, "dori", CancellationToken.None);
        Exception thrown = Assert.ThrowsAny<Exception>(() => TorchSharp.torch.zeros(2, 3).reshape(5));
        Assert.Equal(70, Failures.Say(thrown, shell, text => text));
        string line = Assert.Single(error.ToString().TrimEnd().Split('\n'));
        Assert.StartsWith("dori: libtorch failed: shape '[5]' is invalid for input of size 6", line, StringComparison.Ordinal);
        File.Delete(line[line.IndexOf(Path.GetTempPath(), StringComparison.Ordinal)..]);
    }
}
