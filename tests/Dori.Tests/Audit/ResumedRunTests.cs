using Dori.Tests.Support;
using Dori.Pictures;
using Dori.Audit;
using Dori.Reporting;

namespace Dori.Tests.Audit;

/// <summary>What a run folder loses, and what it keeps.</summary>
public sealed class ResumedRunTests
{
    private static int Kept(RunFolder run) => AuditPlan.Of(run.Manifest).Count(run.Has);

    private static Manifest With(Manifest m, params ManifestItem[] items) =>
        m with { Pictures = m.Pictures with { Items = items, Sha256 = Sha256Text.Of(string.Join(' ', items.SelectMany(i => i.Sha256))) } };

    [Fact]
    public void A_replaced_picture_costs_its_own_units_and_no_others()
    {
        using var run = new SampleRun();
        Assert.Equal(40, Kept(RunFolder.Create(run.Run, run.Manifest)));
        ManifestItem[] items = [.. run.Manifest.Pictures.Items];
        items[3] = items[3] with { Sha256 = [Sha256Text.Of("mended")] };
        RunFolder mended = RunFolder.Create(run.Run, With(run.Manifest, items));
        Assert.Contains("have changed", Assert.Single(mended.Remarks), StringComparison.Ordinal);
        Assert.Equal(38, Kept(mended));
        Assert.Equal(40, Kept(RunFolder.Create(run.Run, run.Manifest))); // and back
        ManifestItem more = items[0] with { Id = "v01", Sha256 = [Sha256Text.Of("v01")] };
        RunFolder added = RunFolder.Create(run.Run, With(run.Manifest, [more, .. run.Manifest.Pictures.Items]));
        Assert.Equal((40, 42), (Kept(added), AuditPlan.Of(added.Manifest).Count));
        Assert.Equal(4, Kept(RunFolder.Create(run.Run, With(run.Manifest, [.. run.Manifest.Pictures.Items.Take(2)]))));
    }

