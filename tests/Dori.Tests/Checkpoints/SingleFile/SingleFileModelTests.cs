using System.Text.Json;
using Dori.Checkpoints;
using Dori.Checkpoints.SingleFile;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Support;
using Spectre.Console.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints.SingleFile;

/// <summary>The built-in model as a single file: the same model; and what lies about in such files.</summary>
public sealed class SingleFileModelTests : IDisposable
{
    private readonly SafetensorsScratch _scratch = new();

    [Fact]
    public void The_built_in_model_as_a_single_file_gives_the_same_bytes()
    {
        string file = Write("single", null);
        Assert.Equal(Picture(Golden.EmojiModel), Picture(file, "--config", Golden.EmojiModel));
        string lora = Golden.PathOf("lora/kohya.safetensors");
        Assert.Equal(Picture(Golden.EmojiModel, "--lora", lora), Picture(file, "--config", Golden.EmojiModel, "--lora", lora));
    }

    /// <summary>What old merges and unpruned files hold besides, in the wrong types too.</summary>
    [Fact]
    public void Leftovers_are_passed_over_by_group_and_count()
    {
        string file = Write("extra", tensors =>
        {
            var changed = tensors.ToDictionary(pair => pair.Key.Replace(".text_model.", ".", StringComparison.Ordinal), pair => pair.Value,
                StringComparer.Ordinal);
            foreach (string key in new[] { "betas", "alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "posterior_mean_coef1",
                "denoiser.sigmas" }) changed[key] = ones(1000);
            changed["model_ema.decay"] = tensor(0.9999f);
            changed["model_ema.num_updates"] = tensor(4000L);
            changed["model_ema.diffusion_modelinput_blocks00weight"] = zeros(64, 4, 3, 3);
            changed["first_stage_model.loss.logvar"] = tensor(0f);
            changed["global_step"] = tensor(470000L);
            changed[SingleFileScratch.Text + "embeddings.position_ids"] = arange(32).to(float32).unsqueeze(0);
            changed["cond_stage_model.logit_scale"] = tensor(4.6f);
            changed[SingleFileScratch.Text + "text_projection.weight"] = zeros(128, 128);
            return changed;
        });
        Assert.Equal(Picture(Golden.EmojiModel), Picture(file, "--config", Golden.EmojiModel));
        string notes = string.Join('\n', Open(file).Details);
        foreach (string part in new[] { "the noise schedule (5)", "model_ema) (3)", "leftovers of the training (2)", "position_ids (1)",
            "no picture depends on (2)" })
            Assert.Contains(part, notes, StringComparison.Ordinal);
        Assert.DoesNotContain(Open(file).Notes, note => note.Contains("not 0, 1, 2", StringComparison.Ordinal));
        Assert.Contains("the noise schedule (5)", Run("info", file, "--config", Golden.EmojiModel).Console, StringComparison.Ordinal);
    }

