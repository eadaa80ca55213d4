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

    private readonly Stack<string> open = new();

    public void Doctype() => output.Write("<!DOCTYPE html>");

    /// <summary>An element that is open as long as what is returned is not disposed. An attribute whose value is null is left
    /// out.</summary>
    /// <returns>Closes the element and what is still open in it.</returns>
    public Scope Open(string tag, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        output.Write('>');
        open.Push(tag);
        return new Scope(this, open.Count - 1);
    }

    /// <summary>An open element.</summary>
    /// <param name="depth">How many are open around it.</param>
    internal readonly struct Scope(HtmlWriter html, int depth) : IDisposable
    {
        public void Dispose()
        {
            while (html.open.Count > depth) html.Close();
        }
    }

    /// <summary>An element that has no content and no end: <c>meta</c>, <c>img</c>.</summary>
    public void Void(string tag, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        output.Write('>');
    }

    /// <summary>A whole SVG element without content.</summary>
    public void Leaf(string tag, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Start(tag, attributes);
        output.Write("/>");
    }

    private void Close()
    {
        output.Write("</");
        output.Write(open.Pop());
        output.Write('>');
    }

    public void Text(string text) => output.Write(Escape(text));

    public void Element(string tag, string text, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        using (Open(tag, attributes)) Text(text);
    }

    /// <summary>Text that a stranger wrote: set apart, so that its writing direction cannot turn the words around it.</summary>
    public void Foreign(string text, string? cssClass = null) => Element("bdi", text, ("class", cssClass));

    /// <summary>The one element whose content is not escaped, for the program's own constant style sheet.</summary>
    public void Style(string css)
    {
        if (css.Contains('<', StringComparison.Ordinal)) throw new ArgumentException("A style sheet holds no '<'.", nameof(css));
        using (Open("style")) output.Write(css);
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
