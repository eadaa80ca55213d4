using System.Text.RegularExpressions;
using Dori.Pictures;
using Dori.Reporting;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Reporting;

/// <summary>Reports of many pictures: pages, contents, a filter, thumbnails.</summary>
public sealed class ReportPagesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-pages-").FullName;

    [Fact]
    public void Many_pictures_go_on_pages_which_the_first_names_and_a_smaller_report_takes_away()
    {
        var sample = new SampleAudit(verbatim: 222);
        string[] pages = Write(sample);
        Assert.Equal(["report-2.html", "report-3.html", "report.html"], pages.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        string first = File.ReadAllText(In("report.html"));
        string[] all = [.. pages.SelectMany(page => Ids(File.ReadAllText(page)))];
        Assert.Equal(230, all.Length);
        Assert.Equal(230, all.Distinct().Count());
        Assert.Equal(100, Ids(first).Length);
        Assert.Contains("href=\"report-3.html#picture-230\"", first, StringComparison.Ordinal);
        Assert.Contains("href=\"#picture-1\"", first, StringComparison.Ordinal);
        Assert.Contains("href=\"report.html\"", File.ReadAllText(In("report-2.html")), StringComparison.Ordinal);
        Assert.Contains("What this audit cannot say", first, StringComparison.Ordinal);
        Write(new SampleAudit(verbatim: 100, templates: 0));
        Assert.Equal(["report.html"], Directory.GetFiles(_folder).Select(Path.GetFileName));
    }

    [Fact]
    public void A_filter_hides_all_but_one_verdict_by_the_style_sheet_alone()
    {
        var sample = new SampleAudit();
        Write(sample);
        string html = File.ReadAllText(In("report.html"));
        foreach (string mark in new[] { "is-retained", "is-not-found" })
        {
            Assert.Contains($"value=\"{mark}\"", html, StringComparison.Ordinal);
            Assert.Contains($"input[value={mark}]:checked) .card:not(.{mark})", html, StringComparison.Ordinal);
            Assert.Equal(sample.Summary.Pictures.Count(p => p.Role != PictureRole.Control && PicturesIndex.Mark(p.Verdict) == mark),
                Regex.Count(html, $"class=\"card {mark}\""));
        }
        Assert.DoesNotContain("<script", html, StringComparison.Ordinal);
        Write(new SampleAudit(verbatim: 3, templates: 0));
        Assert.DoesNotContain("<fieldset", File.ReadAllText(In("report.html")), StringComparison.Ordinal); // three need none
    }

    [Fact]
    public void A_large_picture_is_shown_as_a_thumbnail_that_opens_the_whole_one()
    {
        var sample = new SampleAudit(verbatim: 1, templates: 0);
        byte[] large = Large(0);
        AuditReport.Write(In("report.html"), sample.Summary, sample.Units, sample.Context with
        {
            OriginalPicture = _ => large, GeneratedPicture = _ => large, HasPicture = _ => true, OriginalFile = _ => "originals/00.png",
        });
        string html = File.ReadAllText(In("report.html"));
        Assert.Contains("href=\"originals/00.png\"", html, StringComparison.Ordinal);
        Match thumbnail = Regex.Match(html, "<a href=\"pictures/[^\"]*\"[^>]*><img[^>]*src=\"data:image/webp;base64,([^\"]*)\"");
        Assert.True(thumbnail.Success);
        using Tensor picture = Dori.Pictures.Picture.Decode(Convert.FromBase64String(thumbnail.Groups[1].Value), "thumbnail");
        Assert.Equal([3, 384, 384], picture.shape);
        using Tensor whole = Dori.Pictures.Picture.Decode(large, "large");
        using Tensor small = Dori.Pictures.Picture.ResizeSmallEdge(whole, 384);
        Assert.InRange((picture - small).abs().mean().item<float>(), 0, 0.03);
    }

    [Fact]
    public void Without_pictures_there_are_hashes()
    {
        var sample = new SampleAudit();
        AuditReport.Write(In("report.html"), sample.Summary, sample.Units,
            sample.Context with { Pictures = false, OriginalFile = file => $"originals/hash-of-{file}.png" });
        string html = File.ReadAllText(In("report.html"));
        Assert.DoesNotContain("data:image", html, StringComparison.Ordinal);
        Assert.Contains("SHA-256 hash-of-verbatim-00", html, StringComparison.Ordinal);
        Assert.Contains("What this audit cannot say", html, StringComparison.Ordinal);
    }

    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void Five_hundred_pictures_of_512_stay_under_40_MB()
    {
        var sample = new SampleAudit(verbatim: 500, templates: 0);
        byte[][] pictures = [.. Enumerable.Range(0, 16).Select(Large)];
        AuditReport.Write(In("report.html"), sample.Summary, sample.Units, sample.Context with
        {
            OriginalPicture = Of, GeneratedPicture = Of, HasPicture = _ => true,
        });
        long bytes = Directory.GetFiles(_folder).Sum(file => new FileInfo(file).Length);
        if (Environment.GetEnvironmentVariable("DORI_SAMPLE_REPORTS") is { } kept)
            foreach (string file in Directory.GetFiles(_folder))
                File.Copy(file, Path.Combine(kept, Path.GetFileName(file)), overwrite: true);
        Assert.InRange(bytes, 5_000_000, 40_000_000);

        byte[] Of(string name) => pictures[Math.Abs(name.Sum(c => c)) % pictures.Length];
    }

    /// <summary>512 x 512 with the detail of a photograph: a scene, and grain.</summary>
    private static byte[] Large(int number)
    {
        using var scope = NewDisposeScope();
        Tensor small = Dori.Pictures.Picture.Load(Path.Combine(Emoji.Pictures, $"verbatim-{number:00}.png"));
        Tensor grain = Golden.Rand($"grain.{number}", 3, 512, 512) * 0.02;
        return Dori.Pictures.Picture.EncodePng(Dori.Pictures.Picture.ResizeAndCrop(small, 512, 512, 512) + grain);
    }

    private string[] Write(SampleAudit sample)
    {
        AuditReport.Write(In("report.html"), sample.Summary, sample.Units,
            sample.Context with { OriginalPicture = _ => null, GeneratedPicture = _ => null });
        return Directory.GetFiles(_folder);
    }

    private static string[] Ids(string html) => [.. Regex.Matches(html, "<h3 id=\"(picture-[0-9]+)\"").Select(m => m.Groups[1].Value)];

    private string In(string name) => Path.Combine(_folder, name);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
