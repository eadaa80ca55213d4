using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Dori.Tests.House;

/// <summary>The repository's own C# files, as text, as syntax and as the compiler sees them.</summary>
internal static class Sources
{
    /// <summary>Where the solution lies: above the folder that the tests run in.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Path from the root, with forward slashes.</summary>
    public static IEnumerable<string> Files(params string[] folders) => folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories))
        .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
        .Where(file => !file.Split('/').Any(part => part is "obj" or "bin" or "buildTransitive"))
        .Order(StringComparer.Ordinal);

    public static string[] Lines(string file) => File.ReadAllLines(Path.Combine(Root, file));

    /// <summary>Syntax trees of <c>src</c>, by path from the root.</summary>
    public static IReadOnlyDictionary<string, SyntaxTree> Trees { get; } = Files("src").ToDictionary(file => file,
        file => CSharpSyntaxTree.ParseText(File.ReadAllText(Path.Combine(Root, file)), path: file));

    /// <summary>
    /// The library and the command line in one compilation. Generated code is missing, so that there are errors in it; what a name means is
    /// known all the same.
    /// </summary>
    public static CSharpCompilation Compilation { get; } = CSharpCompilation.Create("dori",
        [.. Trees.Values, CSharpSyntaxTree.ParseText(ImplicitUsings)],
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is not ("Dori.Core.dll" or "dori.dll"))
                .Select(path => MetadataReference.CreateFromFile(path))]);

    /// <summary>Methods, constructors, accessors and local functions with their names.</summary>
    public static IEnumerable<(string Name, SyntaxNode Body)> Methods(SyntaxTree tree) => tree.GetRoot().DescendantNodes()
        .Where(node => node is BaseMethodDeclarationSyntax or AccessorDeclarationSyntax or LocalFunctionStatementSyntax)
        .Select(node => (Name(node), node));

    private static string Name(SyntaxNode node)
    {
        string own = node switch
        {
            MethodDeclarationSyntax method => method.Identifier.Text,
            ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
            LocalFunctionStatementSyntax function => function.Identifier.Text,
            AccessorDeclarationSyntax accessor => accessor.Keyword.Text,
            _ => node.Kind().ToString(),
        };
        return $"{node.SyntaxTree.FilePath}: {own}";
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "dori.slnx"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("these tests run in a checkout of the repository");
    }

    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;
}
