using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Dori.Tests.House;

/// <summary>The README's program compiles against the public surface alone.</summary>
public sealed partial class ReadmeTests
{
    [Fact]
    public void The_ten_lines_compile()
    {
        Match block = CSharp().Match(File.ReadAllText(Path.Combine(Sources.Root, "README.md")));
        Assert.True(block.Success, "the README has no C# any more");
        string code = block.Groups[1].Value;
        Assert.InRange(code.Trim().Split('\n').Count(line => line.Length > 0), 5, 12);
        Diagnostic[] wrong = Errors(code);
        Assert.True(wrong.Length == 0, string.Join('\n', wrong.Select(error => error.ToString())));
        Assert.NotEmpty(Errors(code.Replace("audit.Run", "audit.Walk", StringComparison.Ordinal))); // the test can fail
    }

    /// <summary>Of a program of somebody else's, to whom internals are closed.</summary>
    private static Diagnostic[] Errors(string code)
    {
        string paths = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        return [.. CSharpCompilation.Create("reader", [CSharpSyntaxTree.ParseText("global using System;\n" + code)],
            paths.Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication)).GetDiagnostics()
            .Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex CSharp();
}
