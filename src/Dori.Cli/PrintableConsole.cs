using Spectre.Console;
using Spectre.Console.Rendering;

namespace Dori.Cli;

/// <summary>The console for a person: tables and lines whose text may be a stranger's, never read as markup and shown harmless.</summary>
internal sealed class PrintableConsole(IAnsiConsole console)
{
    public Profile Profile => console.Profile;

    public void WriteLine(string text) => console.Write(new Text(Printable.Line(text) + "\n"));

    public void Write(PlainTable table) => console.Write(table.Rendered);
}

/// <summary>A table of plain texts. Captions and kinds of pictures stand in it: "[red]" is a text like any other.</summary>
internal sealed class PlainTable
{
    public PlainTable(params string[] columns)
    {
        Rendered = new Table().Border(TableBorder.Simple);
        foreach (string column in columns) Rendered.AddColumn(new TableColumn(Cell(column)));
    }

    internal Table Rendered { get; }

    public void AddRow(params string[] cells) => Rendered.AddRow(cells.Select(Cell));

    private static IRenderable Cell(string text) => new Text(Printable.Line(text));
}
