using System.Text;
using Dori.Checkpoints;
using static Dori.Tests.Checkpoints.ConfigPublished;
using static Dori.Tests.Checkpoints.ConfigScratch;

namespace Dori.Tests.Checkpoints;

/// <summary>Every refusal tells file, key, value and what is supported.</summary>
public class ConfigRefusalTests
{
    [Theory]
    [InlineData("_class_name", "\"UNet2DModel\"")]
    [InlineData("act_fn", "\"gelu\"")]
    [InlineData("addition_embed_type", "\"text\"")]
    [InlineData("addition_time_embed_dim", "256")]
    [InlineData("attention_head_dim", "[8, 8]")]
    [InlineData("attention_head_dim", "7")]
    [InlineData("attention_head_dim", "0")]
    [InlineData("attention_type", "\"gated\"")]
    [InlineData("block_out_channels", "[]")]
    [InlineData("block_out_channels", "[320, 640, 1280, 1000000]")]
    [InlineData("block_out_channels", "[32, 32, 32, 32, 32, 32, 32, 32, 32]")]
    [InlineData("center_input_sample", "true")]
    [InlineData("class_embed_type", "\"timestep\"")]
    [InlineData("class_embeddings_concat", "true")]
    [InlineData("conv_in_kernel", "1")]
    [InlineData("conv_out_kernel", "5")]
    [InlineData("cross_attention_dim", "-1")]
    [InlineData("cross_attention_dim", "[768, 768, 768, 1024]")]
    [InlineData("cross_attention_norm", "\"layer_norm\"")]
    [InlineData("down_block_types", "[\"CrossAttnDownBlock2D\"]")]
    [InlineData("down_block_types", "[\"CrossAttnDownBlock2D\", \"CrossAttnDownBlock2D\", \"AttnDownBlock2D\", \"DownBlock2D\"]")]
    [InlineData("downsample_padding", "0")]
    [InlineData("dropout", "2")]
    [InlineData("dual_cross_attention", "true")]
    [InlineData("encoder_hid_dim", "1024")]
    [InlineData("encoder_hid_dim_type", "\"text_proj\"")]
    [InlineData("flip_sin_to_cos", "1")]
    [InlineData("freq_shift", "2")]
    [InlineData("in_channels", "4.5")]
    [InlineData("layers_per_block", "101")]
    [InlineData("layers_per_block", "[2, 2, 2, 1]")]
    [InlineData("mid_block_only_cross_attention", "true")]
    [InlineData("mid_block_scale_factor", "1.5")]
    [InlineData("mid_block_type", "\"UNetMidBlock2D\"")]
    [InlineData("mid_block_type", "null")]
    [InlineData("norm_eps", "0")]
    [InlineData("norm_eps", "1e999")]
    [InlineData("norm_num_groups", "null")]
    [InlineData("norm_num_groups", "33")]
    [InlineData("num_attention_heads", "[5, 10, 20]")]
    [InlineData("num_class_embeds", "1000")]
    [InlineData("only_cross_attention", "true")]
    [InlineData("only_cross_attention", "[false, true, false, false]")]
    [InlineData("projection_class_embeddings_input_dim", "2816")]
    [InlineData("resnet_out_scale_factor", "0.5")]
    [InlineData("resnet_skip_time_act", "true")]
    [InlineData("resnet_time_scale_shift", "\"scale_shift\"")]
    [InlineData("reverse_transformer_layers_per_block", "[1, 1, 1, 1]")]
    [InlineData("sample_size", "null")]
    [InlineData("sample_size", "[64, 96]")]
    [InlineData("sample_size", "65")]
    [InlineData("sample_size", "65536")]
    [InlineData("time_cond_proj_dim", "256")]
    [InlineData("time_embedding_act_fn", "\"silu\"")]
    [InlineData("time_embedding_dim", "512")]
    [InlineData("time_embedding_type", "\"fourier\"")]
    [InlineData("timestep_post_act", "\"silu\"")]
    [InlineData("transformer_layers_per_block", "[1, 2, 10]")]
    [InlineData("transformer_layers_per_block", "[1, 2, 101, 1]")]
    [InlineData("up_block_types", "\"UpBlock2D\"")]
    [InlineData("upcast_attention", "\"true\"")]
    public void UNet(string key, string value) => Refuses(UNet14, ConfigFiles.ReadUNet, key, value);

