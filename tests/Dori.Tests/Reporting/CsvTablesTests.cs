using Dori.Tests.Support;
using System.Globalization;
using Dori.Audit;
using Dori.Reporting;

namespace Dori.Tests.Reporting;

public class CsvTablesTests
{
    [Fact]
    public void Pictures_reads_back_as_written()
    {
        string[] hostile = ["plain", "a, b", "say \"x\"", "two\r\nlines", ""];
        Summary summary = new SampleAudit().Summary;
        summary = summary with { Pictures = [.. summary.Pictures.Select((p, i) => p with { Caption = hostile[i % hostile.Length] })] };
        string csv = CsvTables.Pictures(summary);
        Assert.EndsWith("\r\n", csv, StringComparison.Ordinal);
        List<List<string>> rows = Parse(csv);
        Assert.Equal(summary.Pictures.Count + 1, rows.Count);
        Assert.All(rows, r => Assert.Equal(rows[0].Count, r.Count));
        for (int i = 0; i < summary.Pictures.Count; i++)
        {
            PictureSummary p = summary.Pictures[i];
            string Field(string name) => rows[i + 1][rows[0].IndexOf(name)];
            Assert.Equal(p.Caption, Field("caption"));
            Assert.Equal(p.Item, Field("item"));
            Assert.Equal(p.Verdict.Text(), Field("verdict"));
            Assert.Equal(p.Similarity, double.Parse(Field("similarity"), CultureInfo.InvariantCulture));
            Assert.Equal(p.StepsToFirstCopy?.ToString(CultureInfo.InvariantCulture) ?? "", Field("steps_to_first_copy"));
        }
    }

    [Theory]
    [InlineData("=1+1")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData("@SUM(A1)")]
    [InlineData("\t=1")]
    public void A_text_that_a_spreadsheet_would_run_gets_an_apostrophe_and_a_number_does_not(string text)
    {
        Summary summary = new SampleAudit().Summary;
        summary = summary with { Pictures = [summary.Pictures[0] with { Item = text, Similarity = -0.25 }] };
        string row = CsvTables.Pictures(summary).Split("\r\n")[1];
        Assert.StartsWith("'" + text + ",", row, StringComparison.Ordinal);
        Assert.Contains(",-0.25,", row, StringComparison.Ordinal);
    }

    [Fact]
    public void Rates_holds_every_group_start_and_step_once()
    {
        Summary summary = new SampleAudit().Summary;
        string[] rows = CsvTables.Rates(summary).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(1 + summary.Curve.Count, rows.Length);
        Assert.Equal(rows.Distinct(), rows);
        Assert.Contains(rows, r => r.StartsWith("control,caption,50,40,4,0,0,0,", StringComparison.Ordinal));
    }

    /// <summary>RFC 4180, by the letter: rows end in CRLF, and inside quotes everything is text and a doubled quote is one.</summary>
    private static List<List<string>> Parse(string csv)
    {
        List<List<string>> rows = [];
        List<string> row = [];
        for (int i = 0; i < csv.Length;)
        {
            var field = new System.Text.StringBuilder();
            if (csv[i] == '"')
            {
                for (i++; csv[i] != '"' || (i + 1 < csv.Length && csv[i + 1] == '"'); i++)
                {
                    if (csv[i] == '"') i++;
                    field.Append(csv[i]);
                }
                i++;
            }
            else for (; csv[i] is not (',' or '\r'); i++) field.Append(csv[i]);
            row.Add(field.ToString());
            if (csv[i] == ',') i++;
            else
            {
                Assert.Equal("\r\n", csv.Substring(i, 2));
                i += 2;
                rows.Add(row);
                row = [];
            }
        }
        return rows;
    }
}
