using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Reporting;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

/// <summary>How little a search needs: the order of the rungs is one score, and bits are counted, not guessed.</summary>
public sealed class LadderTests
{
    /// <summary>An entropy code's length: the law sums to 1, and its mean length is the entropy.</summary>
    [Fact]
    public void Bits_are_the_length_under_the_fitted_law()
    {
        Assert.Equal(64, FindBits.LaplaceBits([0, 0, 0]), 12);
        float[] levels = [.. Enumerable.Range(0, 1000).Select(i => (float)((i % 7) - 3))];
        double b = levels.Average(level => Math.Abs(level)), sum = 0, mean = 0;
        for (int k = -400; k <= 400; k++)
        {
            double p = k == 0 ? 1 - Math.Exp(-0.5 / b) : 0.5 * (Math.Exp(-(Math.Abs(k) - 0.5) / b) - Math.Exp(-(Math.Abs(k) + 0.5) / b));
            sum += p;
            mean += levels.Count(level => level == k) * -Math.Log2(p);
        }
        Assert.Equal(1, sum, 9);
        Assert.Equal(64 + mean, FindBits.LaplaceBits(levels), 4); // levels are float
    }

    [Theory]
    [InlineData(-12, null)]
    [InlineData(-11, -12)]
    [InlineData(0, -1)]
    [InlineData(7, 6)]
    public void The_coarsest_step_with_a_copy_is_found(int first, int? coarsest)
    {
        int calls = 0;
        (int Exponent, double Similarity)? found = FindBits.Coarsen(-12, 6, e => { calls++; return e < first ? 0.9 : 0.7; }, 0.7);
        Assert.Equal(coarsest, found?.Exponent);
        Assert.InRange(calls, 1, 6);
    }

    [Fact]
    public void A_codec_needs_more_for_more_and_its_headers_do_not_count()
    {
        using var scope = NewDisposeScope();
        Tensor picture = Picture.Load(Path.Combine(Emoji.Pictures, "verbatim-00.png"));
        byte[] jpeg = Picture.EncodeJpeg(picture, 50), webp = Picture.EncodeWebp(picture, 50);
        Assert.InRange(CodecBits.JpegScan(jpeg), jpeg.Length - 700, jpeg.Length - 200);
        Assert.Equal(webp.Length - 30, CodecBits.WebpData(webp) + (webp.Length - 20 - 10 - CodecBits.WebpData(webp) == 1 ? 1 : 0));
        Assert.Equal(jpeg.Length, picture.numel() > 0 ? jpeg.Length : 0);
        using TorchScriptCopyDetector detector = TorchScriptCopyDetector.Load(Golden.EmojiModel);
        CodedPicture low = CodecBits.Fewest(picture, detector, 0.5)!, high = CodecBits.Fewest(picture, detector, 0.9)!;
        Assert.True(low.Bits < high.Bits && low.Similarity > 0.5 && high.Similarity > 0.9, $"{low}, {high}");
        Assert.InRange(high.Bits, 300, 20_000);
        Assert.Null(CodecBits.Fewest(picture, detector, 1.1));
    }