    [Fact]
    public void Another_picture_set_and_other_options_are_refused()
    {
        using var run = new SampleRun();
        ManifestItem[] others = [.. run.Manifest.Pictures.Items.Select(item => item with { Sha256 = [Sha256Text.Of("x" + item.Id)] })];
        Assert.Contains("none of its pictures",
            Assert.Throws<DoriException>(() => RunFolder.Create(run.Run, With(run.Manifest, others))).Message, StringComparison.Ordinal);
        Assert.Contains("mirror images",
            Assert.Throws<DoriException>(() =>
            RunFolder.Create(run.Run, run.Manifest with { Options = SampleRun.Options with { Mirror = false } })).Message,
            StringComparison.Ordinal);
        Assert.Contains("model",
            Assert.Throws<DoriException>(() =>
            RunFolder.Create(run.Run, run.Manifest with { Model = run.Manifest.Model with { Sha256 = "x" } })).Message,
            StringComparison.Ordinal);
        Assert.Equal(40, Kept(run.Open()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("{ \"schema\": \"dori.manifest/2\" }")]
    public void A_manifest_that_is_gone_or_damaged_is_written_anew_by_the_same_command(string? text)
    {
        using var run = new SampleRun();
        string file = Path.Combine(run.Run, "manifest.json");
        void Spoil()
        {
            if (text is null) File.Delete(file);
            else File.WriteAllText(file, text);
        }
        Spoil();
        Assert.Contains("the command that made the run", Assert.Throws<DoriException>(run.Open).Message, StringComparison.Ordinal);
        // Another command's: none of the units is its own, and they stay.
        DoriException e =
            Assert.Throws<DoriException>(() =>
            RunFolder.Create(run.Run, run.Manifest with { Model = run.Manifest.Model with { Sha256 = "x" } }));
        Assert.Contains("none of its 40 units", e.Message, StringComparison.Ordinal);
        RunFolder again = RunFolder.Create(run.Run, run.Manifest);
        Assert.Contains("40 of 40 units", Assert.Single(again.Remarks), StringComparison.Ordinal);
        Assert.Equal(40, Kept(again));
        Assert.Equal(40, run.Open().ReadUnits().Records.Count);
    }

    [Fact]
    public void A_folder_taken_away_during_the_run_is_put_back()
    {
        using var run = new SampleRun();
        RunFolder open = run.Open();
        Directory.Delete(run.Run, recursive: true);
        open.Restore();
        Assert.Equal(40, AuditPlan.Of(run.Open().Manifest).Count);
        Assert.Equal(40, run.Summary().MissingUnits);
        Assert.Equal(GateOutcome.Unknown, Gate.Of(run.Summary()).Outcome);
    }

    [Theory]
    [InlineData("pictures/v00-caption-0-1.png")]
    [InlineData("embeddings/v00-caption-0.safetensors")]
    public void A_unit_whose_files_are_gone_is_computed_again_and_still_counts(string file)
    {
        using var run = new SampleRun();
        File.Delete(Path.Combine(run.Run, file));
        Assert.Equal(39, Kept(run.Open()));
        Assert.Equal(Verdict.Retained, run.Summary().Pictures.Single(p => p.Role == PictureRole.Audit).Verdict);
    }

    [Fact]
    public void A_run_of_an_older_version_is_reported_unbound_and_not_resumed()
    {
        using var run = new SampleRun(found: 0.2f, bound: false);
        Summary summary = run.Summary();
        Assert.False(summary.Bound);
        Assert.False(summary.Mirror);
        Assert.Equal((0, Verdict.NotFound), (summary.MissingUnits, summary.Pictures.Single(p => p.Role == PictureRole.Audit).Verdict));
        Assert.Contains(summary.Warnings, w => w.Contains("unbound", StringComparison.Ordinal));
        Assert.Equal(GateOutcome.Unknown, Gate.Of(summary).Outcome);
        string message = Assert.Throws<DoriException>(() => RunFolder.Create(run.Run, SampleRun.ManifestOf(SampleRun.Options))).Message;
        Assert.Contains("choose another folder", message, StringComparison.Ordinal);
        run.Write(run.Shard);
        Assert.Contains("older version", Assert.Throws<DoriException>(() => run.Open().Merge([RunFolder.Open(run.Shard)])).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_bring_what_is_missing_or_wrong_and_leave_the_rest()
    {
        using var run = new SampleRun();
        run.Write(run.Shard);
        File.Delete(run.Unit("v00-prompt-0"));
        File.WriteAllText(run.Unit("c07-caption-0"), "{");
        File.WriteAllText(Path.Combine(run.Shard, "units", "v00-prompt-7.json"), "{}"); // of another seed
        (int taken, IReadOnlyList<string> passed) = Assert.Single(run.Open().Merge([RunFolder.Open(run.Shard)]));
        Assert.Equal((2, "units/v00-prompt-7.json"), (taken, Assert.Single(passed)));
        Assert.Equal(40, Kept(run.Open()));
        Assert.False(File.Exists(run.Unit("v00-prompt-7")));
    }

    [Fact]
    public void Shards_of_another_kind_of_device_are_merged_by_the_users_word_and_named()
    {
        using SampleRun run = new(), elsewhere = new();
        var gpu = new ManifestGpu("NVIDIA A100", "550.54.14", "12.8", "91.0.2", Tf32: false, Deterministic: false);
        ManifestMachine machine = elsewhere.Manifest.Machine with { Device = "cuda", Dtype = "bfloat16", Gpu = gpu };
        elsewhere.Write(run.Shard, elsewhere.Manifest with { Machine = machine });
        File.Delete(run.Unit("v00-prompt-0"));
        string refused = Assert.Throws<DoriException>(() => run.Open().Merge([RunFolder.Open(run.Shard)])).Message;
        Assert.Contains("device: cuda (NVIDIA A100) there, cpu here; `MixedDevices`", refused, StringComparison.Ordinal);
        Assert.Equal(39, Kept(run.Open()));

        Assert.Equal(1, Assert.Single(run.Open().Merge([RunFolder.Open(run.Shard)], anyMachine: true)).Taken);
        RunFolder merged = run.Open();
        Assert.Equal(40, Kept(merged));
        Assert.Equal(gpu, Assert.Single(merged.Manifest.OtherMachines!).Gpu);
        Assert.Contains(RunFacts.Of(merged.Manifest), fact => fact.Item1 == "And merged from"
            && fact.Item2.Contains("driver 550.54.14", StringComparison.Ordinal));
    }

    /// <summary>A GPU of another name is another kind; the host's threads are of no account beside one.</summary>
    [Fact]
    public void What_kind_of_device_it_was_is_part_of_a_run()
    {
        var gpu = new ManifestGpu("NVIDIA A100", "550.54.14", "12.8", "91.0.2", Tf32: false, Deterministic: false);
        Manifest manifest = SampleRun.ManifestOf(SampleRun.Options);
        manifest = manifest with { Machine = manifest.Machine with { Device = "cuda", Gpu = gpu } };
        AuditUnit unit = AuditPlan.Of(manifest)[0];
        Manifest With(ManifestGpu other, int threads) =>
            manifest with { Machine = manifest.Machine with { Gpu = other, ThreadsPerUnit = threads } };
        foreach ((Manifest other, bool same) in new[] { (With(gpu, 64), true), (With(gpu with { Driver = "580.1" }, 1), true),
            (With(gpu with { Name = "NVIDIA H100" }, 1), false), (With(gpu with { Deterministic = true }, 1), false) })
        {
            Assert.Equal(same, manifest.Conflict(other) is null);
            Assert.Equal(same, UnitKey.Of(manifest, unit) == UnitKey.Of(other, unit));
        }
    }

    /// <summary>A key changes with what decides the unit, and with nothing else.</summary>
    [Fact]
    public void Keys()
    {
        Manifest m = SampleRun.ManifestOf(SampleRun.Options with { Starts = [AuditStart.Prompt, AuditStart.Caption, AuditStart.Other] });
        AuditUnit Unit(Manifest of, AuditStart start) => AuditPlan.Of(of).Single(u => u.Item.Id == "v00" && u.Start == start);
        string Key(Manifest of, AuditStart start) => UnitKey.Of(of, Unit(of, start));
        Manifest Options(Func<AuditOptions, AuditOptions> change) => m with { Options = change(m.Options) };
        ManifestItem first = m.Pictures.Items[0];
        (string Name, Manifest Changed, string Starts)[] cases =
        [
            ("model", m with { Model = m.Model with { Sha256 = "x" } }, "prompt caption other"),
            ("detector", m with { CopyDetector = m.CopyDetector with { Sha256 = "x" } }, "prompt caption other"),
            ("preset", m with { CopyDetector = m.CopyDetector with { TransformSha256 = "x" } }, "prompt caption other"),
            ("picture", With(m, [first with { Sha256 = ["x"] }, .. m.Pictures.Items.Skip(1)]), "prompt caption other"),
            ("caption", With(m, [first with { Caption = "x" }, .. m.Pictures.Items.Skip(1)]), "prompt caption other"),
            ("seed", Options(o => o with { Seed = 1 }), "prompt caption other"),
            ("mirror", Options(o => o with { Mirror = false }), "prompt caption other"),
            ("guidance", Options(o => o with { Guidance = 4 }), "prompt caption other"),
            ("sampler", Options(o => o with { Sampler = "ddim" }), "prompt caption other"),
            ("sampler steps", Options(o => o with { SamplerSteps = 3 }), "prompt caption other"),
            ("generations", Options(o => o with { Generations = 3 }), "prompt caption other"),
            ("generation batch", Options(o => o with { GenerationBatch = 1 }), "prompt caption other"),
            ("dtype", m with { Machine = m.Machine with { Dtype = "bfloat16" } }, "prompt caption other"),
            ("device", m with { Machine = m.Machine with { Device = "cuda" } }, "prompt caption other"),
            ("threads", m with { Machine = m.Machine with { ThreadsPerUnit = 2 } }, "prompt caption other"),
            ("steps", Options(o => o with { Steps = 5 }), "caption other"),
            ("curve", Options(o => o with { CurveSteps = [2] }), "caption other"),
            ("search batch", Options(o => o with { SearchBatch = 2 }), "caption other"),
            ("learning rate", Options(o => o with { LearningRate = 0.2 }), "caption other"),
            ("threshold", Options(o => o with { Threshold = 0.5 }), ""),
            ("other starts", Options(o => o with { Starts = [AuditStart.Prompt, AuditStart.Caption, AuditStart.Other, AuditStart.Random] }),
                ""),
            ("another picture",
                With(m, [.. m.Pictures.Items.Take(5), m.Pictures.Items[5] with { Sha256 = ["x"] }, .. m.Pictures.Items.Skip(6)]), ""),
            ("a picture more", With(m, [.. m.Pictures.Items, first with { Id = "v01" }]), ""),
            ("processor", m with { Machine = m.Machine with { Processor = "x" } }, ""),
            ("folder", With(m, [first with { Folder = "/x" }, .. m.Pictures.Items.Skip(1)]), ""),
        ];
        foreach ((string name, Manifest changed, string starts) in cases)
        {
            IEnumerable<AuditStart> others = m.Options.Starts.Where(start => Key(m, start) != Key(changed, start));
            Assert.Equal($"{name}: {starts}", $"{name}: {string.Join(' ', others.Select(start => start.Text()))}");
        }
        // The other caption counts where it is used: a key is of the caption, not of the rest of the set.
        AuditUnit other = Unit(m, AuditStart.Other), caption = Unit(m, AuditStart.Caption);
        Assert.NotEqual(UnitKey.Of(m, other), UnitKey.Of(m, other with { OtherCaption = "x" }));
        Assert.Equal(UnitKey.Of(m, caption), UnitKey.Of(m, caption with { OtherCaption = "x" }));
        Assert.Equal(m.Options.Starts.Count, m.Options.Starts.Select(start => Key(m, start)).Distinct().Count());
        Manifest cuda = m with { Machine = m.Machine with { Device = "cuda" } };
        Assert.Equal(Key(cuda, AuditStart.Prompt),
            Key(cuda with { Machine = cuda.Machine with { ThreadsPerUnit = 2 } }, AuditStart.Prompt));
    }
}
