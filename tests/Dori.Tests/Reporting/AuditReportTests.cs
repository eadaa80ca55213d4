using Dori.Pictures;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using System.Text;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Reporting;

namespace Dori.Tests.Reporting;

public partial class AuditReportTests
{
    private static readonly Lazy<string> Page = new(() => new SampleAudit().Html());

    [Fact]
    public void The_answer_stands_first_with_count_interval_and_controls()
    {
        string text = Words(Page.Value);
        int headline = text.IndexOf("14 of 16 verbatim pictures are retained.", StringComparison.Ordinal);
        Assert.InRange(headline, 0, text.IndexOf("How many come back", StringComparison.Ordinal));
        Assert.Contains("14 of 16 is 87.5 %, 95 % interval 64.0 to 96.5 %.", text, StringComparison.Ordinal); // Wilson's interval, by hand
        Assert.Contains("0 of 40 pass the same threshold (0.7) after the same search (95 % one-sided bound 7.2 %)", text,
            StringComparison.Ordinal);
        Assert.InRange(text.IndexOf("Before you rely on this", StringComparison.Ordinal), headline,
            text.IndexOf("How many come back", StringComparison.Ordinal));
    }

    [Fact]
    public void Sections_come_in_the_order_of_a_readers_questions()
    {
        string[] titles = [.. Regex.Matches(Page.Value, "<h2[^>]*>([^<]+)</h2>").Select(m => m.Groups[1].Value)];
        Assert.Equal(["Before you rely on this", "How many come back", "Picture by picture", "How much search it takes", "All pictures",
            "Could this audit have found anything?", "What was run", "What the words mean", "What this audit cannot say"], titles);
    }

    [Fact]
    public void Every_picture_has_a_card_the_most_worrying_first()
    {
        var sample = new SampleAudit();
        string[] cards = [.. Regex.Matches(sample.Html(), "<article.*?</article>", RegexOptions.Singleline).Select(m => m.Value)];
        PictureSummary[] targets = [.. sample.Summary.Pictures.Where(p => p.Role == PictureRole.Audit)];
        Assert.Equal(targets.Length, cards.Length);
        Assert.All(targets, p => Assert.Single(cards, c => c.Contains($"<bdi>{p.File}</bdi>", StringComparison.Ordinal)));
        string[] verdicts =
            [.. cards.Select(c => Regex.Match(c, "class=\"badge [a-z-]+\"><span[^>]*>[^<]*</span> ([a-z ]+)<").Groups[1].Value)];
        Assert.Equal(15, verdicts.TakeWhile(v => v == "retained").Count());
        Assert.All(verdicts.Skip(15), v => Assert.Equal("not found", v));
        double[] best =
            [.. cards.Select(c =>
            double.Parse(Regex.Match(c, "Best similarity</dt>\\s*<dd>([0-9.]+)").Groups[1].Value,
            System.Globalization.CultureInfo.InvariantCulture))];
        Assert.Equal(best[..15].OrderDescending(), best[..15]);
        Assert.Equal(best[15..].OrderDescending(), best[15..]);
    }

    [Fact]
    public void Every_item_controls_included_stands_in_the_table_of_all_pictures()
    {
        var sample = new SampleAudit();
        string table = Regex.Match(sample.Html(), "<table class=\"all\"[^>]*>.*?</table>", RegexOptions.Singleline).Value;
        Assert.All(sample.Summary.Pictures, p => Assert.Contains($"<bdi>{p.File}</bdi>", table, StringComparison.Ordinal));
    }

    [Fact]
    public void Undecided_comes_between_retained_and_not_found_and_is_said_in_the_headline()
    {
        string html = new SampleAudit(strongControl: true).Html();
        Assert.Contains("1 is undecided.", Words(html), StringComparison.Ordinal); // the template at 0.74, below the control at 0.80
        string order =
            string.Concat(
            Regex.Matches(Regex.Match(html, "id=\"pictures\".*id=\"curves\"", RegexOptions.Singleline).Value,
            "badge (retained|undecided|not-found)").Select(m => m.Groups[1].Value[0]));
        Assert.Matches("^r+u+n+$", order);
        Assert.Contains("1 of 40 passes the same threshold", Words(html), StringComparison.Ordinal);
    }