    [Fact]
    public void It_is_climbed_until_the_first_copy_and_goes_on_where_it_was_left()
    {
        string folder = Directory.CreateTempSubdirectory("dori-ladder-").FullName;
        try
        {
            // A threshold that everything passes: the first rung ends the climb, and every find is weighed.
            RunFolder run = Run(folder, -0.9);
            LadderSummary ladder = run.ReadLadder()!;
            LadderRung rung = Assert.Single(ladder.Rungs);
            Assert.Equal(("one-vector", 1, 1, 1, 1),
                (rung.Name, rung.Pictures, rung.Copies.Count, rung.Controls, rung.ControlCopies.Count));
            Assert.EndsWith("; 128 numbers", rung.Search, StringComparison.Ordinal);
            Assert.All(ladder.Items, item => Assert.True(item.Bits is > 64 and < 2000, $"{item}"));
            Assert.All(ladder.Items, item => Assert.Null(item.PValue)); // one control
            Report.Write(run);
            Assert.Contains("How little does a search need?", File.ReadAllText(Path.Combine(folder, "report.html")),
                StringComparison.Ordinal);
            Assert.True(File.Exists(Path.Combine(folder, "ladder.json")));
            DateTime written = File.GetLastWriteTimeUtc(Path.Combine(folder, "ladder", "one-vector", "units", "v00-caption-0.json"));
            Run(folder, -0.9);
            Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(folder, "ladder", "one-vector", "units", "v00-caption-0.json")));
        }
        finally { Directory.Delete(folder, recursive: true); }
    }

    private static RunFolder Run(string folder, double threshold) => new Dori.Audit.Audit(Checkpoint.Open(Golden.EmojiModel),
        PictureSet.Load(Emoji.Pictures).Where(item => item.Id is "v00" or "c00"))
    {
        Options = own => own with
        {
            Starts = [AuditStart.Prompt], Steps = 2, CurveSteps = [1], Generations = 1, CurveGenerations = 1, SamplerSteps = 2,
            Threshold = threshold,
        },
        Machine = new Machine { Threads = 1 },
        Ladder = true,
    }.Run(folder);

    /// <summary>Rungs before similarity; none is last; a climb that was interrupted has no p-value.</summary>
    [Fact]
    public void The_score_is_the_smallest_rung_then_the_similarity()
    {
        using var run = new SampleRun([0.4f, 0.4f, 0.4f], [0.4f, 0.4f, 0.4f]);
        RunFolder folder = run.Open();
        // v00 on the first rung; v01 on the third, as c00, and nearer; v02 nowhere, as all other controls.
        float Best(int rung, string item) => (rung, item) switch
        {
            (0, "v00") => 0.75f, (2, "v01") => 0.95f, (2, "c00") => 0.8f, (_, "v02") => 0.35f, _ => 0.5f,
        };
        for (int r = 0; r < Rung.Names.Count; r++)
        {
            RunFolder rung = folder.CreateRung(Rung.Names[r], $"search {r}", 128);
            foreach (AuditUnit unit in AuditPlan.Of(rung.Manifest))
            {
                Directory.CreateDirectory(Path.Combine(rung.Path, "units"));
                File.WriteAllText(Path.Combine(rung.Path, "units", unit.Id + ".json"), System.Text.Json.JsonSerializer.Serialize(
                    SampleRun.Record(rung.Manifest, unit, Best(r, unit.Item.Id)), AuditJson.Default.UnitRecord));
            }
        }
        LadderSummary ladder = folder.ReadLadder()!;
        Assert.Equal(["one-vector", "tokens-2", null], ladder.Items.Where(item => !item.Control).Select(item => item.Rung));
        Assert.Equal([1 / 20.0, 1 / 20.0, 1], ladder.Items.Where(item => !item.Control).Select(item => item.PValue!.Value));
        Assert.Equal([3, 2, 2, 1], ladder.Rungs.Take(4).Select(rung => rung.Pictures));
        Assert.Equal([19, 19, 19, 18], ladder.Rungs.Take(4).Select(rung => rung.Controls));
        Assert.Equal((1, 1), (ladder.Rungs[2].Copies.Count, ladder.Rungs[2].ControlCopies.Count));

        // A control that needs no more than v00 and is nearer takes its p-value away.
        RunFolder first = folder.OpenRung(Rung.Names[0])!;
        AuditUnit control = AuditPlan.Of(first.Manifest).Single(unit => unit.Item.Id == "c05");
        string file = Path.Combine(first.Path, "units", control.Id + ".json");
        File.WriteAllText(file, System.Text.Json.JsonSerializer.Serialize(SampleRun.Record(first.Manifest, control, 0.8f),
            AuditJson.Default.UnitRecord));
        Assert.Equal([2 / 20.0, 2 / 20.0, 1], folder.ReadLadder()!.Items.Where(item => !item.Control).Select(item => item.PValue!.Value));
        // An interrupted climb of a picture has none, and with 18 controls nobody has.
        File.Delete(Path.Combine(folder.OpenRung(Rung.Names[7])!.Path, "units", "v02-caption-0.json"));
        Assert.Null(folder.ReadLadder()!.Items.Single(item => item.Item == "v02").PValue);
        File.Delete(file);
        Assert.All(folder.ReadLadder()!.Items, item => Assert.Null(item.PValue));
    }
}
