using System.Text;

namespace Dori.Cli;

/// <summary>
/// Text for a person, line by line: what a stranger put into it is shown harmless. A carriage return in front and a line feed at the end
/// of what is written are the program's own (live progress).
/// </summary>
internal sealed class PrintableWriter(TextWriter inner) : TextWriter
{
    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void Write(string? value)
    {
        if (string.IsNullOrEmpty(value)) return;
        bool back = value[0] == '\r', end = value.Length > (back ? 1 : 0) && value[^1] == '\n';
        string line = value[(back ? 1 : 0)..^(end ? 1 : 0)];
        inner.Write((back ? "\r" : "") + Printable.Line(line) + (end ? inner.NewLine : ""));
    }

    public override void WriteLine() => inner.WriteLine();

    public override void WriteLine(string? value) => inner.WriteLine(Printable.Line(value ?? ""));

    public override void Flush() => inner.Flush();
}