    [Theory]
    [InlineData("_class_name", "\"AsymmetricAutoencoderKL\"")]
    [InlineData("act_fn", "\"relu\"")]
    [InlineData("block_out_channels", "[100000]")]
    [InlineData("down_block_types", "[\"DownEncoderBlock2D\"]")]
    [InlineData("up_block_types", "[\"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"UpDecoderBlock2D\", \"AttnUpDecoderBlock2D\"]")]
    [InlineData("latent_channels", "0")]
    [InlineData("latents_mean", "[0.1]")]
    [InlineData("latents_std", "[0.1]")]
    [InlineData("layers_per_block", "\"2\"")]
    [InlineData("mid_block_add_attention", "0")]
    [InlineData("norm_num_groups", "48")]
    [InlineData("scaling_factor", "0")]
    [InlineData("scaling_factor", "-0.18")]
    [InlineData("scaling_factor", "1e300")]
    [InlineData("shift_factor", "0.0609")]
    [InlineData("sample_size", "[512, 256]")]
    public void Vae(string key, string value) => Refuses(Vae14, ConfigFiles.ReadVae, key, value);

    [Theory]
    [InlineData("model_type", "\"clip\"")]
    [InlineData("model_type", "\"t5\"")]
    [InlineData("vocab_size", "1000001")]
    [InlineData("hidden_size", "20000")]
    [InlineData("hidden_size", "0")]
    [InlineData("num_attention_heads", "7")]
    [InlineData("num_hidden_layers", "1000")]
    [InlineData("max_position_embeddings", "5000")]
    [InlineData("hidden_act", "\"relu\"")]
    [InlineData("layer_norm_eps", "-1")]
    [InlineData("eos_token_id", "49408")]
    [InlineData("projection_dim", "{}")]
    [InlineData("use_attention_mask", "true")]
    public void Text(string key, string value) => Refuses(Text14, ConfigFiles.ReadClipText, key, value);

    [Theory]
    [InlineData("model_type", "\"clip_text_model\"")]
    [InlineData("projection_dim", "0")]
    [InlineData("text_config.hidden_act", "\"tanh\"")]
    [InlineData("vision_config.patch_size", "15")]
    [InlineData("vision_config.patch_size", "1")]
    [InlineData("vision_config.num_attention_heads", "15")]
    [InlineData("vision_config.model_type", "\"siglip\"")]
    public void Clip(string key, string value) => Refuses(ClipLarge, ConfigFiles.ReadClip, key, value);

    [Theory]
    [InlineData(Scheduler21, "clip_sample", "\"no\"")]
    [InlineData(Scheduler21, "predict_epsilon", "false")]
    [InlineData(Scheduler21, "trained_betas", "[0.1, 0.2]")]
    [InlineData(Scheduler21, "thresholding", "true")]
    [InlineData(Scheduler21, "prediction_type", "\"sample\"")]
    [InlineData(Scheduler21, "beta_schedule", "\"squaredcos_cap_v2\"")]
    [InlineData(Scheduler21, "beta_start", "0")]
    [InlineData(Scheduler21, "beta_start", "0.5")]
    [InlineData(Scheduler21, "num_train_timesteps", "1000000000")]
    [InlineData(Scheduler21, "timestep_spacing", "\"karras\"")]
    [InlineData(Scheduler21, "use_karras_sigmas", "true")]
    [InlineData(Scheduler14, "rescale_betas_zero_snr", "true")]
    [InlineData(SchedulerEuler, "use_beta_sigmas", "true")]
    [InlineData(SchedulerEuler, "use_exponential_sigmas", "true")]
    [InlineData(SchedulerEuler, "interpolation_type", "\"log_linear\"")]
    [InlineData(SchedulerEuler, "timestep_type", "\"continuous\"")]
    [InlineData(SchedulerEuler, "final_sigmas_type", "\"sigma_max\"")]
    [InlineData(SchedulerEuler, "sigma_max", "700")]
    public void Scheduler(string json, string key, string value) => Refuses(json, ConfigFiles.ReadScheduler, key, value);

    [Theory]
    [InlineData("algorithm_type", "\"sde-dpmsolver++\"")]
    [InlineData("solver_order", "3")]
    [InlineData("solver_type", "\"heun\"")]
    [InlineData("lower_order_final", "false")]
    [InlineData("euler_at_final", "2")]
    [InlineData("final_sigmas_type", "\"sigma_max\"")]
    [InlineData("use_lu_lambdas", "true")]
    [InlineData("use_flow_sigmas", "true")]
    [InlineData("lambda_min_clipped", "-5.1")]
    [InlineData("variance_type", "\"learned\"")]
    public void DpmSolver(string key, string value) =>
        Refuses(SchedulerDpm.Replace("-Infinity", "\"-Infinity\"", StringComparison.Ordinal), ConfigFiles.ReadScheduler, key, value);

