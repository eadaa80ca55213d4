using System.Net;
using CsCheck;
using Dori.Reporting;

namespace Dori.Tests.Reporting;

public class HtmlWriterTests
{
    [Fact]
    public void Text_and_attributes_are_escaped() =>
        Assert.Equal("<a title=\"&quot;&amp;&#39;&lt;&gt;\">&lt;b&gt; &amp;amp;</a>",
            Written(h => h.Element("a", "<b> &amp;", ("title", "\"&'<>"), ("left-out", null))));

    [Fact]
    public void Whatever_is_unseen_becomes_visible()
    {
        Assert.Equal("a\uFFFDb\uFFFDc\uFFFDd\uFFFDe", HtmlWriter.Escape("a\u202Eb\u0000c\u2066d\uD800e"));
        // joiners make emoji, and Hebrew is no attack
        Assert.Equal("\U0001F468\u200D\U0001F469 \u05D0\u05D1\n", HtmlWriter.Escape("\U0001F468\u200D\U0001F469 \u05D0\u05D1\n"));
    }

    [Fact]
    public void Any_text_comes_back_from_its_escape_and_holds_no_markup()
    {
        Gen.String[Gen.Char[' ', '\uD7FF'], 0, 40]
            .Where(s =>
            !s.Any(c => char.IsControl(c)
            || c is '\u061C' or (>= '\u200E' and <= '\u200F') or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069')))
            .Sample(text =>
        {
            string escaped = HtmlWriter.Escape(text);
            return WebUtility.HtmlDecode(escaped) == text && escaped.AsSpan().IndexOfAny("<>\"'") < 0;
        });
    }

    [Fact]
    public void A_style_sheet_cannot_end_early() => Assert.Throws<ArgumentException>(() => Written(h => h.Style("a{}</style>")));

    private static string Written(Action<HtmlWriter> write)
    {
        using var text = new StringWriter();
        write(new HtmlWriter(text));
        return text.ToString();
    }
}
