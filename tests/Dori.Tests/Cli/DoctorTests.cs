using System.Text.Json.Nodes;
using Dori.Cli;
using Dori.Native;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

public sealed class DoctorTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-doctor-").FullName;

    private static (int Code, string Text) Run(params string[] args)
    {
        var console = new TestConsole();
        console.Profile.Width = 2000;
        int code = DoriApp.Run(["doctor", .. args], console, TextWriter.Null, TextWriter.Null);
        return (code, console.Output);
    }

    [Fact]
    public void On_the_CPU_all_is_well_and_everything_is_named()
    {
        (int code, string text) = Run("--device", "cpu", "--copy-detector", Golden.EmojiModel);
        Assert.Equal(0, code);
        string[] lines = text.TrimEnd().Split('\n');
        Assert.Equal(["ok machine", "ok libtorch", "ok numbers", "none device", "ok bfloat16 attention", "ok copy detector"],
            lines.Where(line => line[0] != ' ').Select(line => $"{line[..8].Trim()} {line[8..].Split(':')[0]}"));
        Assert.Contains($"libtorch: {NativeLibraries.Version}", text, StringComparison.Ordinal);
        if (NativeLibraries.Own is { } own) Assert.Contains(own, text, StringComparison.Ordinal);
        Assert.Contains("emoji-copy-detector", text, StringComparison.Ordinal);
    }

    [Fact]
    public void On_another_device_bfloat16_attention_is_as_right()
    {
        _ = StandIn.Device;
        (int code, string text) = Run("--device", StandIn.Name);
        Assert.Equal(0, code);
        Assert.Contains($"ok      bfloat16 attention: forwards and backwards on {StandIn.Name}", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_missing_fails_with_its_remedy()
    {
        (int code, string text) = Run("--device", "cuda");
        Assert.Equal(2, code);
        Assert.Contains("failed  device: ", text, StringComparison.Ordinal);
        Assert.Contains("DORI_LIBTORCH", text, StringComparison.Ordinal);
        (code, text) = Run("--device", "cpu", "--copy-detector", Path.Combine(_folder, "none.pt"));
        Assert.Equal(2, code);
        Assert.Contains("failed  copy detector: ", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_Pythons_libtorch_is_found_without_running_it()
    {
        if (OperatingSystem.IsWindows()) return;
        (int code, string text) = Run("--device", "cpu", "--python", Path.Combine(_folder, "no-python"));
        Assert.Equal(2, code);
        Assert.Contains("no-python cannot be run", text, StringComparison.Ordinal);
        // What a Python with PyTorch answers.
        string python = Path.Combine(_folder, "python"), lib = Path.Combine(_folder, "torch", "lib");
        File.WriteAllText(python, $"#!/bin/sh\necho {lib}\n");
        File.SetUnixFileMode(python, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        (code, text) = Run("--device", "cpu", "--python", python);
        Assert.Equal(0, code);
        Assert.Contains($"ok      PyTorch: {lib}", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Programs_read_it_as_JSON()
    {
        using var output = new StringWriter();
        Assert.Equal(0, DoriApp.Run(["doctor", "--device", "cpu", "--json"], new TestConsole(), output, TextWriter.Null));
        JsonArray findings = JsonNode.Parse(output.ToString())!.AsArray();
        Assert.Contains(findings, finding => (string?)finding!["what"] == "libtorch" && (string?)finding["state"] == "ok");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
