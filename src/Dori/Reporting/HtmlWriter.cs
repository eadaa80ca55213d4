using System.Text;

namespace Dori.Reporting;

/// <summary>
/// Writes HTML with inline SVG. Whatever is given as text or as an attribute's value is escaped: captions and file names come from
/// strangers, and there is no way to write them raw. Tag and attribute names are the program's own.
/// </summary>
internal sealed class HtmlWriter(TextWriter output)
{
    private static readonly HashSet<string> OnOwnLine =
    [
        "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "section", "article", "details", "h1", "h2",
            "h3", "p", "ul", "li", "dl",
        "dt", "dd", "table", "caption", "thead", "tbody", "tr", "figure", "svg", "g", "pre", "div",
    ];

    private static readonly HashSet<string> Void = ["meta", "img", "br", "hr"];

    private readonly Stack<string> open = new();

    public void Doctype() => output.Write("<!DOCTYPE html>");

    /// <summary>Opens an element. An attribute whose value is null is left out.</summary>
    public void Open(string tag, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        output.Write('>');
        if (!Void.Contains(tag)) open.Push(tag);
    }

    /// <summary>A whole SVG element without content.</summary>
    public void Leaf(string tag, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        output.Write("/>");
    }

    public void Close()
    {
        output.Write("</");
        output.Write(open.Pop());
        output.Write('>');
    }

    public void Text(string text) => output.Write(Escape(text));

    public void Element(string tag, string text, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Open(tag, attributes);
        Text(text);
        Close();
    }

    /// <summary>Text that a stranger wrote: set apart, so that its writing direction cannot turn the words around it.</summary>
    public void Foreign(string text, string? cssClass = null) => Element("bdi", text, ("class", cssClass));

    /// <summary>The one element whose content is not escaped, for the program's own constant style sheet.</summary>
    public void Style(string css)
    {
        if (css.Contains('<', StringComparison.Ordinal)) throw new ArgumentException("A style sheet holds no '<'.", nameof(css));
        Open("style");
        output.Write(css);
        Close();
    }

    private void Start(string tag, ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        if (OnOwnLine.Contains(tag)) output.Write('\n');
        output.Write('<');
        output.Write(tag);
        foreach ((string name, string? value) in attributes)
        {
            if (value is null) continue;
            output.Write(' ');
            output.Write(name);
            output.Write("=\"");
            output.Write(Escape(value));
            output.Write('"');
        }
    }

    /// <summary>
    /// Safe as element text and as a quoted attribute's value. Control characters, lone surrogates and the invisible characters that change
    /// the writing direction become U+FFFD, which a reader sees; line breaks and tabs stay.
    /// </summary>
    internal static string Escape(string text)
    {
        if (text.AsSpan().IndexOfAnyExcept(Plain) < 0) return text;
        var safe = new StringBuilder(text.Length + 16);
        foreach (Rune rune in text.EnumerateRunes()) // a lone surrogate comes as U+FFFD
        {
            switch (rune.Value)
            {
                case '&': safe.Append("&amp;"); break;
                case '<': safe.Append("&lt;"); break;
                case '>': safe.Append("&gt;"); break;
                case '"': safe.Append("&quot;"); break;
                case '\'': safe.Append("&#39;"); break;
                case '\n' or '\t': safe.Append((char)rune.Value); break;
                case 0x2028 or 0x2029: safe.Append(' '); break;
                default: safe.Append(Printable.IsUnseen(rune) ? "\uFFFD" : rune.ToString()); break;
            }
        }
        return safe.ToString();
    }

    private static readonly System.Buffers.SearchValues<char> Plain =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 \n.,:;+-*/=_()%#@!?[]{}|~^$");
}
