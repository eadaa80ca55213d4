using Dori.Audit;
using Dori.Checkpoints;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Tests.Mitigation;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Control;

/// <summary>Which models may be judged: sound and mitigated ones are, broken ones never.</summary>
[Collection(EmojiHooks.Name)]
public sealed class PositiveControlTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-control-").FullName;
    private static readonly Lazy<TorchScriptCopyDetector> s_detector = new(() => TorchScriptCopyDetector.Load(Golden.EmojiModel));
    private static readonly AuditOptions s_options = new() { Guidance = 3, Sampler = "ddim", SamplerSteps = 25 };
    private static readonly PictureSet s_all = PictureSet.Load(Emoji.Pictures);
    /// <summary>As many controls as the hand and the ear look at, and few pictures for the eye.</summary>
    private static readonly PictureSet s_few = s_all.Limit(12)
        .Where(item => item.Role == PictureRole.Control || item.Id is "v00" or "v01" or "v02");
    private static readonly Lazy<PositiveControl> s_sound = new(() => Take(Emoji.Model, s_all));

    public static TheoryData<string> Broken => [.. BrokenModel.Broken];

    public static TheoryData<string> BrokenToo => [.. BrokenModel.BrokenToo];

    [Theory(Explicit = true), Trait("Category", "Slow")]
    [MemberData(nameof(BrokenToo))]
    public void A_model_broken_in_another_way_fails(string kind) => A_broken_model_fails(kind);

    [Theory]
    [MemberData(nameof(Broken))]
    public void A_broken_model_fails(string kind)
    {
        PositiveControl control;
        using (DiffusionModel model = DiffusionModel.Load(BrokenModel.Make(_folder, kind))) control = Take(model, s_few);
        Assert.False(control.Passed);
        Assert.False(control.Holds);
        Assert.StartsWith("failed: ", control.InOneLine, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', control.InOneLine);
    }

    [Fact]
    public void The_built_in_model_passes_sees_every_picture_and_says_so_the_same_each_time()
    {
        PositiveControl control = s_sound.Value;
        Assert.True(control.Holds, control.InOneLine);
        Assert.Equal((24, 24), (control.Seen, control.Looked));
        Assert.Empty(control.Unseen);
        Assert.StartsWith("passed (eye 24 of 24, hand ", control.InOneLine, StringComparison.Ordinal);
        PictureSet two = s_all.Limit(2);
        Assert.Equal(Take(Emoji.Model, two).Figures, Take(Emoji.Model, two).Figures);
    }

    [Fact]
    public void It_costs_less_than_3_percent_of_the_audit()
    {
        // In latents through the UNet, of the audit that docs/audit.md shows and of the shortest one of the whole set that judges.
        AuditOptions shortest = s_options with { Starts = [AuditStart.Prompt, AuditStart.Caption], Generations = 4, CurveSteps = [] };
        foreach (AuditOptions options in new[] { s_options, shortest })
        {
            double audit = AuditPlan.Of(s_all, options).Sum(unit => CostEstimate.Weight(unit, options));
            Assert.InRange(s_sound.Value.UNetRows, 1, 0.03 * audit);
        }
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.05)]
    [InlineData(0.1)]
    public void Pruned_by_Wanda_it_passes(double sparsity)
    {
        using var scope = NewDisposeScope();
        using DiffusionModel pruned = Emoji.Model.WithUNetCopy();
        IEnumerable<PictureItem> items = s_all.Items.Where(item => item.Kind == PictureKind.Verbatim).Take(4);
        Conditioning[] captions = [.. items.Select(item => Emoji.Model.Embed(item.Caption))];
        using var wanda = new WandaMarking(pruned, WandaOptions.For(pruned) with { Sparsity = sparsity });
        var mask = WeightMask.Union([.. captions.Select(y => wanda.Mark([y]).Mask)]);
        using IDisposable now = mask.PruneForNow(pruned.UNet);
        PositiveControl control = Take(pruned, s_few);
        Assert.True(control.Holds, control.InOneLine);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_set_of_few_pictures_is_no_reason_to_fail(int each)
    {
        PositiveControl control = Take(Emoji.Model, s_all.Limit(each));
        Assert.True(control.Holds, control.InOneLine);
    }

    /// <summary>The roughness of what is drawn says nothing beside a set's that is nearly flat.</summary>
    [Fact]
    public void A_set_of_smooth_pictures_is_no_reason_to_fail()
    {
        string pictures = Path.Combine(_folder, "smooth");
        Directory.CreateDirectory(pictures);
        using Tensor picture = linspace(0.3, 0.6, 64).expand(3, 64, 64);
        Dori.Pictures.Picture.Save(Path.Combine(pictures, "smooth.png"), picture);
        File.WriteAllText(Path.Combine(pictures, "metadata.csv"), "file_name,text\nsmooth.png,a grey sky\n");
        PositiveControl control = Take(Emoji.Model, PictureSet.Load(pictures));
        Assert.DoesNotContain(control.Failures, figure => figure.Name.StartsWith("roughness", StringComparison.Ordinal)
            || figure.Name.Contains("as declared", StringComparison.Ordinal));
    }

    [Fact]
    public void Pictures_of_controls_alone_are_looked_at_for_a_calibration()
    {
        PositiveControl control = Take(Emoji.Model, s_all.Where(item => item.Role == PictureRole.Control).Limit(4));
        Assert.True(control.Holds, control.InOneLine);
        Assert.Equal(4, control.Looked);
    }

    [Fact]
    public void A_picture_that_the_VAE_does_not_bring_back_is_named()
    {
        // Noise of single pixels is what no autoencoder keeps.
        string pictures = Path.Combine(_folder, "pictures");
        Directory.CreateDirectory(pictures);
        Dori.Pictures.Picture.Save(Path.Combine(pictures, "noise.png"), Golden.Rand("noise", 3, 64, 64).sign() * 0.5 + 0.5);
        File.WriteAllText(Path.Combine(pictures, "metadata.csv"), "file_name,text,item\nnoise.png,noise,n00\n");
        PictureItem noise = PictureSet.Load(pictures).Items[0];
        var set = new PictureSet([noise, .. s_all.Limit(2).Items], [], []);
        PositiveControl control = Take(Emoji.Model, set);
        Assert.True(control.Holds, control.InOneLine);
        Assert.Equal(["n00"], control.Unseen.Select(item => item.Item));
        Assert.Contains("n00", control.InOneLine, StringComparison.Ordinal);
    }

    [Fact]
    public void A_record_that_says_passed_above_figures_that_fail_does_not_hold()
    {
        Assert.True(SampleControl.Passed.Holds);
        Assert.False(SampleControl.Failed.Holds);
        Assert.False((SampleControl.Failed with { Passed = true }).Holds);
        Assert.False((SampleControl.Passed with { Figures = [] }).Holds);
        ControlFigure[] numberless = [.. SampleControl.Passed.Figures.Select(figure => figure with { Value = null })];
        Assert.False((SampleControl.Passed with { Figures = numberless }).Holds);
        Assert.NotNull((SampleControl.Passed with { Unseen = [null!] }).Problem());
    }

    /// <summary>Trained on eight pictures and nothing else: it knows these by heart and has forgotten the rest.</summary>
    [Fact]
    public void An_overtrained_adapter_passes_on_its_own_pictures_beside_a_sound_base()
    {
        using DiffusionModel overtrained = Overtrained(1);
        PositiveControl control = Take(overtrained, s_adapters, () => DiffusionModel.Load(Golden.EmojiModel));
        Assert.True(control.Holds, control.InOneLine);
        Assert.Contains("as an overtrained model does: hand: denoising loss", control.InOneLine, StringComparison.Ordinal);
        Assert.All(control.OnControls!, figure => Assert.False(figure.Passed));
        PositiveControl sound = Take(Emoji.Model, s_adapters, () => throw new DoriException("the base is not asked of a sound model"));
        Assert.Null(sound.OnControls);
    }

    /// <summary>
    /// What is broken must not be taken for overtrained: a whole model has nothing beside it that says which of the two it is.
    /// </summary>
    [Theory]
    [InlineData(1, null)]
    [InlineData(1, "cross-attention zero")]
    [InlineData(3, "")]
    public void Without_a_sound_base_or_with_pictures_that_it_does_not_know_it_fails(double scale, string? kind)
    {
        using DiffusionModel overtrained = Overtrained(scale);
        Func<DiffusionModel>? withoutAdapters = kind is null ? null
            : () => DiffusionModel.Load(kind == "" ? Golden.EmojiModel : BrokenModel.Make(_folder, kind));
        PositiveControl control = Take(overtrained, s_adapters, withoutAdapters);
        Assert.False(control.Holds, control.InOneLine);
        Assert.Null(control.OnControls);
    }

    private static readonly PictureSet s_adapters = PictureSet.Load(Path.Combine(Emoji.Lora, "pictures"));

    private static DiffusionModel Overtrained(double scale) => DiffusionModel.Load(Checkpoint.Open(Golden.EmojiModel,
        new CheckpointOptions { Adapters = [(Path.Combine(Emoji.Lora, "kohya.safetensors"), scale)] }));

    private static PositiveControl Take(DiffusionModel model, PictureSet set, Func<DiffusionModel>? withoutAdapters = null) =>
        new ControlRunner(model, s_detector.Value, s_options, withoutAdapters).Run(set);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