    [Fact]
    public void Controls_stand_beside_the_rates_of_every_start()
    {
        string table = Regex.Match(Page.Value, "<table class=\"rates\"[^>]*>.*?</table>", RegexOptions.Singleline).Value;
        MatchCollection starts = Regex.Matches(table, "<tbody>.*?</tbody>", RegexOptions.Singleline);
        Assert.Equal(3, starts.Count);
        Assert.All(starts,
            s => Assert.Matches("<tr class=\"control\">\\s*<th scope=\"row\">controls</th>\\s*<td class=\"number\">40</td>(?!.*<tr)",
            s.Value.ReplaceLineEndings(" ")));
    }

    [Fact]
    public void A_start_without_controls_says_so()
    {
        var sample = new SampleAudit();
        Summary summary =
            sample.Summary
            with { Groups = [.. sample.Summary.Groups.Where(g => g.Group != ItemGroup.Control || g.Start != AuditStart.Random)] };
        Assert.Contains("None were run from this start", Words(SampleAudit.Html(summary, sample.Units, sample.Context)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_policy_forbids_everything_but_embedded_pictures_and_this_very_style_sheet()
    {
        string css = Regex.Match(Page.Value, "<style>(.*?)</style>", RegexOptions.Singleline).Groups[1].Value;
        string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(css)));
        Assert.Contains(
            $"content=\"default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-{hash}&#39;; base-uri &#39;none&#39;; form-action "
            + $"&#39;none&#39;\"", Page.Value, StringComparison.Ordinal);
        Assert.Single(Regex.Matches(Page.Value, "<style"));
        Assert.DoesNotMatch("(?i)<script|\\sstyle=|\\son[a-z]+=|javascript:|<link|<iframe|<object|<base", Page.Value);
        Assert.DoesNotContain("url(", css, StringComparison.Ordinal);
        Assert.DoesNotContain("@import", css, StringComparison.Ordinal);
        Assert.All(Regex.Matches(Page.Value, "\\s(?:src|href|srcset|action|data|poster)=\"([^\"]*)\""),
            m => Assert.Matches("^(data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+|#[a-z0-9-]+)$", m.Groups[1].Value));
    }

    [Fact]
    public void Elements_are_balanced_and_ids_unique()
    {
        var open = new Stack<string>();
        foreach (Match m in Regex.Matches(Page.Value, "<(/?)([a-zA-Z0-9]+)[^>]*?(/?)>"))
        {
            string tag = m.Groups[2].Value;
            if (m.Groups[3].Length > 0 || tag is "meta" or "img" or "input") continue;
            if (m.Groups[1].Length == 0) open.Push(tag);
            else Assert.Equal(open.Pop(), tag);
        }
        Assert.Empty(open);
        string[] ids = [.. Regex.Matches(Page.Value, "\\sid=\"([^\"]+)\"").Select(m => m.Groups[1].Value)];
        Assert.Equal(ids.Distinct(), ids);
        Assert.All(Regex.Matches(Page.Value, "(?:aria-labelledby=\"|href=\"#)([^\"]+)\""), m => Assert.Contains(m.Groups[1].Value, ids));
    }

    [Fact]
    public void Pictures_have_alternative_texts_and_table_heads_a_scope()
    {
        Assert.All(Regex.Matches(Page.Value, "<img[^>]*>"), m => Assert.Matches(" alt=\"[^\"]+\"", m.Value));
        Assert.All(Regex.Matches(Page.Value, "<th[ >][^>]*>?"), m => Assert.Contains("scope=", m.Value, StringComparison.Ordinal));
        Assert.All(Regex.Matches(Page.Value, "<svg[^>]*>"), m => Assert.Matches("aria-(label|hidden)=\"[^\"]+\"", m.Value));
        Assert.Contains("<html lang=\"en\">", Page.Value, StringComparison.Ordinal);
        Assert.Contains("<title>Retention audit of emoji</title>", Page.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_input_gives_the_same_bytes_in_any_order_of_the_units()
    {
        var sample = new SampleAudit();
        Assert.Equal(Page.Value, sample.Html());
        Assert.Equal(Page.Value, SampleAudit.Html(sample.Summary, [.. sample.Units.Reverse()], sample.Context));
    }

    [Theory]
    [InlineData("<script>alert(1)</script>")]
    [InlineData("\"><img src=x onerror=alert(1)>")]
    [InlineData("' onmouseover='alert(1)")]
    [InlineData("</title></style><svg onload=alert(1)>")]
    [InlineData("a & b &lt; c")]
    [InlineData("\u202Egnp.exe\u2066\u0000\u0007\u001b[31m")]
    public void Hostile_words_stay_words(string hostile)
    {
        var sample = new SampleAudit(caption: _ => hostile, warnings: [hostile]);
        Summary summary = sample.Summary with
        {
            Model = new SummaryModel(hostile, hostile), CopyDetector = hostile, Starts = [AuditStart.Prompt, AuditStart.Caption],
            Pictures = [.. sample.Summary.Pictures.Select(p => p with { File = hostile })],
            Groups = [.. sample.Summary.Groups.Select(g => g with { Group = g.Group == ItemGroup.All ? hostile : g.Group })],
            Curve = [.. sample.Summary.Curve.Select(g => g with { Group = g.Group == ItemGroup.All ? hostile : g.Group })],
        };
        ReportContext context =
            sample.Context with
            {
                Command = hostile, Version = hostile, Cost = hostile, Facts = [(hostile, hostile)], Identity = hostile,
                Log = sample.Context.Log with { Title = hostile, Auditor = hostile, Note = hostile },
            };
        string html = SampleAudit.Html(summary, sample.Units, context);
        string plain = SampleAudit.Html(Tame(summary), sample.Units, TameContext(context));

        // The same page with tame words has the same elements and attributes: nothing of the text became markup.
        Assert.Equal(Markup(plain), Markup(html));
        Assert.DoesNotMatch("[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]", html);

        Summary Tame(Summary s) => s with
        {
            Model = new SummaryModel("x", "x"), CopyDetector = "x", Starts = [AuditStart.Prompt, AuditStart.Caption], Warnings = ["x"],
            Pictures = [.. s.Pictures.Select(p => p with { Caption = "x", File = "x" })],
            Groups = [.. s.Groups.Select(g => g with { Group = g.Group == hostile ? "x" : g.Group })],
            Curve = [.. s.Curve.Select(g => g with { Group = g.Group == hostile ? "x" : g.Group })],
        };
        static ReportContext TameContext(ReportContext c) =>
            c with
            {
                Command = "x", Version = "x", Cost = "x", Facts = [("x", "x")], Identity = "x",
                Log = c.Log with { Title = "x", Auditor = "x", Note = "x" },
            };
        static IEnumerable<string> Markup(string page) =>
            Regex.Matches(page, "<[^<>]*>").Select(m => Regex.Replace(m.Value, "\"[^\"]*\"", "\"\""));
    }

    [Fact]
    public void It_says_who_had_it_computed_when_and_what_a_page_is_told_by()
    {
        var sample = new SampleAudit();
        string html = SampleAudit.Html(sample.Summary, sample.Units,
            sample.Context with { Log = sample.Context.Log with { Auditor = "A. Auditor", Note = "For the board" } });
        Assert.Contains("31 January 2026, 09:05 to 1 February 2026, 00:02 UTC", html, StringComparison.Ordinal);
        Assert.Contains("A. Auditor", html, StringComparison.Ordinal);
        Assert.Contains("For the board", html, StringComparison.Ordinal);
        Assert.Contains("model 0123456789ab", html, StringComparison.Ordinal);
        ReportContext stopped = sample.Context with
        {
            Log = new RunLog { Title = "Complaint 7", Sessions = [sample.Context.Log.Sessions[0] with { Finished = null }] },
        };
        html = SampleAudit.Html(sample.Summary, sample.Units, stopped);
        Assert.Contains("begun 31 January 2026, 09:05 UTC", html, StringComparison.Ordinal);
        Assert.Matches("<h1>\\s*<[^>]*>Complaint 7<|<h1>Complaint 7<", html);
    }

    [Fact]
    public void An_unfinished_run_says_so_before_its_figures()
    {
        string text = Words(new SampleAudit(missing: 3).Html());
        int obstacle = text.IndexOf("This run is not finished: 3 units are missing", StringComparison.Ordinal);
        Assert.InRange(obstacle, 0, text.IndexOf("So far, 14 of 16 verbatim pictures are retained.", StringComparison.Ordinal));
        Assert.Contains("Not yet run.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_few_controls_mean_no_verdict_anywhere()
    {
        string html = new SampleAudit(controls: 12).Html(), text = Words(html);
        Assert.Contains("12 controls are too few: a verdict needs at least 19. The pictures are not judged.", text,
            StringComparison.Ordinal);
        Assert.Contains("14 of 16 verbatim pictures come back above the threshold, without a verdict.", text, StringComparison.Ordinal);
        Assert.DoesNotMatch("badge (retained|undecided|not-found)", html);
        Assert.DoesNotContain("pictures are retained", text, StringComparison.Ordinal);
    }

    [Fact]
    public void No_controls_no_pictures_and_no_units_still_make_an_honest_page()
    {
        string none = Words(new SampleAudit(controls: 0).Html());
        Assert.Contains("There are no controls", none, StringComparison.Ordinal);
        Assert.Contains("nothing can be compared", none, StringComparison.Ordinal);
        var sample = new SampleAudit();
        string empty =
            Words(SampleAudit.Html(sample.Summary with { Pictures = [], Groups = [], Curve = [], MissingUnits = 192 }, [], sample.Context));
        Assert.Contains("No picture has been audited.", empty, StringComparison.Ordinal);
        Assert.Contains("192 units are missing", empty, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_found_is_never_called_clean()
    {
        var sample = new SampleAudit();
        Summary summary =
            sample.Summary
            with { Pictures = [.. sample.Summary.Pictures.Select(p => p with { Verdict = Verdict.NotFound, Discovery = false })] };
        string text = Words(SampleAudit.Html(summary, sample.Units, sample.Context));
        Assert.Contains("None of 16 verbatim pictures are found to be retained.", text, StringComparison.Ordinal);
        Assert.Contains("Not finding a picture does not prove that the model forgot it.", text, StringComparison.Ordinal);
        Assert.DoesNotMatch("(?i)\\b(clean|safe)\\b", text);
    }

    [Fact]
    public void A_picture_below_the_threshold_that_stands_out_from_the_controls_is_pointed_at()
    {
        var sample = new SampleAudit();
        Summary summary =
            sample.Summary with { Pictures = [.. sample.Summary.Pictures.Select(p => p.Item == "t07" ? p with { Discovery = true } : p)] };
        Assert.DoesNotContain("compare by eye", Words(Page.Value), StringComparison.OrdinalIgnoreCase);
        string text = Words(SampleAudit.Html(summary, sample.Units, sample.Context));
        Assert.Contains("1 that was not found still comes closer than the controls do: compare by eye below.", text,
            StringComparison.Ordinal);
        Assert.Contains("Below the threshold, yet closer than the controls come.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Pictures_that_are_gone_or_are_none_leave_a_word_in_their_place()
    {
        var sample = new SampleAudit();
        ReportContext context =
            sample.Context
            with { OriginalPicture = _ => "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"u8.ToArray(),
            GeneratedPicture = _ => null };
        string html = SampleAudit.Html(sample.Summary, sample.Units, context);
        Assert.DoesNotContain("data:image", html, StringComparison.Ordinal);
        Assert.Contains("is no PNG, JPEG, GIF or WebP", html, StringComparison.Ordinal);
    }

    /// <summary>The page without its markup, spaces made one.</summary>
    private static string Words(string html) =>
        System.Net.WebUtility.HtmlDecode(Spaces()
        .Replace(Regex.Replace(Regex.Replace(html, "<(style|title).*?</\\1>", "", RegexOptions.Singleline), "<[^>]*>", " "), " "));

    [GeneratedRegex("\\s+")]
    private static partial Regex Spaces();
}
