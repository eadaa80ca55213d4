using System.Diagnostics;
using System.Text.RegularExpressions;
using Dori.Reporting;
using Dori.Tests.Audit;
using Dori.Tests.Locality;

namespace Dori.Tests.Reporting;

/// <summary>The report in a real browser. Needs chromium on PATH; DORI_SAMPLE_REPORTS names a folder in which the pages are kept to be
/// looked at.</summary>
[Trait("Category", "Browser")]
public sealed class BrowserTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("dori-browser-").FullName;

    [Theory(Explicit = true)]
    [InlineData("full")]
    [InlineData("unfinished")]
    [InlineData("few-controls")]
    [InlineData("hostile")]
    public async Task The_page_opens_without_an_error_and_asks_the_network_for_nothing(string variant)
    {
        string page = Path.Combine(Environment.GetEnvironmentVariable("DORI_SAMPLE_REPORTS") ?? folder, $"{variant}.html");
        SampleAudit sample = variant switch
        {
            "unfinished" => new SampleAudit(missing: 3),
            "few-controls" => new SampleAudit(controls: 12),
            "hostile" =>
                new SampleAudit(strongControl: true,
                caption: item => $"<img src=\"https://example.org/{item}.png\" onerror=alert(1)> \u202Egnp " + new string('x', 300)),
            _ => new SampleAudit(),
        };
        AuditReport.Write(page, sample.Summary, sample.Units, sample.Context);
        (string dom, int errors, string[] hosts) = await Open(page);
        Assert.Contains("What this audit cannot say", dom, StringComparison.Ordinal); // read to its end
        Assert.Equal(0, errors);
        Assert.Empty(hosts);
    }

    [Theory(Explicit = true)]
    [InlineData("locality", "What this study cannot say")]
    [InlineData("comparison", "To run it again")]
    public async Task So_do_the_pages_of_locality_and_compare(string kind, string end)
    {
        string page = Path.Combine(Environment.GetEnvironmentVariable("DORI_SAMPLE_REPORTS") ?? folder, $"{kind}.html");
        if (kind == "locality")
            LocalityReportTests.Write(page, LocalityReportTests.Outcome("<img src=\"https://example.org/x.png\" onerror=alert(1)>"));
        else CompareTests.Write(page);
        (string dom, int errors, string[] hosts) = await Open(page);
        Assert.Contains(end, dom, StringComparison.Ordinal);
        Assert.Equal(0, errors);
        Assert.Empty(hosts);
    }

    /// <summary>Without this, the tests above could pass because nothing is ever seen.</summary>
    [Fact(Explicit = true)]
    public async Task What_the_report_must_not_do_would_be_seen()
    {
        string page = Path.Combine(folder, "bad.html");
        await File.WriteAllTextAsync(page, "<html><body><img src=\"https://example.org/x.png\"></body></html>");
        Assert.Equal(["example.org"], (await Open(page)).Hosts);
        await File.WriteAllTextAsync(page,
            "<html><head><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\"></head><body "
            + "style=\"color:red\"></body></html>");
        Assert.NotEqual(0, (await Open(page)).Errors); // a violated policy is a console error
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>The page's document, the console's messages, and the hosts that were asked for anything (no name resolves), the browser's
    /// own services aside.</summary>
    private async Task<(string Dom, int Errors, string[] Hosts)> Open(string page)
    {
        string log = Path.Combine(folder, "net.json");
        var start = new ProcessStartInfo("chromium") { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in (string[])
            ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--disable-extensions",
             "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0",
                 $"--user-data-dir={Path.Combine(folder, "profile")}", $"--log-net-log={log}", "--dump-dom", new Uri(page).AbsoluteUri])
            start.ArgumentList.Add(argument);
        using Process browser = Process.Start(start)!;
        Task<string> dom = browser.StandardOutput.ReadToEndAsync(), errors = browser.StandardError.ReadToEndAsync();
        await browser.WaitForExitAsync();
        Assert.Equal(0, browser.ExitCode);
        string net = await File.ReadAllTextAsync(log);
        Assert.Contains("\"events\"", net, StringComparison.Ordinal);
        string[] hosts =
            [.. Regex.Matches(net, "\"url\":\"(?:https?|wss?)://([^/\":]+)").Select(m => m.Groups[1].Value)
            .Where(h => !h.EndsWith(".google.com", StringComparison.Ordinal) && !h.EndsWith(".googleapis.com", StringComparison.Ordinal))
            .Distinct()];
        return (await dom, Regex.Count(await errors, ":CONSOLE"), hosts);
    }
}
