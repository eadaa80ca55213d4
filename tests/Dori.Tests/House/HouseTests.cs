using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Dori.Tests.House;

/// <summary>What keeps the code readable, held by the compiler's own view of it.</summary>
public sealed class HouseTests
{
    private const int Width = 140, MostLines = 60, MostBranches = 20, MostPublicTypes = 90;

    /// <summary>Upstream to downstream: a room may use those before it, never those after it.</summary>
    private static readonly string[] s_rooms =
    [
        "Dori", "Dori.Native", "Dori.Models", "Dori.Checkpoints", "Dori.Diffusion", "Dori.Pictures", "Dori.Measures", "Dori.Search",
        "Dori.Training", "Dori.Mitigation", "Dori.Quality", "Dori.Audit", "Dori.Locality", "Dori.Reporting", "Dori.Signing",
        "Dori.Cli",
    ];

    [Fact]
    public void No_line_is_wider_than_140_columns()
    {
        string[] wide = [.. Sources.Files("src", "tests", "bench")
            .SelectMany(file => Sources.Lines(file).Select((line, at) => (Place: $"{file}:{at + 1}", line.Length)))
            .Where(line => line.Length > Width).Select(line => $"{line.Place}: {line.Length}")];
        Assert.True(wide.Length == 0, string.Join("\n", wide));
    }

    [Fact]
    public void No_method_is_longer_than_a_screen()
    {
        string[] tooLong = [.. Sources.Trees.Values.SelectMany(Sources.Methods).Select(method => (method.Name, Lines: LinesOf(method.Body)))
            .Where(method => method.Lines > MostLines).Select(method => $"{method.Name}: {method.Lines} lines")];
        Assert.True(tooLong.Length == 0, string.Join("\n", tooLong));
    }

    /// <summary>A file is named for a type in it: <c>Type.cs</c>, or <c>Type.Part.cs</c> for a part of one.</summary>
    [Fact]
    public void Files_are_named_for_the_type_in_them()
    {
        string[] strangers = [.. Sources.Trees.Where(pair => Path.GetFileName(pair.Key) != "Program.cs")
            .Where(pair => !NamesOf(pair.Value).Contains(Path.GetFileName(pair.Key).Split('.')[0])).Select(pair => pair.Key)];
        Assert.True(strangers.Length == 0, string.Join("\n", strangers));
        static IEnumerable<string> NamesOf(SyntaxTree tree) => tree.GetRoot().DescendantNodes().Select(node => node switch
        {
            BaseTypeDeclarationSyntax type => type.Identifier.Text,
            DelegateDeclarationSyntax type => type.Identifier.Text,
            _ => "",
        });
    }

    [Fact]
    public void Adversarial_fine_tuning_is_under_150_lines() =>
        Assert.InRange(Sources.Lines("src/Dori/Mitigation/Adversarial/AdversarialFineTuning.cs").Length, 1, 149);

    [Fact]
    public void No_method_branches_more_than_20_times()
    {
        string[] branchy = [.. Sources.Trees.Values.SelectMany(Sources.Methods)
            .Select(method => (method.Name, Count: BranchesOf(method.Body))).Where(m => m.Count > MostBranches)
                .Select(m => $"{m.Name}: {m.Count} branches")];
        Assert.True(branchy.Length == 0, string.Join("\n", branchy));
    }