    [Fact]
    public void Positions_out_of_order_are_said()
    {
        string file = Write("positions", tensors =>
            With(tensors, SingleFileScratch.Text + "text_model.embeddings.position_ids", zeros(1, 32, int64)));
        Assert.Contains(Open(file).Notes, note => note.Contains("not 0, 1, 2", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("model.diffusion_model.surprise.weight")]
    [InlineData("first_stage_model.encoder.surprise.weight")]
    [InlineData("surprise")]
    public void Any_other_key_is_an_error_that_names_it(string key) =>
        Assert.Contains(key, Refusal(Write("other", tensors => With(tensors, key, ones(1))), Golden.EmojiModel), StringComparison.Ordinal);

    [Theory]
    [InlineData(SingleFileScratch.Vae, "holds no vae", "holds no VAE")]
    [InlineData(SingleFileScratch.Text, "holds no text_encoder", "holds no text encoder")]
    public void A_missing_part_is_named_and_taken_from_the_config_folder(string prefix, string note, string refusal)
    {
        string file = Write("part", tensors => tensors.Where(pair => !pair.Key.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(
            ));
        Assert.Contains(Open(file).Notes, line => line.Contains(note, StringComparison.Ordinal));
        Assert.Equal(Picture(Golden.EmojiModel), Picture(file, "--config", Golden.EmojiModel));
        string message = Refusal(file, null);
        Assert.Contains(refusal, message, StringComparison.Ordinal);
        Assert.Contains("`Config` FOLDER", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_UNet_alone_needs_no_prefix()
    {
        string file = Write("unet", tensors => tensors.Where(pair => pair.Key.StartsWith(SingleFileScratch.UNet, StringComparison.Ordinal))
            .ToDictionary(pair => pair.Key[SingleFileScratch.UNet.Length..], pair => pair.Value));
        Assert.Equal(Picture(Golden.EmojiModel), Picture(file, "--config", Golden.EmojiModel));
        Assert.Contains("holds no VAE and no text encoder", Refusal(file, null), StringComparison.Ordinal);
    }

    [Fact]
    public void Marker_keys_tell_velocity_and_a_schedule_that_ends_in_noise()
    {
        string file = Write("markers", tensors => With(With(tensors, "v_pred", zeros(0)), "ztsnr", zeros(0)));
        Checkpoint model = Open(file);
        Assert.Equal(("v_prediction", true), (model.Scheduler.PredictionType, model.Scheduler.RescaleBetasZeroSnr));
        Assert.Contains(model.Notes, note => note.Contains("the file says so (v_pred)", StringComparison.Ordinal)
            && note.Contains("ztsnr", StringComparison.Ordinal));
        Checkpoint forced = Open(file, "epsilon");
        Assert.Equal("epsilon", forced.Scheduler.PredictionType);
        Assert.Contains(forced.Notes, note => note.Contains("contradicts", StringComparison.Ordinal));
        Assert.NotEqual(model.Sha256(), forced.Sha256());
        Assert.Equal(0, Run("generate", file, "t shirt", "--config", Golden.EmojiModel, "-n", "1", "--sampler-steps", "2", "-o",
            _scratch.PathOf("v"), "--quiet").Code);
    }

    [Theory]
    [InlineData("model:\n  params:\n    parameterization: \"v\"\n", "v_prediction")]
    [InlineData("target: sgm.modules.diffusionmodules.denoiser_scaling.VScaling\n", "v_prediction")]
    [InlineData("    parameterization: eps\n", "epsilon")]
    [InlineData("    parameterization: vast\n", "epsilon")]
    public void A_yaml_beside_tells_too(string yaml, string expected)
    {
        string file = Write("beside", null);
        File.WriteAllText(_scratch.PathOf("beside.yaml"), yaml);
        Assert.Equal(expected, Open(file).Scheduler.PredictionType);
    }

    [Theory]
    [InlineData("edm_mean", "EDM")]
    [InlineData("edm_vpred.sigma_max", "CosXL")]
    [InlineData("control_model.input_blocks.0.0.weight", "a ControlNet")]
    [InlineData("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "FLUX")]
    [InlineData("cond_stage_model.roberta.embeddings.weight", "AltDiffusion")]
    [InlineData("embedder.model.visual.proj", "unCLIP")]
    [InlineData("depth_model.model.weight", "depth")]
    [InlineData("model.diffusion_model.time_embed.cond_proj.weight", "consistency")]
    [InlineData("scaled_fp8", "quantized")]
    public void Other_models_are_refused_by_name(string key, string part)
    {
        string message = Refusal(Write("kind", tensors => With(tensors, key, ones(1))), Golden.EmojiModel);
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Contains(key, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Channels_and_files_of_another_sort_are_told()
    {
        string entry = SingleFileScratch.UNet + "input_blocks.0.0.weight";
        Assert.Contains("takes 8 channels: instruct-pix2pix",
            Refusal(Write("eight", tensors => With(tensors, entry, ones(64, 8, 3, 3))), Golden.EmojiModel), StringComparison.Ordinal);
        Assert.Contains("refiner", Refusal(Write("refiner", tensors => With(tensors, entry, ones(384, 4, 3, 3))), Golden.EmojiModel),
            StringComparison.Ordinal);
        Assert.Contains("a VAE and no model", Refusal(Write("vae", _ => new(
            ) { ["encoder.conv_in.weight"] = ones(1), ["decoder.conv_in.weight"] = ones(1) }), null), StringComparison.Ordinal);
        Assert.Contains("a textual inversion", Refusal(Write("word", _ => new() { ["emb_params"] = ones(1, 768) }), null),
            StringComparison.Ordinal);
        string plain = Write("plain", null);
        Assert.Contains("attn2.to_k takes 128", Refusal(plain, null), StringComparison.Ordinal);
        Assert.Contains("its own configs", Refusal(Golden.EmojiModel, Golden.EmojiModel), StringComparison.Ordinal);
    }

    [Fact]
    public void A_mitigation_of_a_single_file_writes_a_whole_folder()
    {
        using var scope = NewDisposeScope();
        string target = _scratch.PathOf("folder");
        Checkpoint model = Open(Write("saved", tensors => With(tensors, "v_pred", zeros(0))));
        using (WeightSet unet = model.OpenUNet()) model.SaveWithUNet(target, unet.Read, "# Card\n", "{}\n");
        DiffusersFolder saved = DiffusersFolder.Open(target), original = DiffusersFolder.Open(Golden.EmojiModel);
        Assert.Equal("v_prediction", saved.Scheduler.PredictionType);
        foreach (Func<DiffusersFolder, WeightSet> part in new Func<DiffusersFolder,
            WeightSet>[] { m => m.OpenUNet(), m => m.OpenVae(), m => m.OpenTextEncoder() })
        {
            using WeightSet a = part(saved), b = part(original);
            Assert.Equal(b.Names, a.Names);
            foreach (string name in b.Names)
            {
                using Tensor x = a.Read(name), y = b.Read(name);
                Assert.Equal(y.dtype, x.dtype);
                Assert.True(x.bytes.SequenceEqual(y.bytes), name);
            }
        }
    }

    [Fact]
    public void The_hash_covers_the_file_and_the_configs()
    {
        string one = Write("one", null), two = Write("two", tensors => With(tensors, "cond_stage_model.logit_scale", ones(1)));
        Assert.NotEqual(Open(one).Sha256(), Open(two).Sha256());
        Assert.Contains(Open(one).FileHashes(), pair => pair.File == "config/scheduler/scheduler_config.json");
        Assert.DoesNotContain(Open(one).FileHashes(
            ), pair => pair.File.EndsWith("diffusion_pytorch_model.safetensors", StringComparison.Ordinal));
    }

    private static Dictionary<string, Tensor> With(Dictionary<string, Tensor> tensors, string key, Tensor value)
    {
        var changed = new Dictionary<string, Tensor>(tensors, StringComparer.Ordinal) { [key] = value };
        return changed;
    }

    private string Write(string name, Func<Dictionary<string, Tensor>, Dictionary<string, Tensor>>? change) =>
        SingleFileScratch.Write(Golden.EmojiModel, _scratch.PathOf(name + ".safetensors"), change);

    private static Checkpoint Open(string file, string? prediction = null) =>
        Checkpoint.Open(file, new CheckpointOptions { Config = Golden.EmojiModel, PredictionType = prediction });

    private static string Refusal(string file, string? config) =>
        Assert.Throws<DoriException>(() => Checkpoint.Open(file, new CheckpointOptions { Config = config })).Message;

    private byte[] Picture(string model, params string[] options)
    {
        string folder = _scratch.PathOf(Path.GetRandomFileName());
        (int code, string error, string _) = Run(["generate", model, "t shirt", "-n", "1", "-o", folder, "--sampler-steps", "2", "--quiet",
            .. options]);
        Assert.True(code == 0, error);
        return File.ReadAllBytes(Path.Combine(folder, "0-0.png"));
    }

    private static (int Code, string Error, string Console) Run(params string[] args)
    {
        using var console = new TestConsole();
        console.Profile.Width = 600;
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = DoriApp.Run(args, console, output, error);
        return (code, error.ToString(), console.Output);
    }

    public void Dispose() => _scratch.Dispose();
}
