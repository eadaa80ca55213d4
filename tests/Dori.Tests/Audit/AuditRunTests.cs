using System.Security.Cryptography;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Tests.Support;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

/// <summary>Whole small audits of the built-in model: the same bytes whichever way they come about.</summary>
public sealed class AuditRunTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-run-").FullName;
    private static readonly AuditOptions s_options = new()
    {
        Starts = [AuditStart.Prompt, AuditStart.Caption, AuditStart.Random, AuditStart.Other], Steps = 2, SearchBatch = 2, MicroBatch = 2,
            CurveSteps = [0, 1], Generations = 2, CurveGenerations = 1,
        GenerationBatch = 2, Guidance = 3, Sampler = "ddim", SamplerSteps = 2,
    };

    [Fact]
    public void Shards_interruptions_and_the_number_of_workers_leave_the_bytes_alone()
    {
        RunFolder whole = Open("whole");
        Run(whole, (1, 1), workers: 2);
        Dictionary<string, string> expected = Files(whole);
        Assert.Equal(Set.Items.Count * 4, expected.Count(f => f.Key.StartsWith("units/", StringComparison.Ordinal)));

        RunFolder first = Open("shard1");
        Run(first, (1, 3), workers: 1);
        foreach (int shard in new[] { 2, 3 })
        {
            RunFolder other = Open($"shard{shard}");
            Run(other, (shard, 3), workers: 1);
            Assert.InRange(Assert.Single(first.Merge([other])).Taken, 1, 8);
        }
        Assert.Equal(expected, Files(first));

        RunFolder interrupted = Open("interrupted");
        int interruptions = 0;
        for (int stopAt = 1; Open("interrupted") is var run && AuditPlan.Of(Set, s_options).Any(u => !run.Has(u)); stopAt = stopAt % 3 + 1)
        {
            int seen = 0;
            using var source = new CancellationTokenSource();
            try
            {
                // Each time a little further, in the middle of a unit.
                new AuditRunner(Runner, run, () => TimeSpan.Zero)
                    .Run(AuditPlan.Of(Set, s_options), Workers.Single, (_, _) => { if (++seen == stopAt + 2) source.Cancel(); },
                    source.Token);
            }
            catch (OperationCanceledException)
            {
                interruptions++;
            }
        }
        Assert.InRange(interruptions, 3, 100);
        Assert.Equal(expected, Files(interrupted));
    }

    [Fact]
    public void A_unit_is_computed_from_its_own_identity()
    {
        AuditUnit unit = AuditPlan.Of(Set, s_options).Single(u => u.Id == "v00-random-0");
        using UnitResult a = Runner.Run(unit), b = Runner.Run(unit), other = Runner.Run(unit with { Seed = 1 });
        Assert.Equal(a.Record.Losses, b.Record.Losses);
        Assert.Equal(a.Record.Snapshots[^1].Similarities, b.Record.Snapshots[^1].Similarities);
        Assert.NotEqual(a.Record.Losses, other.Record.Losses);
        Assert.Equal([0, 1, 2], a.Record.Snapshots.Select(s => s.Step));
        Assert.Equal([1, 1, 2], a.Record.Snapshots.Select(s => s.Similarities.Count));
    }

    [Fact]
    public void Starts_are_what_they_say()
    {
        IReadOnlyList<AuditUnit> plan = AuditPlan.Of(Set, s_options);
        AuditUnit other = plan.Single(u => u.Id == "v00-other-0");
        Assert.NotEqual(other.Item.Caption, other.OtherCaption);
        Assert.Contains(Set.Items, i => i.Role == PictureRole.Control && i.Caption == other.OtherCaption);
        var none = s_options with { Steps = 0, CurveSteps = [], Starts = [AuditStart.Prompt, AuditStart.Caption] };
        var runner = new UnitRunner(Emoji.Model, s_detector.Value, none);
        using UnitResult prompt = runner.Run(plan.Single(u => u.Id == "v00-prompt-0")),
            caption = runner.Run(plan.Single(u => u.Id == "v00-caption-0"));
        Assert.Equal(prompt.Record.Snapshots[0].Similarities, caption.Record.Snapshots[0].Similarities); // no step taken: the prompt itself
    }

    [Fact]
    public void A_run_folder_takes_no_units_of_another_run()
    {
        Open("run");
        DoriException e =
            Assert.Throws<DoriException>(() => RunFolder.Create(Path.Combine(_folder, "run"), ManifestFor(s_options with { Steps = 3 })));
        Assert.Contains("Steps = 2", e.Message, StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(_folder, "full"));
        File.WriteAllText(Path.Combine(_folder, "full", "mine.txt"), "");
        Assert.Throws<DoriException>(() => RunFolder.Create(Path.Combine(_folder, "full"), ManifestFor(s_options)));
        Assert.Throws<DoriException>(() => RunFolder.Open(_folder));
    }

    [Fact]
    public void A_damaged_record_is_named()
    {
        RunFolder run = Open("damaged");
        Directory.CreateDirectory(Path.Combine(run.Path, "units"));
        File.WriteAllText(Path.Combine(run.Path, "units", "v00-prompt-0.json"), "{");
        Assert.Contains("v00-prompt-0.json", Assert.Single(run.ReadUnits().Wrong), StringComparison.Ordinal);
    }

    [Fact]
    public void A_mirror_image_counts_as_the_picture_and_is_marked()
    {
        PictureItem item = Set.Items.Single(i => i.Id == "v00");
        string turned = Path.Combine(_folder, "turned.png");
        using (Tensor picture = Dori.Pictures.Picture.Load(item.Paths.Single())) Dori.Pictures.Picture.Save(turned, picture.flip(2));
        var options = s_options with { SamplerSteps = 8, Generations = 4 };
        Snapshot Prompt(PictureItem of, bool mirror)
        {
            using UnitResult result = new UnitRunner(Emoji.Model, s_detector.Value, options with { Mirror = mirror })
                .Run(new AuditUnit(of, AuditStart.Prompt, 0, null));
            return result.Record.Snapshots.Single();
        }
        PictureItem other = item with { Files = ["turned.png"], Folder = _folder, Origin = null };
        Snapshot plain = Prompt(item, false), both = Prompt(item, true), swapped = Prompt(other, true), alone = Prompt(other, false);
        Assert.Empty(plain.Mirrored);
        for (int n = 0; n < options.Generations; n++)
        {
            // The other picture's mirror image is this picture: the maximum of both is the same, and the mirror wins in one of the two.
            Assert.Equal(MathF.Max(plain.Similarities[n], alone.Similarities[n]), both.Similarities[n], 4);
            Assert.Equal(both.Similarities[n], swapped.Similarities[n], 4);
            Assert.Equal(both.Similarities[n] > plain.Similarities[n], both.Mirrored.Contains(n));
            Assert.NotEqual(both.Mirrored.Contains(n), swapped.Mirrored.Contains(n));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_model_saved_by_a_mitigation_and_loaded_again_audits_to_the_bytes_of_the_one_in_memory(bool pruned)
    {
        DiffusersFolder original = DiffusersFolder.Open(Golden.EmojiModel);
        string saved = Path.Combine(_folder, "saved");
        Dictionary<string, string> untouched = Audit("untouched", Emoji.Model), inMemory;
        using (DiffusionModel model = Emoji.Model.WithUNetCopy())
        {
            using var scope = NewDisposeScope();
            var weights = model.UNet.named_parameters().ToDictionary(p => p.name, p => p.parameter);
            if (pruned)
            {
                WeightMask mask =
                    new([.. Wanda.Layers(model.UNet)
                    .Select(layer => LayerMask.Of(layer.Name, Golden.Rand(layer.Name, [.. layer.Layer.weight.shape]).gt(1)))]);
                using WeightSet file = original.OpenUNet();
                original.SaveWithUNet(saved, key => { using Tensor stored = file.Read(key); return mask.Apply(key, stored); }, "", "{}");
                using IDisposable now = mask.PruneForNow(model.UNet);
                inMemory = Audit("memory", model);
            }
            else
            {
                // A training ends in float32; the file's type is float16, and what is in memory is compared as the file holds it.
                using (no_grad())
                    foreach ((string name, Parameter weight) in weights)
                        weight.copy_((weight + 1e-3 * Golden.Rand(name, weight.shape)).to(float16).to(float32));
                original.SaveWithUNet(saved, name => weights[name], "", "{}");
                inMemory = Audit("memory", model);
            }
        }
        using DiffusionModel loaded = DiffusionModel.Load(saved);
        Assert.Equal(inMemory, Audit("loaded", loaded));
        Assert.NotEqual(untouched, inMemory);

        using WeightSet before = original.OpenUNet(), after = DiffusersFolder.Open(saved).OpenUNet();
        Assert.Equal(before.Names.Order(), after.Names.Order());
        Assert.All(before.Names, key => Assert.Equal(before.Info(key).Shape, after.Info(key).Shape));
        Assert.All(before.Names, key => Assert.Equal(before.Info(key).Dtype, after.Info(key).Dtype));
        Assert.Equal("{}", File.ReadAllText(Path.Combine(saved, "mitigation.json")));

        Dictionary<string, string> Audit(string name, DiffusionModel model)
        {
            RunFolder run = Open(name);
            new AuditRunner(new UnitRunner(model, s_detector.Value, s_options), run, () => TimeSpan.Zero)
                .Run([.. AuditPlan.Of(Set, s_options).Take(4)], new Workers(1, 1));
            return Files(run);
        }
    }

    private static readonly Lazy<TorchScriptCopyDetector> s_detector = new(() => TorchScriptCopyDetector.Load(Golden.EmojiModel));
    private static PictureSet Set => PictureSet.Load(Emoji.Pictures).Where(i => i.Id is "v00" or "c00" or "c01");
    private static UnitRunner Runner => new(Emoji.Model, s_detector.Value, s_options);

    private RunFolder Open(string name) => RunFolder.Create(Path.Combine(_folder, name), ManifestFor(s_options));

    private static void Run(RunFolder folder, (int I, int N) shard, int workers) =>
        new AuditRunner(Runner, folder, () => TimeSpan.Zero)
            .Run(AuditPlan.Shard(AuditPlan.Of(Set, s_options), shard.I, shard.N), new Workers(workers, 1));

    private static Manifest ManifestFor(AuditOptions options) => VerdictsTests.ManifestOf(
        [.. Set.Items.Select(i => new ManifestItem(i.Id, i.Folder, i.Files, i.Sha256, i.Caption, i.Kind, i.Role))])
            with { Options = options };

    /// <summary>Hash by relative path of all that must not depend on how a run came about.</summary>
    private static Dictionary<string, string> Files(RunFolder run) => Directory.GetFiles(run.Path, "*", SearchOption.AllDirectories)
        .Select(file => (name: Path.GetRelativePath(run.Path, file).Replace('\\', '/'), file))
        .Where(f => !f.name.StartsWith("costs/", StringComparison.Ordinal))
        .ToDictionary(f => f.name, f => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(f.file))));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