    [Fact]
    public void AbsentIsRefusedWhereItsDefaultIsNotSupported()
    {
        Assert.Contains("sample_size is missing", Refusal(Without(UNet14, "sample_size"), ConfigFiles.ReadUNet), StringComparison.Ordinal);
        Assert.Contains("_class_name is missing", Refusal(Without(UNet14, "_class_name"), ConfigFiles.ReadUNet), StringComparison.Ordinal);
        Assert.Contains("vision_config is missing", Refusal(Without(ClipLarge, "vision_config"), ConfigFiles.ReadClip),
            StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownSchedulerIsToldTheKnown()
    {
        string message = Refusal(With(Scheduler21, "_class_name", "\"FlowMatchEulerDiscreteScheduler\""), ConfigFiles.ReadScheduler);
        foreach (string name in new[] { "FlowMatchEulerDiscreteScheduler", "DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler",
            "DPMSolverMultistepScheduler" })
            Assert.Contains(name, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("true")]
    [InlineData("[null, 1]")]
    public void UnknownKeys(string value)
    {
        Refuses(UNet14, ConfigFiles.ReadUNet, "dilation", value);
        Refuses(Vae14, ConfigFiles.ReadVae, "dilation", value);
        Refuses(Scheduler21, ConfigFiles.ReadScheduler, "dilation", value);
        Assert.Equal(768, Read(With(Text14, "dilation", value), ConfigFiles.ReadClipText).HiddenSize);
    }

    [Fact]
    public void DuplicateKeys() =>
        Assert.Contains("act_fn",
            Refusal(UNet14.Replace("\"act_fn\"", "\"act_fn\": \"silu\", \"act_fn\"", StringComparison.Ordinal), ConfigFiles.ReadUNet),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("{ \"_class_name\": \"\\ud800\" }")]
    [InlineData("{ \"\\ud800\": 1 }")]
    [InlineData("{ \"_class_name\": NaN }")]
    public void NoSoundObject(string json)
    {
        Refusal(json, ConfigFiles.ReadUNet);
        Refusal(json, ConfigFiles.ReadScheduler);
    }

    [Fact]
    public void TooDeepTooLargeOrNotText()
    {
        Refusal($"{{ \"a\": {new string('[', 40)}{new string(']', 40)} }}", ConfigFiles.ReadVae);
        Assert.Contains("too many", Refusal(new string(' ', (4 << 20) + 1), ConfigFiles.ReadVae), StringComparison.Ordinal);
        using var scratch = new ConfigScratch();
        string path = Path.Combine(scratch.Folder, "config.json");
        File.WriteAllBytes(path, [.. "{ \"a\": \""u8, 0xFF, .. "\" }"u8]);
        Assert.Throws<DoriException>(() => ConfigFiles.ReadVae(path));
        Assert.Contains("none.json",
            Assert.Throws<DoriException>(() => ConfigFiles.ReadVae(Path.Combine(scratch.Folder, "none.json"))).Message,
            StringComparison.Ordinal);
        Assert.Throws<DoriException>(() => ConfigFiles.ReadVae(scratch.Folder)); // a folder
    }

    [Fact]
    public void ByteOrderMarkIsPassedOver()
    {
        using var scratch = new ConfigScratch();
        string path = Path.Combine(scratch.Folder, "config.json");
        File.WriteAllText(path, Vae14, new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.Equal(512, ConfigFiles.ReadVae(path).SampleSize);
    }

    private static void Refuses<T>(string json, Func<string, T> reader, string key, string value)
    {
        Read(json.Replace("\"-Infinity\"", "-Infinity", StringComparison.Ordinal), reader); // it is the change that is refused
        string message = Refusal(With(json, key, value), reader);
        Assert.Contains("config.json: ", message, StringComparison.Ordinal);
        // A relation between two keys is told for one of them.
        Assert.True(message.Contains(key, StringComparison.Ordinal) || key.StartsWith("beta_start", StringComparison.Ordinal)
            && message.Contains("beta_end", StringComparison.Ordinal), message);
        Assert.Matches("; supported: .|: unknown key ", message);
    }
}
