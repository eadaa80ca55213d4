using CsCheck;
using Dori.Cli;

namespace Dori.Tests;

public class PrintableTests
{
    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("\u001b[31mred\u001b]0;title\u0007", "\uFFFD[31mred\uFFFD]0;title\uFFFD")]
    [InlineData("a\nb\r\nc\td\u2028e\u2029f\u0085g\vh", "a b  c d e f g h")]
    [InlineData("\u202Egnp.exe\u2066x\u2069\u200F", "\uFFFDgnp.exe\uFFFDx\uFFFD\uFFFD")]
    [InlineData("\u009B31m", "\uFFFD31m")]
    [InlineData("ünï 猫 😀", "ünï 猫 😀")]
    public void What_a_terminal_would_obey_is_shown_harmless(string text, string shown)
    {
        Assert.Equal(shown, Printable.Line(text));
        Assert.Equal(shown, new DoriException(text).Message);
    }

    [Fact]
    public void Half_a_surrogate_pair_becomes_a_mark() => Assert.Equal("a\uFFFDb", Printable.Line("a\uD83Db"));

    [Fact]
    public void Nothing_hostile_is_left_of_any_text() => Gen.String.Sample(text =>
        Printable.Line(text).EnumerateRunes().All(rune => !Printable.IsUnseen(rune) && !Printable.IsBreak(rune)));

    [Fact]
    public void A_writer_keeps_the_programs_own_returns_and_line_ends()
    {
        using var inner = new StringWriter { NewLine = "\n" };
        var writer = new PrintableWriter(inner);
        writer.Write("\r10 %  a\rb\u001b[2J");
        writer.WriteLine();
        writer.Write("c\nd\n");
        writer.WriteLine("dori: e\nf");
        Assert.Equal("\r10 %  a b\uFFFD[2J\nc d\ndori: e f\n", inner.ToString());
    }
}
