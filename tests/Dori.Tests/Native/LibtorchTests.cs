using System.Diagnostics;
using Dori.Native;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Native;

/// <summary>A libtorch is loaded whole or refused; other minor versions are missing here, so that stubs stand in for them.</summary>
public sealed class LibtorchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-libtorch-").FullName;

    private static bool IsKnown => OperatingSystem.IsLinux() && Environment.Is64BitProcess
        && System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64;

    private static string Natives => NativeLibraries.Own!;

    private static IReadOnlyList<string> Imports => ElfFile.UnversionedImports(File.ReadAllBytes(NativeLibraries.BindingPath!));

    [Fact]
    public void What_the_binding_asks_of_libtorch_is_all_there_and_is_libtorchs()
    {
        if (!IsKnown) return;
        Assert.True(Imports.Count > 1000);
        Assert.Contains("_ZN2at13globalContextEv", Imports);
        Assert.DoesNotContain("malloc", Imports);
        NativeLibraries.Loaded!.RefuseUnlessComplete(File.ReadAllBytes(NativeLibraries.BindingPath!));
        Assert.True(NativeLibraries.Loaded.IsMade);
        Assert.StartsWith("2.10.", NativeLibraries.Version, StringComparison.Ordinal);
        Assert.Null(NativeLibraries.Check());
    }

    [Fact]
    public void One_symbol_short_is_refused_by_its_name()
    {
        if (!IsKnown) return;
        string lacking = Imports[^1];
        Stub([.. Imports.SkipLast(1)]);
        string message = Assert.Throws<DoriException>(
            () => Libtorch.Load(_folder).RefuseUnlessComplete(File.ReadAllBytes(NativeLibraries.BindingPath!))).Message;
        Assert.Contains($"lacks 1 of the symbols that dori's binding asks for ({lacking})", message, StringComparison.Ordinal);
        Assert.Contains("2.10", message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_lacks_none_is_not_refused()
    {
        if (!IsKnown) return;
        Stub([.. Imports]);
        Libtorch stub = Libtorch.Load(_folder);
        stub.RefuseUnlessComplete(File.ReadAllBytes(NativeLibraries.BindingPath!));
        Assert.False(stub.IsMade);
    }

    [Fact]
    public void The_program_refuses_it_before_anything_is_computed()
    {
        if (!IsKnown) return;
        Stub([.. Imports.SkipLast(1)]);
        string program = Installed(), output = Path.Combine(_folder, "out");
        (int code, string error) = Run(program, _folder, "generate", Golden.EmojiModel, "cat", "-o", output);
        Assert.Equal(2, code);
        Assert.Contains(Imports[^1], error, StringComparison.Ordinal);
        Assert.Single(error.Trim().Split('\n'));
        Assert.False(Directory.Exists(output));

        (code, error) = Run(program, "", "generate", Golden.EmojiModel, "cat", "-o", output);
        Assert.Equal(2, code);
        Assert.Contains("dori doctor --python python3", error, StringComparison.Ordinal);

        (code, error) = Run(program, Natives, "info", Golden.EmojiModel, "--quiet");
        Assert.True(code == 0, error);
    }

    [Fact]
    public void A_build_with_a_libtorch_of_its_own_takes_no_second_one()
    {
        if (!IsKnown) return;
        (int code, string error) = Run(AppContext.BaseDirectory, _folder, "info", Golden.EmojiModel);
        Assert.Equal(2, code);
        Assert.Contains("-p:TorchBackend=none", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_loaders_words_are_shown()
    {
        if (!IsKnown) return;
        File.WriteAllText(Path.Combine(_folder, "libtorch_cpu.so"), "no library");
        string message = Assert.Throws<DoriException>(() => Libtorch.Load(_folder)).Message;
        Assert.Contains("libtorch_cpu.so: it cannot be loaded: ", message, StringComparison.Ordinal);
        Assert.Matches("file too short|invalid ELF header", message);
    }

    [Fact]
    public void A_library_that_one_needs_and_nobody_has_is_named() =>
        Assert.Equal("libcudart.so.12: cannot open shared object file: No such file or directory", Libtorch.LoaderWords(
            new DllNotFoundException("Unable to load shared library '/t/libtorch_cuda.so' or one of its dependencies. In order to help "
                + "diagnose loading problems, consider using a tool like strace.\nlibcudart.so.12: cannot open shared object file: No such "
                + "file or directory\n/t/libtorch_cuda.so.so: cannot open shared object file: No such file or directory\n")));

    [Theory]
    [InlineData("no-such-folder", "there is no such folder")]
    [InlineData("", "there is no libtorch_cpu.so in it")]
    public void A_folder_without_it_is_said(string name, string problem) => Assert.Contains(problem,
        Assert.Throws<DoriException>(() => Libtorch.Load(Path.Combine(_folder, name))).Message, StringComparison.Ordinal);

    [Fact]
    public void The_self_test_passes_here_and_on_another_device()
    {
        Assert.Null(SelfTest.Problem(CPU));
        Assert.Null(SelfTest.Problem(StandIn.Device));
    }

    private void Stub(IReadOnlyList<string> exports)
    {
        foreach (string name in new[] { "libc10.so", "libtorch_cpu.so", "libtorch.so" })
            StubLibrary.Write(Path.Combine(_folder, name), name, name == "libtorch_cpu.so" ? exports : []);
    }

    /// <summary>The program as it is published without a libtorch: all in one folder.</summary>
    private string Installed()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "installed")).FullName;
        foreach (string file in Directory.GetFiles(AppContext.BaseDirectory, "*.dll")
            .Append(Path.Combine(AppContext.BaseDirectory, "dori.runtimeconfig.json"))
            .Append(Path.Combine(Natives, "libLibTorchSharp.so")).Append(Path.Combine(Natives, "libSkiaSharp.so")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        return folder;
    }

    private static (int Code, string Error) Run(string program, string libtorch, params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(program, "dori.dll"), .. args])
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
        };
        start.Environment[Libtorch.Variable] = libtorch;
        using Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, error);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
