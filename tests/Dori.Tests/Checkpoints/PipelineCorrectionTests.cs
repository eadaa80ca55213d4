using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Support;
using static Dori.Tests.Checkpoints.ConfigPublished;
using static Dori.Tests.Checkpoints.ConfigScratch;

namespace Dori.Tests.Checkpoints;

/// <summary>What diffusers' pipeline mends in old configs is mended and said; what has no say is passed over by name.</summary>
public class PipelineCorrectionTests
{
    private static (T Config, ModelNotes Notes) Noted<T>(string json, Func<string, ModelNotes, T> reader)
    {
        var notes = new ModelNotes();
        return (Read(json, path => reader(path, notes)), notes);
    }

    [Theory]
    [InlineData("0.4.0", "32", 64)]
    [InlineData("0.8.1", "16", 64)]
    [InlineData("0.8.0.dev0", "32", 64)]
    [InlineData("v0.6.0", "32", 64)]
    [InlineData("0.8rc1", "32", 64)]
    [InlineData("0", "32", 64)]
    [InlineData("0.9.0", "32", 32)]
    [InlineData("0.9.0.dev0", "32", 32)] // its base version is 0.9.0
    [InlineData("0.42.1", "16", 16)]
    [InlineData("1.0.0", "32", 32)]
    [InlineData("0.4.0", "96", 96)]
    [InlineData("0.4.0", "64", 64)]
    [InlineData("0.42.1", "[32, 32]", 32)]
    public void Sample_sizes_below_64_are_64_before_version_0_9(string version, string written, int taken)
    {
        (UNetConfig config, ModelNotes notes) = Noted(With(With(UNet14, "_diffusers_version", $"\"{version}\""), "sample_size", written),
            ConfigFiles.ReadUNet);
        Assert.Equal(taken, config.SampleSize);
        if (taken == 64 && written != "64") Assert.Contains($"sample_size = {written}, written by diffusers \"{version}\", is taken as "
            + "64", Assert.Single(notes.Said), StringComparison.Ordinal);
        else Assert.Empty(notes.Said);
    }

    [Fact]
    public void A_version_that_cannot_be_read_is_said_and_changes_nothing()
    {
        (UNetConfig config, ModelNotes notes) = Noted(With(With(UNet14, "_diffusers_version", "\"main\""), "sample_size", "32"),
            ConfigFiles.ReadUNet);
        Assert.Equal(32, config.SampleSize);
        Assert.Contains("taken as it stands", Assert.Single(notes.Said), StringComparison.Ordinal);
        // as diffusers does
        Assert.Empty(Noted(With(Without(UNet14, "_diffusers_version"), "sample_size", "32"), ConfigFiles.ReadUNet).Notes.Said);
    }

    [Theory]
    [InlineData(null, "absent")]
    [InlineData("0", "0")]
    [InlineData("1000", "1000")]
    [InlineData("null", "null")]
    public void Steps_offset_is_1(string? written, string said)
    {
        (SchedulerConfig config, ModelNotes notes) = Noted(written is null ? Without(Scheduler21, "steps_offset") : With(Scheduler21,
            "steps_offset", written), ConfigFiles.ReadScheduler);
        Assert.Equal(1, config.StepsOffset);
        Assert.Contains($"steps_offset ({said}) is taken as 1", Assert.Single(notes.Said), StringComparison.Ordinal);
        Assert.Empty(Noted(Scheduler21, ConfigFiles.ReadScheduler).Notes.Said);
    }