    [Fact]
    public void Rooms_know_only_those_before_them()
    {
        var arrows = new SortedSet<string>(StringComparer.Ordinal);
        foreach ((string file, SyntaxTree tree) in Sources.Trees)
        {
            SemanticModel model = Sources.Compilation.GetSemanticModel(tree);
            string? own = tree.GetRoot().DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>().FirstOrDefault()?.Name.ToString();
            foreach (SimpleNameSyntax name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
            {
                ISymbol? symbol = model.GetSymbolInfo(name).Symbol;
                INamedTypeSymbol? type = symbol as INamedTypeSymbol ?? symbol?.ContainingType;
                if (type?.ContainingAssembly?.Name != "dori" || own is null) continue;
                (int here, int there) = (Room(own), Room(type.ContainingNamespace.ToDisplayString()));
                if (there > here) arrows.Add($"{s_rooms[here]} -> {s_rooms[there]}: {Path.GetFileName(file)} uses {type.Name}");
            }
        }
        Assert.True(arrows.Count == 0, string.Join("\n", arrows));
    }

    /// <summary>An enum in a text would be called as C# calls it, not as files and people do: <c>Word.Text</c>.</summary>
    [Fact]
    public void No_enum_is_printed_by_its_C_sharp_name()
    {
        var printed = new List<string>();
        foreach ((string file, SyntaxTree tree) in Sources.Trees)
        {
            SemanticModel model = Sources.Compilation.GetSemanticModel(tree);
            printed.AddRange(tree.GetRoot().DescendantNodes().Select(node => node switch
            {
                InterpolationSyntax hole => hole.Expression,
                BinaryExpressionSyntax sum when sum.IsKind(SyntaxKind.AddExpression) && IsWord(model, sum.Left) => sum.Left,
                BinaryExpressionSyntax sum when sum.IsKind(SyntaxKind.AddExpression) => sum.Right,
                MemberAccessExpressionSyntax { Name.Identifier.Text: "ToString" } call => call.Expression,
                InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "Join" },
                    ArgumentList.Arguments.Count: > 0 } join =>
                    join.ArgumentList.Arguments[^1].Expression,
                _ => null,
            }).OfType<ExpressionSyntax>().Where(text => IsWord(model, text)).Select(text => $"{file}: {text}"));
        }
        Assert.True(printed.Count == 0, string.Join("\n", printed));
        static bool IsWord(SemanticModel model, ExpressionSyntax expression)
        {
            ITypeSymbol? type = model.GetTypeInfo(expression).Type;
            if (type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } maybe)
                type = maybe.TypeArguments[0];
            if (type is INamedTypeSymbol { TypeArguments: [var element] } list && list.AllInterfaces.Any(i => i.Name == "IEnumerable"))
                type = element;
            return type?.Name is "PictureRole" or "PictureKind" or "AuditStart" or "Verdict" && type.TypeKind == TypeKind.Enum;
        }
    }

    private static int Room(string name)
    {
        string room = name.StartsWith("Dori.Cli", StringComparison.Ordinal) ? "Dori.Cli" : string.Join('.', name.Split('.').Take(2));
        int at = Array.IndexOf(s_rooms, room);
        return at >= 0 ? at : throw new InvalidOperationException($"{name}: this room has no place in the order yet");
    }

    /// <summary>Public is what has a reason: a new name here is a decision, and stands in PublicTypes.txt.</summary>
    [Fact]
    public void The_public_surface_is_the_one_that_was_decided()
    {
        string[] types =
            [.. typeof(DoriException).Assembly.GetExportedTypes().Select(type => type.FullName!.Replace('+', '.'))
                .Order(StringComparer.Ordinal)];
        Assert.Equal(File.ReadAllLines(Path.Combine(Sources.Root, "src", "Dori", "PublicTypes.txt")), types);
        Assert.InRange(types.Length, 1, MostPublicTypes);
    }

    /// <summary>From the first line of the signature to the last brace; comments and blank lines count, as they do on a screen.</summary>
    private static int LinesOf(SyntaxNode node)
    {
        FileLinePositionSpan span = node.GetLocation().GetLineSpan();
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }

    /// <summary>Decisions: statements and operators after which the code goes one of two ways. Those of local functions count for
    /// themselves alone.</summary>
    private static int BranchesOf(SyntaxNode node) =>
        node.DescendantNodes(inner => inner == node || inner is not LocalFunctionStatementSyntax).Count(inner => inner switch
        {
            IfStatementSyntax or ForStatementSyntax or CommonForEachStatementSyntax or WhileStatementSyntax or DoStatementSyntax => true,
            CatchClauseSyntax or ConditionalExpressionSyntax => true,
            CaseSwitchLabelSyntax or CasePatternSwitchLabelSyntax or SwitchExpressionArmSyntax => true,
            BinaryExpressionSyntax binary =>
                binary.Kind() is SyntaxKind.LogicalAndExpression or SyntaxKind.LogicalOrExpression or SyntaxKind.CoalesceExpression,
            _ => false,
        });
}
