using System.Formats.Tar;
using System.Globalization;
using Dori.Audit;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Pictures;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Audit;

/// <summary>Pictures planted by coins: what is exact, what the planted set tells, and what is refused.</summary>
public sealed class CanariesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-canaries-").FullName;
    private static readonly CanaryProtocol s_protocol = new("standard", [AuditStart.Prompt, AuditStart.Caption], 50, 4, 0, 4);

    private static string Seed(int number) => Sha256Text.Of($"seed {number}");

    private static SealedCanaries Of(string seed, int pairs, int guesses = 1, params int[] doses) => new(SealedCanaries.Current, seed,
        doses.Length == 0 ? [10] : doses, [.. Enumerable.Range(0, pairs).Select(k => new CanaryPair(Fake(k, true), Fake(k, false)))],
        s_protocol with { Guesses = guesses });

    private static Canary Fake(int pair, bool a) =>
        new($"{SealedCanaries.IdOf(pair, a)}.png", Sha256Text.Of($"{pair}{a}"), "a caption");

    /// <summary>All coins of 8 pairs, for scores that do not depend on them: the p-value is at most its level so often.</summary>
    [Fact]
    public void The_level_is_exact_by_enumeration()
    {
        const int pairs = 8;
        // Seeds that give each of the 256 outcomes once.
        var outcomes = new Dictionary<int, SealedCanaries>();
        for (int n = 0; outcomes.Count < 1 << pairs; n++)
        {
            SealedCanaries canaries = Of(Seed(n), pairs);
            outcomes.TryAdd(Enumerable.Range(0, pairs).Sum(k => canaries.PlantsA(k) ? 1 << k : 0), canaries);
        }
        var random = new Random(5);
        double[] differences = [.. Enumerable.Range(0, pairs).Select(_ => random.NextDouble() - 0.5)];
        double[] pValues = [.. outcomes.Values.Select(canaries => CanariesSummary.Test(canaries, "all", differences).PValue)];
        foreach (double level in pValues.Distinct())
            Assert.Equal(level, pValues.Count(p => p <= level + 1e-12) / 256.0, 9); // exact, not only at most
        // The same of guesses: of g pairs, Binomial(g, 1/2).
        int[] right = [.. outcomes.Values.Select(canaries => CanariesSummary.Right(canaries with
        {
            Protocol = s_protocol with { Guesses = 3 },
        }, differences))];
        Assert.Equal([32, 96, 96, 32], Enumerable.Range(0, 4).Select(v => right.Count(r => r == v)));
    }

    [Fact]
    public void Coins_doses_and_ties_are_fair_and_tell_nothing_of_each_other()
    {
        const int seeds = 2000;
        SealedCanaries[] all = [.. Enumerable.Range(0, seeds).Select(n => Of(Seed(n), 4, 1, 10, 30, 100, 300))];
        foreach (int k in new[] { 0, 3 })
        {
            Assert.InRange(all.Count(c => c.PlantsA(k)), 890, 1110);
            Assert.InRange(all.Count(c => c.TieToPlanted(k)), 890, 1110);
            Assert.InRange(all.Count(c => c.PlantsA(k) == c.TieToPlanted(k)), 890, 1110);
            Assert.InRange(all.Count(c => c.DosesOfPairs()[k] == 100), 400, 600);
            Assert.InRange(all.Count(c => c.PlantsA(k) && c.DosesOfPairs()[k] == 100), 180, 320);
        }
        Assert.Equal([10, 30, 100, 300], all[0].DosesOfPairs().Order()); // each as often as may be
    }

    private PictureSet Pictures() => PictureSet.Load(Emoji.Pictures).Where(item => item.Files.Count == 1 && item.Id[1..] is "00" or "01"
        or "02" or "03" or "04" or "05");

    /// <summary>Two seeds with other coins and the same pairs: names, order, times and the number of files are the same.</summary>
    [Fact]
    public void Nothing_in_the_planted_set_tells_the_coins_but_its_pictures()
    {
        PictureSet set = Pictures();
        SealedCanaries first = CanaryMaker.Seal(set, 4, [2, 3], s_protocol, Seed(1));
        SealedCanaries second = Enumerable.Range(2, 4000).Select(n => first with { Seed = Seed(n) })
            .First(c => !c.DosesOfPairs().Where((dose, k) => dose != first.DosesOfPairs()[k]).Any()
                && Enumerable.Range(0, 4).All(k => c.PlantsA(k) != first.PlantsA(k)));
        string[] folders = [Path.Combine(_folder, "a"), Path.Combine(_folder, "b")];
        CanaryMaker.Write(folders[0], set, first, copies: true);
        CanaryMaker.Write(folders[1], set, second, copies: true);
        (string, DateTime)[] Files(string folder) => [.. Directory.GetFiles(Path.Combine(folder, "planted")).Order(StringComparer.Ordinal)
            .Select(file => (Path.GetFileName(file), File.GetLastWriteTimeUtc(file)))];
        Assert.Equal(Files(folders[0]), Files(folders[1]));
        Assert.Equal(10 + 1, Files(folders[0]).Length); // 2 + 2 + 3 + 3 showings, and the metadata
        (string, DateTimeOffset, TarEntryType)[] Members(string folder)
        {
            using FileStream stream = File.OpenRead(Path.Combine(folder, "planted.tar"));
            using var tar = new TarReader(stream);
            var members = new List<(string, DateTimeOffset, TarEntryType)>();
            while (tar.GetNextEntry() is { } entry) members.Add((entry.Name, entry.ModificationTime, entry.EntryType));
            return [.. members];
        }
        Assert.Equal(Members(folders[0]), Members(folders[1]));
        // Which of the two is planted is the other one, each time.
        Assert.All(Enumerable.Range(0, 4), k => Assert.NotEqual(first.Planted(k), second.Planted(k)));
        // What is planted is what the sealed file says, and what a training reads.
        PictureSet planted = PictureSet.Load(Path.Combine(folders[0], "planted"));
        Assert.Equal([.. Enumerable.Range(0, 4).Select(k => first.Planted(k).Sha256)],
            planted.Items.Select(item => item.Sha256[0]).Distinct());
        Assert.Equal(8, SealedCanaries.Read(Path.Combine(folders[0], "sealed", "sealed.json"), null).Set(Path.Combine(folders[0], "sealed"))
            .Items.Count);
    }

    [Fact]
    public void With_a_column_of_repeats_every_picture_is_there_once()
    {
        PictureSet set = Pictures();
        SealedCanaries canaries = CanaryMaker.Seal(set, 3, [10, 1000], s_protocol with { Guesses = 2 }, Seed(3));
        CanaryMaker.Write(_folder + "/c", set, canaries, copies: false);
        string[] rows = File.ReadAllLines(Path.Combine(_folder, "c", "planted", "metadata.csv"));
        Assert.Equal("file_name,text,repeats", rows[0]);
        Assert.Equal(canaries.DosesOfPairs(), rows.Skip(1).Select(row => int.Parse(row.Split(',')[^1], CultureInfo.InvariantCulture)));
        Assert.Equal(3, Directory.GetFiles(Path.Combine(_folder, "c", "planted"), "*.png").Length);
    }

    [Theory]
    [InlineData("seed")]
    [InlineData("guesses")]
    [InlineData("caption")]
    [InlineData("hash")]
    [InlineData("picture")]
    public void A_changed_seal_is_refused(string what)
    {
        PictureSet set = Pictures();
        string file = CanaryMaker.Write(Path.Combine(_folder, "d"), set, CanaryMaker.Seal(set, 2, [10], s_protocol with { Guesses = 2 },
            Seed(4)), copies: false);
        string hash = InputFile.Sha256(file, InputKind.Record);
        Assert.Equal(2, SealedCanaries.Read(file, hash).Pairs.Count);
        if (what == "picture")
        {
            File.Copy(Path.Combine(_folder, "d", "sealed", "pictures", "p0000a.png"),
                Path.Combine(_folder, "d", "sealed", "pictures", "p0001a.png"), overwrite: true);
            Assert.Contains("not the picture that was sealed", Assert.Throws<DoriException>(() =>
                SealedCanaries.Read(file, hash).Set(Path.Combine(_folder, "d", "sealed"))).Message, StringComparison.Ordinal);
            return;
        }
        SealedCanaries sealedOne = SealedCanaries.Read(file, null);
        SealedCanaries changed = what switch
        {
            "seed" => sealedOne with { Seed = Seed(5) },
            "guesses" => sealedOne with { Protocol = sealedOne.Protocol with { Guesses = 1 } },
            "caption" => sealedOne with { Pairs = [sealedOne.Pairs[0], sealedOne.Pairs[1] with { A = Fake(1, true) }] },
            _ => (sealedOne with { Seed = Seed(6) }).WithDigest(), // who knows how puts the digest right, and not the printed hash
        };
        File.WriteAllText(file, changed.ToJson());
        Assert.Throws<DoriException>(() => SealedCanaries.Read(file, what == "hash" ? hash : null));
    }

    /// <summary>A training that holds what was shown 100 times and more, on records that nobody computed.</summary>
    [Fact]
    public void What_is_retained_is_told_by_dose_and_against_the_others_exactly()
    {
        const int pairs = 20;
        SealedCanaries canaries = Of(Seed(8), pairs, 10, 10, 30, 100, 300);
        int[] doses = canaries.DosesOfPairs();
        ManifestItem[] items = [.. Enumerable.Range(0, pairs).SelectMany(k => new[] { true, false }.Select(a => new ManifestItem(
            SealedCanaries.IdOf(k, a), "/p", [Fake(k, a).File], [Fake(k, a).Sha256], "a caption", PictureKind.None,
            a == canaries.PlantsA(k) ? PictureRole.Audit : PictureRole.Control)))];
        Manifest manifest = VerdictsTests.ManifestOf(items) with { Options = SampleRun.Options };
        UnitRecord[] units = [.. AuditPlan.Of(manifest).Select(unit =>
        {
            int pair = int.Parse(unit.Item.Id[1..5], CultureInfo.InvariantCulture);
            bool held = unit.Item.Role == PictureRole.Audit && doses[pair] >= 100;
            return SampleRun.Record(manifest, unit, held && unit.Start == AuditStart.Caption ? 0.9f : 0.3f + 0.001f * pair);
        })];
        Summary summary = Verdicts.Summarize(manifest, units);
        CanariesSummary judged = CanariesSummary.Of(canaries, "hash", summary, ItemRecords.Of(manifest, units));
        Assert.Equal([(10, 0, 5), (30, 0, 5), (100, 5, 5), (300, 5, 5)], judged.Doses.Select(d => (d.Dose, d.Retained.Count, d.Pictures)));
        Assert.Equal(1 - Math.Pow(0.05, 0.2), judged.Doses[0].Retained.High, 9);
        Assert.Equal("In this training a picture seen 10 times was retained in 0 of 5 cases, one seen 30 times was retained in 0 of 5 "
            + "cases, one seen 100 times was retained in 5 of 5 cases, one seen 300 times was retained in 5 of 5 cases.", judged.InWords);
        CanaryTest prompt = judged.Tests[0], search = judged.Tests[1];
        Assert.Equal(("prompt", 20, 20), (prompt.Asked, prompt.Pairs, prompt.Ties)); // equal by prompt: coins decide
        Assert.Equal(("search", 10), (search.Asked, search.Ties));
        Assert.InRange(search.Wins, 10, 20);
        Assert.Equal((10, 10), (judged.Guesses, judged.RightGuesses)); // the ten that differ
        Assert.Equal(Math.Log(Math.Pow(0.05, 0.1) / (1 - Math.Pow(0.05, 0.1))), judged.Epsilon, 6);
        Assert.InRange(judged.HalfDose!.Value!.Value, 30, 100);
        Assert.Throws<DoriException>(() => CanariesSummary.Of(canaries, "hash", Verdicts.Summarize(manifest, units[1..]),
            ItemRecords.Of(manifest, units[1..])));
    }

    [Fact]
    public void Making_takes_its_seed_from_the_operating_system_and_prints_the_hash_of_the_seal()
    {
        string[] Make(string name)
        {
            var console = new TestConsole();
            console.Profile.Width = 300;
            Assert.Equal(0, DoriApp.Run(["canaries", "make", "--images", Emoji.Pictures, "--pairs", "3", "--doses", "10,30", "-o",
                Path.Combine(_folder, name)], console, TextWriter.Null, TextWriter.Null));
            string file = Path.Combine(_folder, name, "sealed", "sealed.json");
            Assert.Contains(InputFile.Sha256(file, InputKind.Record), console.Output, StringComparison.Ordinal);
            SealedCanaries canaries = SealedCanaries.Read(file, null);
            return [canaries.Seed, canaries.Pairs[0].A.Sha256];
        }
        Assert.NotEqual(Make("e")[0], Make("f")[0]);
        var error = new StringWriter();
        Assert.Equal(2, DoriApp.Run(["canaries", "make", "--images", Emoji.Pictures, "--pairs", "500", "-o", Path.Combine(_folder, "g")],
            new TestConsole(), TextWriter.Null, error));
        Assert.Contains("--pairs: 500 pairs take 1000 different pictures", error.ToString(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "g")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