    [Theory]
    [InlineData(Scheduler21, null, true)]
    [InlineData(Scheduler21, "true", true)]
    [InlineData(Scheduler21, "false", false)]
    [InlineData(Scheduler21, "null", false)]
    [InlineData(Scheduler14, "true", true)]
    [InlineData(Scheduler14, null, false)] // PNDM has no such key
    public void Latents_are_never_clipped(string json, string? written, bool said)
    {
        ModelNotes notes = Noted(written is null ? Without(json, "clip_sample") : With(json, "clip_sample", written),
            ConfigFiles.ReadScheduler).Notes;
        Assert.Equal(said, notes.Said.Any(note => note.Contains("is taken as false, as StableDiffusionPipeline does",
            StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("DDPMScheduler", "DDIMScheduler", "ddim")]
    [InlineData("LCMScheduler", "DDIMScheduler", "ddim")]
    [InlineData("EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler", "euler")]
    [InlineData("LMSDiscreteScheduler", "EulerDiscreteScheduler", "euler")]
    [InlineData("KDPM2DiscreteScheduler", "EulerDiscreteScheduler", "euler")]
    [InlineData("KDPM2AncestralDiscreteScheduler", "EulerDiscreteScheduler", "euler")]
    [InlineData("DEISMultistepScheduler", "DPMSolverMultistepScheduler", "dpm-solver++")]
    [InlineData("DPMSolverFutureScheduler", "DPMSolverMultistepScheduler", "dpm-solver++")]
    [InlineData("SomebodysScheduler", "DDIMScheduler", "ddim")]
    public void A_class_without_a_sampler_gives_its_noise_schedule(string named, string standIn, string sampler)
    {
        string json = With(With(With(Scheduler21, "_class_name", $"\"{named}\""), "solver_order", "3"), "disable_corrector", "[]");
        (SchedulerConfig config, ModelNotes notes) = Noted(json, ConfigFiles.ReadScheduler);
        SchedulerConfig own = Read(Scheduler21, ConfigFiles.ReadScheduler);
        Assert.Equal((standIn, named, sampler), (config.ClassName, config.StandsInFor, Sampler.NameOf(config)));
        Assert.Equal((own.BetaStart, own.BetaEnd, own.BetaSchedule, own.PredictionType),
            (config.BetaStart, config.BetaEnd, config.BetaSchedule, config.PredictionType));
        Assert.Contains($"{named} has no sampler here; its noise schedule is taken and {sampler} stands in", Assert.Single(notes.Said),
            StringComparison.Ordinal);
        Assert.Contains(notes.Details, detail => detail.Contains("solver_order", StringComparison.Ordinal));
        Assert.Equal(Sampler.WithSampler(config, sampler), config); // naming it changes nothing
        foreach (string key in new[] { "beta_start", "beta_end", "beta_schedule" })
            // their defaults differ
            Assert.Contains(ConfigFiles.SchedulerClasses.Contains(named) ? $"{key} = absent" : "_class_name",
                Refusal(Without(json, key), ConfigFiles.ReadScheduler), StringComparison.Ordinal);
        Refusal(With(json, "trained_betas", "[0.1]"), ConfigFiles.ReadScheduler);
        Refusal(With(json, "use_flow_sigmas", "true"), ConfigFiles.ReadScheduler);
        Refusal(With(json, "dilation", "1"), ConfigFiles.ReadScheduler);
    }

    [Theory]
    [InlineData("UniPCMultistepScheduler", "solver_order", "3", "unipc")]
    [InlineData("UniPCMultistepScheduler", "solver_type", "\"bh1\"", "unipc")]
    [InlineData("HeunDiscreteScheduler", "use_beta_sigmas", "true", "heun")]
    public void A_sampler_without_a_setting_stands_in_for_itself(string named, string key, string value, string sampler)
    {
        string json = With(Scheduler21, "_class_name", $"\"{named}\"");
        Assert.Null(Read(json, ConfigFiles.ReadScheduler).StandsInFor);
        (SchedulerConfig config, ModelNotes notes) = Noted(With(json, key, value), ConfigFiles.ReadScheduler);
        Assert.Equal((named, named), (config.ClassName, config.StandsInFor));
        Assert.Contains($"{named} with these settings has no sampler here; its noise schedule is taken and {sampler} stands in",
            Assert.Single(notes.Said), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("FlowMatchHeunDiscreteScheduler")]
    [InlineData("EDMDPMSolverMultistepScheduler")]
    [InlineData("KarrasVeScheduler")]
    [InlineData("Somebodys")]
    public void A_schedule_of_another_kind_is_refused_though_betas_are_written_out(string named) =>
        Assert.Contains(named, Refusal(With(Scheduler21, "_class_name", $"\"{named}\""), ConfigFiles.ReadScheduler),
            StringComparison.Ordinal);

    [Fact]
    public void Pndm_without_its_runge_kutta_start_stands_in_for_pndm_with_it() =>
        Assert.Contains("Runge-Kutta", Assert.Single(Noted(Without(Scheduler14, "skip_prk_steps"),
            ConfigFiles.ReadScheduler).Notes.Said), StringComparison.Ordinal);

    [Fact]
    public void Lists_of_one_value_mean_that_value()
    {
        UNetConfig config = Read(With(With(UNet14, "layers_per_block", "[2, 2, 2, 2]"), "cross_attention_dim", "[768, 768, 768, 768]"),
            ConfigFiles.ReadUNet);
        Assert.Equal((2, 768), (config.LayersPerBlock, config.CrossAttentionDim));
        Assert.False(Read(With(With(UNet14, "upcast_attention", "null"), "act_fn", "\"swish\""), ConfigFiles.ReadUNet).UpcastAttention);
    }

    [Fact]
    public void Bookkeeping_is_passed_over_by_name_and_what_is_not_known_is_refused()
    {
        string json = With(With(With(UNet14, "decay", "0.9999"), "optimization_step", "12000"), "dropout", "0.1");
        (UNetConfig config, ModelNotes notes) = Noted(With(json, "some_future_switch", "false"), ConfigFiles.ReadUNet);
        Assert.Equal(64, config.SampleSize);
        Assert.Empty(notes.Said);
        foreach (string key in new[] { "decay, optimization_step", "dropout", "some_future_switch" })
            Assert.Contains(notes.Details, detail => detail.Contains(key, StringComparison.Ordinal));
        Refusal(With(json, "decayed", "0.9"), ConfigFiles.ReadUNet);
        Assert.Contains(Noted(With(Text14, "dilation", "1"), ConfigFiles.ReadClipText).Notes.Details, detail =>
            detail.Contains("dilation", StringComparison.Ordinal));
    }

    [Fact]
    public void A_vae_of_other_sizes_than_stable_diffusion_s_says_that_its_scale_is_a_default()
    {
        Assert.Empty(Noted(Without(Vae14, "scaling_factor"), ConfigFiles.ReadVae).Notes.Said);
        string small = Without(With(Vae14, "block_out_channels", "[32, 64, 64, 64]"), "scaling_factor");
        Assert.Contains("0.18215", Assert.Single(Noted(small, ConfigFiles.ReadVae).Notes.Said), StringComparison.Ordinal);
    }

    [Fact]
    public void Published_models_and_the_built_in_one_need_no_correction()
    {
        using var scratch = new ConfigScratch();
        scratch.Model(Index14, UNet14, Vae14, Text14, Scheduler14);
        Assert.Empty(DiffusersFolder.Open(scratch.Folder).Notes);
        scratch.Model(Index21, UNet21, Vae21, Text21, Scheduler21);
        Assert.Empty(DiffusersFolder.Open(scratch.Folder).Notes);
        scratch.Model(Index21, UNet21, Vae21, Text21, Without(Scheduler21, "prediction_type"));
        Assert.Contains("v_prediction", Assert.Single(DiffusersFolder.Open(scratch.Folder).Notes), StringComparison.Ordinal);
        Assert.Empty(Emoji.Model.Notes);
        Assert.Empty(Emoji.Model.Details);
    }
}
